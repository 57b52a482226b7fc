/**
 * `npm run soak -- [--minutes 10]`: a cluster under load whose processes are killed and paused at random, and
 * what it costs to run that long: memory, handles, bytes on disk. Ends with the checks of the tests beside it.
 */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { readLedger } from "./ledger.ts";
import { between, Load } from "./load.ts";
import { wrongOutcomes } from "./outcomes.ts";
import { ProcessCluster } from "./process-cluster.ts";

const workers = ["w1", "w2", "w3"];
const env = () => ({ SKEIN_SNAPSHOT_BATCHES: "1000", SKEIN_LOST_AFTER_MS: "4000" });

const faults: Readonly<Record<string, (cluster: ProcessCluster, worker: string) => Promise<void>>> =
  {
    "master killed": async (cluster) => {
      await cluster.killMaster();
      await cluster.startMaster();
    },
    "worker killed": async (cluster, worker) => {
      await cluster.killWorker(worker);
      cluster.startWorker(worker);
    },
    "both killed": async (cluster, worker) => {
      await Promise.all([cluster.killMaster(), cluster.killWorker(worker)]);
      await cluster.startMaster();
      cluster.startWorker(worker);
    },
    "master paused": (cluster) => pause(cluster.master),
    "worker paused": (cluster, worker) => pause(cluster.worker(worker)),
  };

async function soak(minutes: number): Promise<string[]> {
  await using cluster = await ProcessCluster.start({ workers: workers.length, env });
  const ledger = join(cluster.dir, "ledger");
  const load = new Load(cluster, { ledger, longMs: 1_500 });
  const began = performance.now();
  const names = Object.keys(faults);
  const counts = new Map<string, number>();
  for (let looked = 0; performance.now() - began < minutes * 60_000;) {
    await sleep(between(50, 3_000));
    const name = names[between(0, names.length - 1)] ?? "";
    counts.set(name, (counts.get(name) ?? 0) + 1);
    await faults[name]?.(cluster, workers[between(0, workers.length - 1)] ?? "");
    await cluster.workersActive(workers.length);
    // A task that loses three workers is poison (W9): none of these shall lose more than one.
    await load.passed();
    if (performance.now() - looked < 60_000) continue;
    looked = performance.now();
    console.log(`${minutesSince(began)} min  ${load.tasks} tasks  ${costs(cluster)}`);
  }
  await load.stop();
  console.log(`faults: ${[...counts].map(([name, count]) => `${count} × ${name}`).join(", ")}`);
  return [...load.failures, ...cluster.errors, ...(await wrongs(cluster, load, ledger))];
}

async function wrongs(cluster: ProcessCluster, load: Load, ledger: string): Promise<string[]> {
  await using skein = await cluster.connect();
  const wrong: string[] = [];
  for (const [id, inputs] of load.jobs) wrong.push(...(await wrongOutcomes(skein, id, inputs)));
  const { total } = await skein.client.jobs();
  const jobs = load.jobs.size + load.runs;
  if (total !== jobs) wrong.push(`${jobs} jobs were acknowledged, the cluster has ${total}`);
  const runs = readLedger(ledger);
  const attempts = new Set(runs.map(({ task, attempt }) => `${task} ${attempt}`));
  const twice = runs.length - attempts.size;
  if (twice > 0) wrong.push(`${twice} attempts started more than once`);
  console.log(`${load.tasks} tasks of ${jobs} jobs, ${runs.length - load.tasks} started again`);
  return wrong;
}

/** The master's memory and handles, and what the cluster has on disk. */
function costs({ master, dir }: ProcessCluster): string {
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${master.pid}/status`, "utf8"))?.[1];
  const handles = readdirSync(`/proc/${master.pid}/fd`).length;
  const own = ["archive.db", "history", "snapshots", "payloads"];
  const disk = ["journal.db", ...own.map((name) => join("masters", "m1", name))]
    .map((path) => `${basename(path)} ${mib(bytesOf(join(dir, path)))}`)
    .join(", ");
  return `master ${mib(Number(rss) * 1024)}, ${handles} handles; ${disk} MiB`;
}

function bytesOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.size ?? 0;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function minutesSince(began: number): string {
  return ((performance.now() - began) / 60_000).toFixed(1);
}

async function pause(process: { kill(signal: NodeJS.Signals): boolean }): Promise<void> {
  process.kill("SIGSTOP");
  await sleep(between(500, 7_000));
  process.kill("SIGCONT");
}

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const wrong = await soak(Number(values.minutes));
for (const sentence of wrong) console.log(`✖ ${sentence}`);
console.log(wrong.length === 0 ? "✔ nothing lost, nothing twice" : `✖ ${wrong.length} wrong`);
process.exitCode = wrong.length === 0 ? 0 : 1;
