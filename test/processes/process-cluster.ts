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

  connect(): Promise<Skein> {
    return connect({ url: this.#url, token: this.token });
  }

  /** Milliseconds from the start of the process until it leads and answers. */
  async startMaster(): Promise<number> {
    const address = join(this.dir, "master", "address");
    rmSync(address, { force: true });
    const began = performance.now();
    const child = this.spawn(["master", "--data", this.dir, "--port", String(this.#port)]);
    this.#master = child;
    await until(() => {
      if (hasEnded(child)) throw new Error(`the master ended: ${this.#stderr.slice(-2_000)}`);
      return existsSync(address) && readFileSync(address, "utf8").endsWith("\n");
    });
    this.#url = readFileSync(address, "utf8").trim();
    this.#port = Number(new URL(this.#url).port);
    await using skein = await this.connect();
    await until(async () => (await skein.client.status()).master.leads);
    return performance.now() - began;
  }

  /** SIGKILL, and gone. */
  async killMaster(): Promise<void> {
    if (this.#master) await kill(this.#master);
  }

  startWorker(id: string, more: readonly string[] = []): ChildProcess {
    const args = ["worker", "--data", join(this.dir, id), "--master", this.#url, "--id", id];
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
    await kill(this.worker(id));
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
        SKEIN_TOKEN: existsSync(join(this.dir, "token")) ? this.token : "",
      },
    });
    child.stdout?.resume();
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-20_000);
    });
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers.values()].map(kill));
    await this.killMaster();
    await until(() => processesIn(this.dir).length === 0, 10_000).catch(() => {});
    for (const pid of processesIn(this.dir)) process.kill(pid, "SIGKILL");
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function kill(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
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
