/**
 * `npm run bench -- failover [--kills N] [--engine sqlite|etcd|both] [--quick] [--seed N] [--no-peers] [--render]`
 *
 * Kills, stops and replaces leaders, and kills workers, of clusters of real processes under load; then holds what
 * clients were told against what ran and what the cluster says. Timings are measured, never asserted.
 *
 * F1. A whole run (both engines, 200 kills of a leader or more, the peer) goes to bench/results/failover.json and into
 *     docs/reliability.md; any other run to bench/results/failover-part.json.
 * F2. It fails, after writing, if anything was lost, doubled or restarted.
 * F3. --render writes the document anew from the last whole run, and measures nothing.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { benchStalled } from "../peers/bullmq-stalled.ts";
import { formatReport, makeReport, writeDocument } from "./report.ts";
import type { Report } from "./report.ts";
import { runSeries } from "./series.ts";
import type { Counts, Series } from "./series.ts";
import type { Engine } from "./world.ts";

const folder = new URL("../results/", import.meta.url);
const whole = new URL("failover.json", folder);
const part = new URL("failover-part.json", folder);
const killsOfWhole = 200;
const stalledRounds = 5;

const log = (line: string): void => console.error(line);

export async function runFailover(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: "string" },
      engine: { type: "string", default: "both" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      quick: { type: "boolean", default: false },
      "no-peers": { type: "boolean", default: false },
      render: { type: "boolean", default: false },
    },
  });
  if (values.render) return writeDocument(JSON.parse(readFileSync(whole, "utf8")) as Report);
  const began = performance.now();
  const { quick } = values;
  const engines = enginesOf(values.engine);
  const kills = countOf("--kills", values.kills ?? (quick ? "6" : String(killsOfWhole)));
  const seed = countOf("--seed", values.seed);
  const withPeer = !quick && !values["no-peers"];
  const series: Series[] = [];
  for (const engine of engines) {
    const counts = countsOf(Math.ceil(kills / engines.length), quick ? 1 : engines.length, quick);
    log(`${engine}: ${JSON.stringify(counts)}`);
    series.push(await runSeries(engine, { seed, counts, log }));
  }
  if (withPeer) log("BullMQ: workers killed; about a minute …");
  const peer = withPeer ? await benchStalled(stalledRounds, log) : null;
  const report = makeReport(series, peer, { seed, began });
  const isWhole = withPeer && engines.length === 2 && kills >= killsOfWhole;
  mkdirSync(folder, { recursive: true });
  writeFileSync(isWhole ? whole : part, `${JSON.stringify(report, null, 2)}\n`);
  if (isWhole) writeDocument(report);
  console.log(`\n${formatReport(report)}\n`);
  // Of what must be 0 only: a time that was missed is a result, not an error.
  const broken = series.filter(({ audit }) => audit.wrong.length > 0);
  for (const { engine, audit } of broken) console.error(engine, audit.wrong);
  if (broken.length > 0) process.exitCode = 1;
}

/** Of one engine, of so many. */
function countsOf(kills: number, engines: number, quick: boolean): Counts {
  if (quick) return { kills, stops: 1, handOvers: 2, workerKills: 1 };
  const share = (count: number) => Math.ceil(count / engines);
  return { kills, stops: share(20), handOvers: share(50), workerKills: share(20) };
}

function enginesOf(text: string): Engine[] {
  if (text === "both") return ["sqlite", "etcd"];
  if (text === "sqlite" || text === "etcd") return [text];
  throw new Error(`--engine must be sqlite, etcd or both, not "${text}"`);
}

function countOf(name: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new Error(`${name} must be a whole number of at least 1, not "${text}"`);
}
