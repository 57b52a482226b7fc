/**
 * `npm run bench -- dashboard [--jobs N] [--tasks N] [--workers N] [--rounds N] [--seed N] [--profile PATH] [--filled DIR]
 * [--only ROUTE,…] [--no-browser]`
 *
 * A master as large as a dashboard must bear, and how long its answers take while state changes; what viewers of its
 * events are sent; and, where there is a Chromium, how the page behaves. Timings are measured, never asserted.
 *
 * D1. A run of whole size goes to bench/results/dashboard.json and into docs/performance.md, any other to
 *     bench/results/dashboard-part.json.
 * D2. What it does not measure: a network, several masters, logs, more than one request at a time.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { randomFrom } from "../failover/random.ts";
import { askAll } from "./asking.ts";
import { browse } from "./browser.ts";
import { formatReport, makeReport, writeDocument } from "./report.ts";
import { forgotten, requestsOf } from "./requests.ts";
import { view } from "./viewers.ts";
import { startWorld } from "./world.ts";

const folder = new URL("../results/", import.meta.url);
const wholeSize = { jobs: 10_000, tasks: 1_000_000, workers: 1_000 };
const log = (line: string): void => console.error(line);
const viewSeconds = 15;

export async function runDashboard(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      jobs: { type: "string", default: String(wholeSize.jobs) },
      tasks: { type: "string", default: String(wholeSize.tasks) },
      workers: { type: "string", default: String(wholeSize.workers) },
      rounds: { type: "string", default: "200" },
      seed: { type: "string", default: "1" },
      profile: { type: "string" },
      filled: { type: "string" },
      only: { type: "string" },
      "no-browser": { type: "boolean", default: false },
    },
  });
  const began = performance.now();
  const [jobs, tasks, workers] = [values.jobs, values.tasks, values.workers].map(Number);
  const size = {
    jobs: jobs ?? 0,
    tasks: tasks ?? 0,
    workers: workers ?? 0,
    seed: Number(values.seed),
  };
  log(`dashboard: ${JSON.stringify(size)}`);
  await using world = await startWorld({
    size,
    profile: values.profile,
    filled: values.filled,
    log,
  });
  const only = values.only?.split(",");
  const all = requestsOf(world.jobs, size.workers);
  const without = forgotten(all);
  if (without.length > 0) throw new Error(`GET routes that nobody asks: ${without.join(", ")}`);
  const requests = all.filter(({ route }) => only?.includes(route) ?? true);
  const { url, token } = world.cluster;
  const rounds = Number(values.rounds);
  log(`  asking: ${requests.length} requests, ${rounds} times each …`);
  await world.look();
  const random = randomFrom(size.seed);
  const ask = (times: number) => askAll({ url, token, requests, rounds: times, random });
  const answers = await ask(rounds);
  const master = await world.look();
  // Afterwards, because it costs.
  if (values.profile !== undefined) await world.profiled(() => ask(Math.ceil(rounds / 4)));
  log("  viewers …");
  const viewing = only
    ? []
    : [await view(world, 1, viewSeconds), await view(world, 100, viewSeconds)];
  const page =
    only || values["no-browser"] ? { skipped: "not asked for" } : await browse(world, log);
  const report = makeReport({ size, rounds, answers, master, viewing, page, began });
  const isWhole = Object.entries(wholeSize).every(([name, least]) => size[name as "jobs"] >= least);
  mkdirSync(folder, { recursive: true });
  const isKept = isWhole && !only && !values.profile;
  const file = new URL(isKept ? "dashboard.json" : "dashboard-part.json", folder);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  if (isKept) writeDocument(report);
  console.log(`\n${formatReport(report)}\n`);
}
