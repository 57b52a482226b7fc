/**
 * A cluster of real processes: a master and workers of the built CLI, in a directory of their own, on free
 * loopback ports. Ends by pid, and never touches anything that it did not start.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect } from "skein";
import type { Skein } from "skein";

export const cli: string = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface ProcessClusterOptions {
  readonly workers: number;
  /** CPUs that each worker offers; 1 unless set. */
  readonly cpus?: number;
  /** Added to the processes' environment. */
  readonly env?: (dir: string) => Readonly<Record<string, string>>;
}

export class ProcessCluster implements AsyncDisposable {
  readonly dir: string;
  readonly #options: ProcessClusterOptions;
  readonly #workers = new Map<string, ChildProcess>();
  readonly #errors: string[] = [];
  #master: ChildProcess | undefined;
  #url = "";
  #port = 0;
  #stderr = "";

  private constructor(dir: string, options: ProcessClusterOptions) {
    this.dir = dir;
    this.#options = options;
  }

  static async start(options: ProcessClusterOptions): Promise<ProcessCluster> {
    const cluster = new ProcessCluster(await mkdtemp(join(tmpdir(), "skein-")), options);
    try {
      await cluster.startMaster();
      for (let n = 1; n <= options.workers; n++) cluster.startWorker(`w${n}`);
      await cluster.workersActive(options.workers);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return this.#url;
  }

  get token(): string {
    return readFileSync(join(this.dir, "token"), "utf8").trim();
  }

  get master(): ChildProcess {
    if (!this.#master) throw new Error("there is no master");
    return this.#master;
  }

  /** What the processes wrote to stderr: shown when a test fails. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Lines of level "error" in the processes' logs, all of them. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  connect(): Promise<Skein> {
    return connect({ url: this.#url, token: this.token });
  }

  /** Milliseconds from the start of the process until it leads and answers. */
  async startMaster(): Promise<number> {
    const began = performance.now();
    this.spawnMaster();
    await this.masterReady();
    return performance.now() - began;
  }

  /** Begins to start a master; `masterReady` waits for it. */
  spawnMaster(): ChildProcess {
    rmSync(join(this.dir, "master", "address"), { force: true });
    const args = ["master", "--data", this.dir, "--port", String(this.#port)];
    this.#master = this.spawn([...args, "--log-format", "json"]);
    return this.#master;
  }

  /** Until the master leads and answers; throws what it said if it ends before that. */
  async masterReady(): Promise<void> {
    const address = join(this.dir, "master", "address");
    const child = this.master;
    await until(() => {
      if (hasEnded(child)) throw new Error(`the master ended: ${this.#stderr.slice(-2_000)}`);
      return existsSync(address) && readFileSync(address, "utf8").endsWith("\n");
    });
    this.#url = readFileSync(address, "utf8").trim();
    this.#port = Number(new URL(this.#url).port);
    await using skein = await this.connect();
    await until(async () => (await skein.client.status()).master.leads);
  }

  /** SIGKILL, and gone. */
  async killMaster(): Promise<void> {
    if (this.#master) await end(this.#master, "SIGKILL");
  }

  /** SIGTERM, and gone; resolves with its exit code. */
  async stopMaster(): Promise<number | null> {
    await end(this.master, "SIGTERM");
    return this.master.exitCode;
  }

  startWorker(id: string, more: readonly string[] = []): ChildProcess {
    const args = ["worker", "--data", this.dir, "--master", this.#url, "--id", id];
    const child = this.spawn([...args, "--cpus", String(this.#options.cpus ?? 1), ...more]);
    this.#workers.set(id, child);
    return child;
  }

  worker(id: string): ChildProcess {
    const child = this.#workers.get(id);
    if (!child) throw new Error(`there is no worker ${id}`);
    return child;
  }

  async killWorker(id: string): Promise<void> {
    await end(this.worker(id), "SIGKILL");
  }

  /** Master and workers, with one blow. */
  async killAll(): Promise<void> {
    await Promise.all([this.master, ...this.#workers.values()].map((one) => end(one, "SIGKILL")));
  }

  async workersActive(count: number): Promise<void> {
    await using skein = await this.connect();
    await until(async () => {
      const { items } = await skein.client.workers();
      return (
        items.filter(({ state, connected }) => state === "active" && connected).length >= count
      );
    });
  }

  /** A process of the CLI with this cluster's token. */
  spawn(args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [cli, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        ...this.#options.env?.(this.dir),
        // Slots inherit it, so that processesIn() finds them.
        TEST_CLUSTER: this.dir,
        SKEIN_TOKEN: existsSync(join(this.dir, "token")) ? this.token : "",
      },
    });
    child.stdout?.resume();
    if (child.stderr) {
      createInterface({ input: child.stderr }).on("line", (line) => {
        this.#stderr = `${this.#stderr}${line}\n`.slice(-20_000);
        if (line.includes('"level":"error"')) this.#errors.push(line);
      });
    }
    return child;
  }

  /** Kills everything; throws when a process outlives its cluster (W7). */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#master) await this.killAll();
    const none = () => processesIn(this.dir).length === 0;
    const left = await until(none, 10_000).catch(() => processesIn(this.dir).map(describeProcess));
    for (const pid of processesIn(this.dir)) tryKill(pid);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    if (left?.length) throw new Error(`processes outlived their cluster:\n${left.join("\n")}`);
  }
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await exited;
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Waits for a condition, with a bound that only a broken system reaches. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  boundMs = 60_000,
): Promise<void> {
  const endAt = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > endAt) throw new Error(`not within ${boundMs} ms: ${holds.toString()}`);
    await sleep(5);
  }
}

/** Processes that name this directory on their command line or in their environment (Linux). */
export function processesIn(dir: string): number[] {
  return pids().filter((pid) => pid !== process.pid && mentions(pid, dir));
}

/** A process with its children and theirs. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const one of pids()) {
    const parent = Number(read(`/proc/${one}/stat`).split(") ").at(-1)?.split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const all = [pid];
  for (const one of all) all.push(...(children.get(one) ?? []));
  return all;
}

/** False for one that has ended and only waits to be read by its parent. */
export function isAlive(pid: number): boolean {
  const [, state = "Z"] = /\) (\w)/.exec(read(`/proc/${pid}/stat`)) ?? [];
  return state !== "Z";
}

export function describeProcess(pid: number): string {
  return `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`;
}

function pids(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function mentions(pid: number, dir: string): boolean {
  return [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`].some((file) => read(file).includes(dir));
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // ended meanwhile
  }
}
