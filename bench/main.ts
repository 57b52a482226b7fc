/**
 * `npm run bench [-- --quick] [--no-peers] [--only throughput,roundtrip,submits,queued]`
 *
 * Prints one table of Skein and its peers, with the durability of each column, and writes it to
 * bench/results/. What it does not measure: tasks that do something, a network between the processes, power loss.
 *
 * `npm run bench -- failover …`: what it costs when masters and workers die (failover/main.ts).
 * `npm run bench -- dashboard …`: answers, viewers and pages of a large cluster (dashboard/main.ts).
 */
import { mkdir, writeFile } from "node:fs/promises";
import { arch, cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { runDashboard } from "./dashboard/main.ts";
import { runFailover } from "./failover/main.ts";
import { runPeers } from "./peers/peers.ts";
import { formatPeers } from "./peers/table.ts";
import type { PeerRow } from "./peers/model.ts";
import { queued, roundTrip, submits, throughput } from "./skein.ts";

if (process.argv[2] === "failover") {
  await runFailover(process.argv.slice(3));
  process.exit();
}
if (process.argv[2] === "dashboard") {
  await runDashboard(process.argv.slice(3));
  process.exit();
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    "no-peers": { type: "boolean", default: false },
    only: { type: "string" },
  },
});

const quick = values.quick;
const only = values.only?.split(",");
const wanted = (name: string) => only === undefined || only.includes(name);
const log = (line: string) => console.error(line);
const durability =
  "SQLite WAL, synchronous=FULL: every submit and outcome fsynced before it is acknowledged";

const results: Record<string, unknown> = {};
const lines: string[] = [];

if (wanted("throughput")) {
  log("skein: no-op throughput …");
  const figures = await throughput({
    tasks: quick ? 50_000 : 200_000,
    rounds: quick ? 3 : 5,
    warmup: 20_000,
    log,
  });
  results["throughput"] = figures;
  lines.push(
    `no-op tasks, end to end      ${whole(figures.median)}/s  [${figures.all.map(whole).join(", ")}]`,
  );
}
if (wanted("roundtrip")) {
  log("skein: round trip …");
  const figures = await roundTrip({ warmup: quick ? 2_000 : 6_000, n: quick ? 2_000 : 5_000 });
  results["roundTrip"] = figures;
  lines.push(
    `one task, submit → result    p50 ${ms(figures.p50)}, p99 ${ms(figures.p99)}  (${figures.n} after ${figures.warmup})`,
  );
}
if (wanted("submits")) {
  log("skein: submits from 64 clients …");
  const figures = await submits({ clients: 64, n: quick ? 10_000 : 20_000, warmup: 5_000 });
  results["submits"] = figures;
  lines.push(
    `single-task submits, 64 at once  ${whole(figures.median)}/s  [${figures.all.map(whole).join(", ")}]`,
  );
}
if (wanted("queued")) {
  const tasks = quick ? 100_000 : 1_000_000;
  log(`skein: ${whole(tasks)} queued tasks …`);
  const figures = await queued(tasks);
  results["queued"] = figures;
  lines.push(
    `${whole(tasks)} queued tasks      submit ${ms(figures.submitMs)}, ${figures.beyondPayloadMiB.toFixed(0)} MiB beyond ${figures.payloadMiB.toFixed(0)} MiB of payload (${figures.bytesPerTask.toFixed(0)} B/task)`,
    `  event loop meanwhile       longest stall ${ms(figures.stallMaxMs)}, p99.9 ${ms(figures.stallP999Ms)}`,
    `  cold start with them       ${ms(figures.coldStartMs)}`,
  );
}
let peers: PeerRow[] = [];
if (!values["no-peers"] && wanted("peers")) {
  log("peers …");
  peers = await runPeers({
    tasks: quick ? 5_000 : 20_000,
    warmup: quick ? 1_000 : 5_000,
    rounds: 3,
    log,
  });
  results["peers"] = peers;
}

const [cpu] = cpus();
const machine = `${cpus().length} × ${cpu?.model ?? "?"}, ${arch()}, Linux ${release()}, Node ${process.version}`;
console.log(`\nSkein (${durability})`);
for (const line of lines) console.log(`  ${line}`);
if (peers.length > 0) console.log(`\nPeers\n${formatPeers(peers)}`);
console.log(`\nMachine: ${machine}. Shared and noisy: read ratios.`);

const folder = new URL("./results/", import.meta.url);
await mkdir(folder, { recursive: true });
const date = new Date().toISOString();
const file = new URL(`bench-${date.slice(0, 19).replaceAll(":", "-")}.json`, folder);
await writeFile(file, JSON.stringify({ date, machine, durability, ...results }, null, 2));

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function ms(value: number): string {
  return value >= 100 ? `${whole(value)} ms` : `${value.toFixed(2)} ms`;
}
