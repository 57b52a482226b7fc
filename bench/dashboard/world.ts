/**
 * A cluster as large as its dashboard must bear: one master process (SQLite), a crowd of simulated workers in another
 * process, and jobs in every state there is.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "skein/client";
import type { Client } from "skein/client";
import { ProcessCluster, endProcess, until } from "../../test/processes/process-cluster.ts";
import { look } from "../cluster.ts";
import type { Seen } from "../cluster.ts";

export interface Size {
  readonly jobs: number;
  readonly tasks: number;
  readonly workers: number;
  readonly seed: number;
}

export interface Jobs {
  /** One with as many attempts as a task stream shows bars: about 50,000 when the size is whole. */
  readonly wide: string;
  /** Large, and running while the figures are taken. */
  readonly live: readonly string[];
  /** Of each of them. */
  readonly liveTasks: number;
  /** Ended and, but for the last thousand, out of the state. */
  readonly ended: readonly string[];
  /** Ready in a queue that is paused. */
  readonly queued: readonly string[];
}

export interface World extends AsyncDisposable {
  readonly cluster: ProcessCluster;
  readonly client: Client;
  readonly jobs: Jobs;
  /** Memory and stalls of the master since the last look. */
  look(): Promise<Seen>;
  /** CPU profiles of the master's threads while `run` does. */
  profiled<T>(run: () => Promise<T>): Promise<T>;
}

export const pausedQueue = "later";
const liveJobs = 5;
/** Of the wide job's tasks, on average. */
const widePaceMs = 1_200;
/** Jobs that run meanwhile take so long: longer than the figures do. */
const liveSeconds = 400;
export const slotsPerWorker = 2;
const inFlight = 32;
const tasksPerPart = 5_000;
const crowdProgram = fileURLToPath(new URL("crowd.ts", import.meta.url));
const hooks = ["../probe.mjs", "profile.mjs"].map((name) => new URL(name, import.meta.url).href);

export interface WorldOptions {
  readonly size: Size;
  /** Where profiles go: a path to which `.THREAD.cpuprofile` is added. */
  readonly profile: string | undefined;
  /** A data directory that is filled once and copied for each run, so that runs can be compared. */
  readonly filled: string | undefined;
  readonly log: (line: string) => void;
}

export async function startWorld(options: WorldOptions): Promise<World> {
  const { size, profile, log } = options;
  const dir = copied(options);
  const cluster = await ProcessCluster.start({
    workers: 0,
    ...(dir === undefined ? {} : { dir }),
    env: (dir) => ({
      NODE_OPTIONS: hooks.map((hook) => `--import ${hook}`).join(" "),
      SKEIN_PROBE: join(dir, "probe"),
      SKEIN_PROFILE: profile ?? "",
    }),
  });
  let crowd: ChildProcess | undefined;
  const dispose = async (): Promise<void> => {
    if (crowd) await endProcess(crowd, "SIGKILL");
    await cluster[Symbol.asyncDispose]();
  };
  try {
    const client = createClient({ masters: [cluster.url], token: cluster.token });
    crowd = startCrowd(cluster, size);
    await until(async () => {
      await sleep(200);
      return (await client.status()).workers.active === size.workers;
    }, 180_000);
    log(`  ${size.workers} workers are active`);
    const past = await pastOf(cluster, client, options);
    const live = await submitLive(client, size);
    const jobs = { ...past, ...live };
    return {
      cluster,
      client,
      jobs,
      look: () => look(cluster),
      profiled: (run) => profiled(profile, run),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    log(cluster.stderr.slice(-2_000));
    await dispose();
    throw error;
  }
}

/** A copy of the directory that was filled before, if there is one. */
function copied({ filled }: WorldOptions): string | undefined {
  if (filled === undefined || !existsSync(filled)) return undefined;
  const dir = mkdtempSync(join(tmpdir(), "skein-"));
  cpSync(filled, dir, { recursive: true });
  return dir;
}

const pastFile = "past-jobs.json";

async function pastOf(
  cluster: ProcessCluster,
  client: Client,
  { size, filled, log }: WorldOptions,
): Promise<Past> {
  const known = join(cluster.dir, pastFile);
  if (existsSync(known)) return JSON.parse(readFileSync(known, "utf8")) as Past;
  const past = await fill(client, size, log);
  if (filled === undefined) return past;
  writeFileSync(known, JSON.stringify(past));
  await cluster.stopMaster();
  cpSync(cluster.dir, filled, { recursive: true });
  await cluster.startMaster();
  return past;
}

function startCrowd({ url, token, dir }: ProcessCluster, { workers, seed }: Size): ChildProcess {
  const args = ["--import", "tsx", crowdProgram, url, String(workers), String(seed)];
  const env = { ...process.env, SKEIN_TOKEN: token, TEST_CLUSTER: dir };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], env });
  child.once("exit", (code) => {
    if (code) throw new Error(`the crowd of workers ended with code ${code}`);
  });
  return child;
}

async function profiled<T>(path: string | undefined, run: () => Promise<T>): Promise<T> {
  if (path === undefined) return run();
  const flag = `${path}.on`;
  writeFileSync(flag, "");
  await sleep(1_000);
  try {
    return await run();
  } finally {
    rmSync(flag);
    await sleep(3_000);
  }
}

// ── jobs ─────────────────────────────────────────────────────────────────────────────────

interface Plan {
  readonly task: string;
  readonly tasks: number;
  readonly queue: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority?: number;
}

type Past = Omit<Jobs, "live" | "liveTasks">;

/** A twentieth of all tasks is in the wide job, a tenth in those that run; half of the rest has ended. */
async function fill(client: Client, size: Size, log: (line: string) => void): Promise<Past> {
  await client.submit({ spec: specOf(plain("warm-up", 1, pausedQueue)), inputs: [0] });
  await client.setQueue(pausedQueue, { paused: true, pausedReason: "not before the night" });
  const rest = size.jobs - liveJobs - 2;
  const wideTasks = Math.round(size.tasks * 0.048);
  const each = Math.floor((size.tasks - wideTasks - liveTasksOf(size) * liveJobs) / rest);
  log(`  the wide job: ${wideTasks} tasks …`);
  const labels = { team: "film", pace: String(widePaceMs) };
  const wide = await submit(client, { ...plain("render", wideTasks, "film"), labels });
  await ended(client, wide);
  const quick = Math.floor(rest * 0.55);
  log(`  ${quick} jobs of ${each} tasks run …`);
  const done = await submitAll(client, quick, (i) => ({
    ...plain(i % 3 === 0 ? "render" : "encode", each, ["film", "audio", "default"][i % 3] ?? ""),
    labels: { team: ["film", "sound", "web"][i % 3] ?? "", shot: `s${i % 100}` },
  }));
  for (const id of done.slice(-200)) await ended(client, id);
  log(`  ${rest - quick} jobs of ${each} tasks wait …`);
  const queued = await submitAll(client, rest - quick, () => plain("index", each, pausedQueue));
  return { wide, ended: done, queued };
}

function liveTasksOf({ tasks }: Size): number {
  return Math.round((tasks * 0.1) / liveJobs);
}

async function submitLive(client: Client, size: Size): Promise<Pick<Jobs, "live" | "liveTasks">> {
  const liveTasks = liveTasksOf(size);
  const slots = size.workers * slotsPerWorker;
  const pace = Math.round((liveSeconds * 1_000 * slots) / (liveTasks * liveJobs));
  const live = await submitAll(client, liveJobs, () => ({
    ...plain("simulate", liveTasks, "default"),
    labels: { team: "physics", pace: String(pace) },
  }));
  return { live, liveTasks };
}

function plain(task: string, tasks: number, queue: string): Plan {
  return { task, tasks, queue, labels: { team: "web" } };
}

function specOf({ task, queue, labels }: Plan) {
  const retry = { attempts: 3, backoffMs: 500, backoffMaxMs: 2_000 };
  return { task, queue, labels, retry, code: { kind: "command" as const, argv: ["true"] } };
}

async function submitAll(
  client: Client,
  count: number,
  plan: (i: number) => Plan,
): Promise<string[]> {
  const ids: string[] = Array.from({ length: count }, () => "");
  let next = 0;
  const one = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) ids[i] = await submit(client, plan(i));
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return ids;
}

/** Returns its id. Many tasks are sent in parts. */
async function submit(client: Client, plan: Plan): Promise<string> {
  const spec = specOf(plan);
  if (plan.tasks <= tasksPerPart) {
    return (await client.submit({ head: { spec }, lines: linesOf(0, plan.tasks) })).id;
  }
  const { id } = await client.submit({ spec, open: true });
  let parts = 0;
  for (let from = 0; from < plan.tasks; from += tasksPerPart) {
    await client.part(id, parts++, linesOf(from, Math.min(plan.tasks, from + tasksPerPart)));
  }
  await client.close(id, { parts });
  return id;
}

function linesOf(from: number, to: number): string {
  let lines = "";
  for (let i = from; i < to; i++) lines += `{"frame":${i}}\n`;
  return lines;
}

async function ended(client: Client, id: string): Promise<void> {
  while ((await client.job(id, { waitMs: 10_000 })).ended === null);
}
