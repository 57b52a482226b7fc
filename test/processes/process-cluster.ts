/**
 * A cluster of real processes: masters and workers of the built CLI, in a directory of their own, on free
 * loopback ports. Ends by pid, and never touches anything that it did not start.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { connect } from "skein";
import type { Skein } from "skein";
import { MasterProcess } from "./master-process.ts";
import { describeProcess, endProcess, processesIn, tryKill, until } from "./tools.ts";

export {
  describeProcess,
  descendantsOf,
  endProcess,
  hasEnded,
  isAlive,
  processesIn,
  until,
} from "./tools.ts";

export const cli: string = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface ProcessClusterOptions {
  readonly workers: number;
  /** A data directory that is there already; it too goes with the cluster. */
  readonly dir?: string;
  /** m1, m2 …; 1 unless set. */
  readonly masters?: number;
  /** Where they keep the journal: a URL. In the cluster's directory, on SQLite, unless set. */
  readonly journal?: string;
  /** What others dial instead of where a master listens: --advertise, and what workers are given. */
  readonly advertise?: (master: MasterProcess) => string;
  /** Told of each master and worker that is started, before it can do anything. */
  readonly spawned?: (name: string, child: ChildProcess) => void;
  /** CPUs that each worker offers; 1 unless set. */
  readonly cpus?: number;
  /** Added to the processes' environment. */
  readonly env?: (dir: string) => Readonly<Record<string, string>>;
}

export class ProcessCluster implements AsyncDisposable {
  readonly dir: string;
  readonly masters: readonly MasterProcess[];
  readonly #options: ProcessClusterOptions;
  readonly #workers = new Map<string, ChildProcess>();
  readonly #errors: string[] = [];
  #stderr = "";

  private constructor(dir: string, options: ProcessClusterOptions) {
    this.dir = dir;
    this.#options = options;
    this.masters = Array.from(
      { length: options.masters ?? 1 },
      (_, i) => new MasterProcess(this, `m${i + 1}`),
    );
  }

  static async start(options: ProcessClusterOptions): Promise<ProcessCluster> {
    const cluster = new ProcessCluster(
      options.dir ?? (await mkdtemp(join(tmpdir(), "skein-"))),
      options,
    );
    try {
      await cluster.startMasters();
      for (let n = 1; n <= options.workers; n++) cluster.startWorker(`w${n}`);
      await cluster.workersActive(options.workers);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the first master. */
  get url(): string {
    return this.masters[0]?.url ?? "";
  }

  /** Where others reach its masters. */
  get urls(): readonly string[] {
    const { advertise } = this.#options;
    const known = this.masters.filter(({ url }) => url !== "");
    return known.map((master) => advertise?.(master) ?? master.url);
  }

  get token(): string {
    return readFileSync(join(this.dir, "token"), "utf8").trim();
  }

  /** The process of the first master. */
  get master(): ChildProcess {
    return this.#first.child;
  }

  spawnMaster(master: MasterProcess, args: readonly string[]): ChildProcess {
    const { journal, advertise, spawned } = this.#options;
    const child = this.spawn([
      ...args,
      ...(journal === undefined ? [] : ["--journal", journal]),
      ...(advertise ? ["--advertise", advertise(master)] : []),
    ]);
    spawned?.(master.id, child);
    return child;
  }

  get #first(): MasterProcess {
    const [first] = this.masters;
    if (!first) throw new Error("a cluster has one master at least");
    return first;
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
    return connect({ url: this.urls.join(","), token: this.token });
  }

  /** The first one leads; the others then stand by. */
  async startMasters(): Promise<void> {
    await this.startMaster();
    const others = this.masters.slice(1);
    for (const master of others) master.spawn();
    await Promise.all(others.map((master) => master.answers()));
  }

  /** The master that leads: of those that say so, the one of the highest term. Waits until there is one. */
  async leader(): Promise<MasterProcess> {
    let found: MasterProcess | undefined;
    await until(async () => {
      const living = this.masters.filter(({ lives }) => lives);
      const terms = await Promise.all(living.map(termLed));
      const highest = Math.max(...terms);
      found = highest > 0 ? living[terms.indexOf(highest)] : undefined;
      return found !== undefined;
    });
    if (!found) throw new Error("nobody leads");
    return found;
  }

  /** Masters that live and do not lead. */
  async standbys(): Promise<MasterProcess[]> {
    const leader = await this.leader();
    return this.masters.filter((master) => master !== leader && master.lives);
  }

  // ── of a cluster with one master ─────────────────────────────────────────────────────────

  /** Milliseconds from the start of the process until it leads and answers. */
  async startMaster(): Promise<number> {
    const began = performance.now();
    this.beginMaster();
    await this.masterReady();
    return performance.now() - began;
  }

  /** Begins to start the master; `masterReady` waits for it. */
  beginMaster(): ChildProcess {
    return this.#first.spawn();
  }

  /** Until the master leads and answers; throws what it said if it ends before that. */
  async masterReady(): Promise<void> {
    await this.#first.answers();
    await until(async () => (await this.#first.status())?.master.leads === true);
  }

  /** SIGKILL, and gone. */
  async killMaster(): Promise<void> {
    await this.#first.kill();
  }

  /** SIGTERM, and gone; resolves with its exit code. */
  stopMaster(): Promise<number | null> {
    return this.#first.stop();
  }

  // ── workers ──────────────────────────────────────────────────────────────────────────────

  startWorker(id: string, more: readonly string[] = []): ChildProcess {
    const masters = this.urls.flatMap((url) => ["--master", url]);
    const args = ["worker", "--data", this.dir, ...masters, "--id", id];
    const child = this.spawn([...args, "--cpus", String(this.#options.cpus ?? 1), ...more]);
    this.#workers.set(id, child);
    this.#options.spawned?.(id, child);
    return child;
  }

  worker(id: string): ChildProcess {
    const child = this.#workers.get(id);
    if (!child) throw new Error(`there is no worker ${id}`);
    return child;
  }

  async killWorker(id: string): Promise<void> {
    await endProcess(this.worker(id), "SIGKILL");
  }

  /** Masters and workers, with one blow. */
  async killAll(): Promise<void> {
    const workers = [...this.#workers.values()].map((one) => endProcess(one, "SIGKILL"));
    await Promise.all([...this.masters.map((master) => master.kill()), ...workers]);
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
    const name = args[args.indexOf("--id") + 1];
    if (name !== undefined) this.#options.spawned?.(name, child);
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
    await this.killAll();
    const none = () => processesIn(this.dir).length === 0;
    const left = await until(none, 10_000).catch(() => processesIn(this.dir).map(describeProcess));
    for (const pid of processesIn(this.dir)) tryKill(pid);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    if (left?.length) throw new Error(`processes outlived their cluster:\n${left.join("\n")}`);
  }
}

async function termLed(master: MasterProcess): Promise<number> {
  const status = await master.status();
  return status?.master.leads ? status.master.term : 0;
}
