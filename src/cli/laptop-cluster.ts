// The processes of `skein up`: masters and workers, started, watched, ended.

import { readFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { createClient, fetchTransport } from "../client/index.ts";
import type { Client } from "../client/index.ts";
import { delay } from "../lib/abort.ts";
import { startChild } from "./children.ts";
import type { Child, Ready } from "./children.ts";
import type { Io } from "./io.ts";

export interface LaptopOptions {
  readonly dataDir: string;
  /** Masters: m1 on `port`, the others on free ones, all on the journal of the data directory. */
  readonly masters: number;
  readonly port: number;
  /** Ids of the workers. */
  readonly workers: readonly string[];
  readonly logLevel: string;
  readonly env: Io["env"];
  /** Lines that a child printed on stderr. */
  readonly onLine: (child: string, line: string) => void;
}

export interface MasterChild {
  readonly id: string;
  /** "" until it answers. */
  url: string;
  readonly child: Child;
}

export interface WorkerChild {
  readonly id: string;
  readonly child: Child;
}

/** Running tasks get this long when all is to end. */
export const drainMs = 10_000;
/** And their workers this much longer, until their reports are recorded. */
const reportMs = 8_000;
const masterStopMs = 5_000;
const forcedMs = 1_000;
const registeredMs = 15_000;
const electedMs = 10_000;
/** Whoever is asked who leads, on this machine, answers in this time or not at all. */
const askMs = 1_000;
const tellMs = 500;
const lookMs = 20;
const mib = 1024 * 1024;
const memoryShare = 0.8;

export class LaptopCluster {
  readonly masters: MasterChild[] = [];
  readonly workers: WorkerChild[] = [];
  readonly #options: LaptopOptions;
  #token = "";
  #client: Client | undefined;

  constructor(options: LaptopOptions) {
    this.#options = options;
    // The first one makes the journal and leads; the others then find both.
    this.#startMaster("m1", options.port);
  }

  /** Of all masters that answer. */
  get urls(): readonly string[] {
    return this.masters.map(({ url }) => url).filter((url) => url !== "");
  }

  get token(): string {
    return this.#token;
  }

  get children(): readonly Child[] {
    return [...this.masters, ...this.workers].map(({ child }) => child);
  }

  /** Until all masters answer. @throws ChildFailed */
  async mastersReady(): Promise<void> {
    const { dataDir, masters } = this.#options;
    await this.#answers();
    this.#token = (await readFile(join(dataDir, "token"), "utf8")).trim();
    for (let n = 2; n <= masters; n++) this.#startMaster(`m${n}`, 0);
    await this.#answers();
    this.#client = this.#clientOf(this.urls);
    const end = performance.now() + electedMs;
    while (masters > 1 && !(await this.leader()) && performance.now() < end) await delay(lookMs);
  }

  /** Starts all workers, each with its share of this machine. */
  startWorkers(): void {
    const { workers, dataDir } = this.#options;
    const share = shareOf(workers.length);
    for (const id of workers) {
      const place = ["--data", dataDir, ...this.urls.flatMap((url) => ["--master", url])];
      const child = this.#start(`worker ${id}`, ["worker", ...place, "--id", id, ...share]);
      this.workers.push({ id, child });
    }
  }

  /** Until the cluster has them: only then a task would start. @throws ChildFailed */
  async workersReady(): Promise<readonly Ready[]> {
    const ready = await Promise.all(this.workers.map(({ child }) => child.ready));
    const wanted = new Set(this.workers.map(({ id }) => id));
    const end = performance.now() + registeredMs;
    while (performance.now() < end) {
      const page = await this.#client?.workers({ limit: 1_000 });
      const there = page?.items.filter((one) => one.connected && wanted.has(one.id)) ?? [];
      if (there.length === wanted.size) break;
      await delay(lookMs);
    }
    return ready;
  }

  /** Tasks that run now; 0 when nobody can say. */
  async running(): Promise<number> {
    try {
      const page = await this.#client?.workers({ limit: 1_000 }, { retryMs: 0 });
      return (page?.items ?? []).reduce((sum, worker) => sum + worker.running, 0);
    } catch {
      // The master is gone: whatever runs will be asked for by the next one.
      return 0;
    }
  }

  /** Workers first, which let their tasks end; then the masters, the leader last: so nobody is elected. */
  async end(): Promise<void> {
    await endAll(this.workers, drainMs + reportMs);
    // Whoever waits for the last task hears of its end before nobody is left to tell.
    await delay(tellMs);
    const leader = await this.leader();
    await endAll(
      this.masters.filter((master) => master !== leader),
      masterStopMs,
    );
    if (leader) await endAll([leader], masterStopMs);
  }

  /** All of them now; tasks that run are killed. */
  async endNow(): Promise<void> {
    for (const child of this.children) child.release();
    await ended(this.children, masterStopMs);
  }

  /** Whoever presses twice does not want to wait. The journal is safe at any moment. */
  async force(): Promise<void> {
    for (const { child } of this.workers) child.kill("SIGKILL");
    for (const { child } of this.masters) child.kill("SIGTERM");
    await ended(this.children, forcedMs);
  }

  #startMaster(id: string, port: number): void {
    const { dataDir, masters } = this.#options;
    const place = ["--data", dataDir, "--id", id, "--port", String(port)];
    const child = this.#start(masters === 1 ? "master" : `master ${id}`, ["master", ...place]);
    this.masters.push({ id, url: "", child });
  }

  async #answers(): Promise<void> {
    await Promise.all(
      this.masters.map(async (master) => {
        master.url = (await master.child.ready).url ?? "";
      }),
    );
  }

  /** The master that says it leads. */
  async leader(): Promise<MasterChild | undefined> {
    const living = this.masters.filter(({ child, url }) => child.lives && url !== "");
    const leads = await Promise.all(
      living.map(async ({ url }) => {
        const signal = AbortSignal.timeout(askMs);
        return this.#clientOf([url])
          .status({ signal, retryMs: 0 })
          .then(({ master }) => master.leads)
          .catch(() => false);
      }),
    );
    return living[leads.indexOf(true)];
  }

  #clientOf(masters: readonly string[]): Client {
    const token = this.#token;
    return createClient({ masters, token, transport: fetchTransport, retryMs: 2_000 });
  }

  #start(name: string, args: readonly string[]): Child {
    const { env, logLevel, onLine } = this.#options;
    const log = ["--log-level", logLevel, "--log-format", "text"];
    return startChild({ name, args: [...args, ...log], env, onLine: (line) => onLine(name, line) });
  }
}

async function endAll(
  owners: readonly { readonly child: Child }[],
  patienceMs: number,
): Promise<void> {
  const children = owners.map(({ child }) => child);
  for (const child of children) child.kill("SIGTERM");
  await ended(children, patienceMs);
}

/** Waits for their ends; those that do not come in time are made. */
async function ended(children: readonly Child[], ms: number): Promise<void> {
  const patience = new AbortController();
  const late = delay(ms, patience.signal).then(
    () => children.forEach((child) => child.kill("SIGKILL")),
    () => {},
  );
  await Promise.all(children.map(({ exited }) => exited));
  patience.abort();
  await late;
}

/** One worker offers what it finds; several split it. */
function shareOf(workers: number): readonly string[] {
  if (workers <= 1) return [];
  const cpus = Math.max(1, Math.floor(availableParallelism() / workers));
  const memoryMiB = Math.floor(((totalmem() / mib) * memoryShare) / workers);
  return ["--cpus", String(cpus), "--memory", `${memoryMiB}MiB`];
}
