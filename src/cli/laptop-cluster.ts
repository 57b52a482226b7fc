// The processes of `skein up`: one master and its workers, started, watched, ended.

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
  readonly port: number;
  /** Ids of the workers. */
  readonly workers: readonly string[];
  readonly logLevel: string;
  readonly env: Io["env"];
  /** Lines that a child printed on stderr. */
  readonly onLine: (child: string, line: string) => void;
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
const lookMs = 20;
const mib = 1024 * 1024;
const memoryShare = 0.8;

export class LaptopCluster {
  readonly master: Child;
  readonly workers: WorkerChild[] = [];
  readonly #options: LaptopOptions;
  #url = "";
  #token = "";
  #client: Client | undefined;

  constructor(options: LaptopOptions) {
    this.#options = options;
    const { dataDir, port } = options;
    this.master = this.#start("master", ["master", "--data", dataDir, "--port", String(port)]);
  }

  get url(): string {
    return this.#url;
  }

  get token(): string {
    return this.#token;
  }

  get children(): readonly Child[] {
    return [this.master, ...this.workers.map(({ child }) => child)];
  }

  /** Until the master answers. @throws ChildFailed */
  async masterReady(): Promise<void> {
    const { dataDir } = this.#options;
    const ready = await this.master.ready;
    this.#url = ready.url ?? "";
    this.#token = (await readFile(join(dataDir, "token"), "utf8")).trim();
    this.#client = createClient({
      masters: [this.#url],
      token: this.#token,
      transport: fetchTransport,
      retryMs: 2_000,
    });
  }

  /** Starts all workers, each with its share of this machine. */
  startWorkers(): void {
    const { workers, dataDir } = this.#options;
    const share = shareOf(workers.length);
    for (const id of workers) {
      const place = ["--data", dataDir, "--master", this.#url];
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

  /** Workers first, which let their tasks end, then the master. */
  async end(): Promise<void> {
    const children = this.workers.map(({ child }) => child);
    for (const child of children) child.kill("SIGTERM");
    await ended(children, drainMs + reportMs);
    this.master.kill("SIGTERM");
    await ended([this.master], masterStopMs);
  }

  /** All of them now; tasks that run are killed. */
  async endNow(): Promise<void> {
    for (const child of this.children) child.release();
    await ended(this.children, masterStopMs);
  }

  /** Whoever presses twice does not want to wait. The journal is safe at any moment. */
  async force(): Promise<void> {
    for (const { child } of this.workers) child.kill("SIGKILL");
    this.master.kill("SIGTERM");
    await ended(this.children, forcedMs);
  }

  #start(name: string, args: readonly string[]): Child {
    const { env, logLevel, onLine } = this.#options;
    const log = ["--log-level", logLevel, "--log-format", "text"];
    return startChild({ name, args: [...args, ...log], env, onLine: (line) => onLine(name, line) });
  }
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
