/**
 * One cluster of real processes under load: 3 masters, 2 workers, and the journal on SQLite or on 3 members of etcd.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Skein } from "skein";
import { ProcessCluster, until } from "../../test/processes/process-cluster.ts";
import type { MasterProcess } from "../../test/processes/master-process.ts";
import { EtcdCluster } from "../../test/tools/etcd.ts";
import { monotonicMs } from "./clock.ts";
import { Load } from "./load.ts";
import { LogLines } from "./log-lines.ts";
import { Notes } from "./notes.ts";
import { between, randomFrom } from "./random.ts";
import type { Random } from "./random.ts";

export type Engine = "sqlite" | "etcd";

export const masters = 3;
export const workers = 2;
export const slots = 4;
export const submitEveryMs = 25;
export const jobEveryMs = 80;
export const longs = 3;

/** A term must be older than `limits.termMinMs`, or a cut connection proves nothing; and not always by the same. */
const settleMs = { min: 600, max: 1_100 };

export class World implements AsyncDisposable {
  readonly engine: Engine;
  /** Of the engine, in words. */
  readonly version: string;
  readonly cluster: ProcessCluster;
  readonly skein: Skein;
  readonly load: Load;
  readonly notes: Notes;
  readonly logs: LogLines;
  readonly random: Random;
  /** Workers that were killed under a task. */
  readonly deaths = new Map<string, number>();
  /** When the first worker was killed. */
  deathsFrom = Infinity;
  readonly #etcd: EtcdCluster | undefined;
  #ended = false;

  static async start(engine: Engine, seed: number): Promise<World> {
    const etcd = engine === "etcd" ? await EtcdCluster.start() : undefined;
    const logs = new LogLines();
    try {
      const cluster = await ProcessCluster.start({
        workers,
        masters,
        cpus: slots,
        spawned: (name, child) => logs.listen(name, child),
        ...(etcd ? { journal: etcd.url("/failover") } : {}),
      });
      const skein = await cluster.connect();
      const version = etcd ? `etcd ${(await etcd.status(0)).version}` : "SQLite";
      return new World({ engine, version, cluster, skein, logs, etcd, random: randomFrom(seed) });
    } catch (error) {
      await etcd?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    parts: Pick<World, "engine" | "version" | "cluster" | "skein" | "logs" | "random"> & {
      readonly etcd: EtcdCluster | undefined;
    },
  ) {
    this.engine = parts.engine;
    this.version = parts.version;
    this.cluster = parts.cluster;
    this.skein = parts.skein;
    this.logs = parts.logs;
    this.random = parts.random;
    this.#etcd = parts.etcd;
    const file = join(this.cluster.dir, "notes");
    this.notes = new Notes(file);
    const rates = { submitEveryMs, jobEveryMs, longs };
    this.load = new Load(this.skein, { notes: file, random: this.random, ...rates });
  }

  master(id: string): MasterProcess {
    const found = this.cluster.masters.find((master) => master.id === id);
    if (!found) throw new Error(`there is no master ${id}`);
    return found;
  }

  /** Three masters live, two of them stand by, and some time has passed. Resolves with the leader. */
  async settled(): Promise<MasterProcess> {
    let leader = await this.cluster.leader();
    await until(async () => {
      const status = await leader.status();
      if (status?.master.leads !== true) leader = await this.cluster.leader();
      else if (
        status.masters.standingBy.length === masters - 1 &&
        status.workers.active === workers
      )
        return true;
      await sleep(20);
      return false;
    });
    await sleep(between(this.random, settleMs.min, settleMs.max));
    return leader;
  }

  /** Both clocks at one moment. */
  now(): { readonly at: number; readonly wall: number } {
    return { at: monotonicMs(), wall: performance.timeOrigin + performance.now() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.load.end();
    this.notes[Symbol.dispose]();
    await this.skein.close();
    await this.cluster[Symbol.asyncDispose]();
    // Its processes do not keep this one alive, and their end is awaited.
    const awake = setInterval(() => {}, 1_000);
    await this.#etcd?.[Symbol.asyncDispose]();
    clearInterval(awake);
  }
}
