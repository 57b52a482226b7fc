/** What a round harms: real masters and workers, each blow noted with its time. */
import { join } from "node:path";
import { connect } from "skein";
import type { Skein } from "skein";
import type { MasterProcess } from "../processes/master-process.ts";
import {
  descendantsOf,
  describeProcess,
  hasEnded,
  isAlive,
  ProcessCluster,
  until,
} from "../processes/process-cluster.ts";
import type { ProcessClusterOptions } from "../processes/process-cluster.ts";
import { JournalWatch } from "./facts.ts";
import { now } from "./history.ts";
import type { Harm } from "./history.ts";

/** A killed worker's processes are gone after this long, on a machine that has other things to do. */
const goneMs = 10_000;

export class World implements AsyncDisposable {
  readonly cluster: ProcessCluster;
  readonly journal: JournalWatch;
  readonly harms: Harm[] = [];
  readonly #workers: readonly string[];

  private constructor(cluster: ProcessCluster, journal: JournalWatch, workers: number) {
    this.cluster = cluster;
    this.journal = journal;
    this.#workers = Array.from({ length: workers }, (_, i) => `w${i + 1}`);
  }

  static async start(options: ProcessClusterOptions): Promise<World> {
    const cluster = await ProcessCluster.start(options);
    const url = options.journal ?? `sqlite:${join(cluster.dir, "journal.db")}`;
    try {
      return new World(cluster, await JournalWatch.open(url), options.workers);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get masters(): readonly MasterProcess[] {
    return this.cluster.masters;
  }

  get workers(): readonly string[] {
    return this.#workers;
  }

  connect(retryMs: number): Promise<Skein> {
    return connect({ url: this.cluster.urls.join(","), token: this.cluster.token, retryMs });
  }

  note(harm: Omit<Harm, "at">): void {
    this.harms.push({ ...harm, at: now() });
  }

  // ── masters ──────────────────────────────────────────────────────────────────────────────

  async killMaster(master: MasterProcess): Promise<void> {
    if (!master.lives) return;
    this.note({ kind: "killed", who: "master", name: master.id, pid: master.child.pid ?? 0 });
    await master.kill();
  }

  pauseMaster(master: MasterProcess): void {
    this.note({ kind: "stopped", who: "master", name: master.id, pid: master.child.pid ?? 0 });
    master.pause();
  }

  resumeMaster(master: MasterProcess): void {
    if (!master.lives) return;
    master.resume();
    this.note({ kind: "continued", who: "master", name: master.id, pid: master.child.pid ?? 0 });
  }

  async startMaster(master: MasterProcess): Promise<void> {
    if (master.lives) return;
    master.spawn();
    await master.answers();
  }

  // ── workers ──────────────────────────────────────────────────────────────────────────────

  /** SIGKILL; what it leaves behind must be gone soon after. */
  async killWorker(id: string): Promise<void> {
    const child = this.cluster.worker(id);
    if (hasEnded(child)) return;
    const pid = child.pid ?? 0;
    const doomed = descendantsOf(pid);
    const at = now();
    await this.cluster.killWorker(id);
    const gone = until(() => !doomed.some(isAlive), goneMs);
    const survivors = await gone.then(
      () => [],
      () => doomed.filter(isAlive).map(describeProcess),
    );
    this.harms.push({ kind: "killed", who: "worker", name: id, pid, at, survivors });
  }

  pauseWorker(id: string): void {
    const { pid = 0 } = this.cluster.worker(id);
    this.note({ kind: "stopped", who: "worker", name: id, pid });
    this.cluster.worker(id).kill("SIGSTOP");
  }

  resumeWorker(id: string): void {
    const child = this.cluster.worker(id);
    if (hasEnded(child)) return;
    child.kill("SIGCONT");
    this.note({ kind: "continued", who: "worker", name: id, pid: child.pid ?? 0 });
  }

  startWorker(id: string): void {
    if (hasEnded(this.cluster.worker(id))) this.cluster.startWorker(id);
  }

  // ── all of it ────────────────────────────────────────────────────────────────────────────

  /** Nothing is harmed any more: all go on, all that died live again. */
  async heal(): Promise<void> {
    for (const master of this.masters) this.resumeMaster(master);
    for (const id of this.workers) this.resumeWorker(id);
    await Promise.all(this.masters.map((master) => this.startMaster(master)));
    for (const id of this.workers) this.startWorker(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.journal[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }
}
