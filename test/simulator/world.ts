// The world of one seed: one to three masters, some workers and clients, a journal, a network, and what goes wrong.
// Time passes event by event; after the faults are over everything must come to its end.

import type { Entry } from "../../src/core/entry.ts";
import type { StoredBatch } from "../../src/journal/journal.ts";
import type { Log, LogFields } from "../../src/lib/log.ts";
import { Checker } from "./checker.ts";
import { SimClient } from "./clients.ts";
import type { SimInput } from "./executor.ts";
import { planCorruption } from "./corruption.ts";
import type { Corruption } from "./corruption.ts";
import { planDamage } from "./damage.ts";
import type { Damage } from "./damage.ts";
import { beginFaults } from "./faults.ts";
import { finalChecks, isSettled, stuckText, unsettledText } from "./finish.ts";
import { drawKnobs } from "./knobs.ts";
import type { Knobs } from "./knobs.ts";
import { Liveness } from "./liveness.ts";
import { SimMaster } from "./master.ts";
import { Network } from "./network.ts";
import type { Place } from "./network.ts";
import { Obedience } from "./obedience.ts";
import { Operator } from "./operator.ts";
import type { JobPlan } from "./plans.ts";
import { Random } from "./random.ts";
import { Replicas } from "./replicas.ts";
import { SimStore } from "./store.ts";
import { Timeline } from "./timeline.ts";
import { Watchdog } from "./watchdog.ts";
import { SimWorker } from "./worker.ts";
import type { WorkerPlan } from "./worker.ts";

/** More than any sound run has taken. */
const stepsMax = 2_000_000;
/** After the faults, everything has this long to end. */
const settleMs = 1_200_000;

export class SimulationFailure extends Error {
  override readonly name = "SimulationFailure";
}

const streams = [
  "knobs",
  "timeline",
  "journal",
  "disk",
  "clock",
  "ids",
  "network",
  "slots",
  "clients",
  "operator",
  "faults",
] as const;

export class World {
  readonly knobs: Knobs;
  readonly random: { readonly [stream in (typeof streams)[number]]: Random };
  readonly timeline: Timeline;
  readonly store: SimStore;
  readonly network: Network;
  readonly checker: Checker;
  readonly replicas: Replicas;
  readonly obedience: Obedience;
  readonly masters: SimMaster[] = [];
  readonly workers: SimWorker[] = [];
  readonly clients: SimClient[] = [];
  readonly operator: Operator;
  /** "job id/task" → what the client wants done. */
  readonly inputs = new Map<string, SimInput>();
  /** The faults are over. */
  calm = false;
  /** What one master sees of the journal is not what was written. */
  damage: Damage | undefined;
  /** What one master has in memory is not what the journal makes. */
  corruption: Corruption | undefined;
  dispatchMax = 20_000;

  constructor(seed: number) {
    const root = new Random(`seed ${seed}`);
    const forks = streams.map((stream) => [stream, root.fork(stream)] as const);
    this.random = Object.fromEntries(forks) as World["random"];
    this.knobs = drawKnobs(this.random.knobs);
    this.timeline = new Timeline(this.random.timeline);
    this.store = new SimStore(this);
    this.network = new Network(this);
    this.replicas = new Replicas(this);
    this.obedience = new Obedience(this);
    this.checker = new Checker(this);
    for (let i = 1; i <= this.knobs.masters; i++) this.masters.push(new SimMaster(this, `m${i}`));
    if (this.random.knobs.chance(0.2)) this.dispatchMax = this.random.knobs.between(1, 5);
    for (const plan of drawWorkers(this.random.knobs, this.knobs.workers)) {
      this.workers.push(new SimWorker(this, plan));
    }
    this.operator = new Operator(this);
  }

  /** Runs the seed to its end; throws what went wrong. */
  run(): void {
    for (const master of this.masters) this.#beginMaster(master);
    for (const worker of this.workers) this.#begin(worker);
    for (let i = 0; i < this.knobs.clients; i++)
      this.clients.push(new SimClient(this, `client${i}`));
    beginFaults(this);
    if (this.knobs.damage) planDamage(this);
    if (this.knobs.corruption) planCorruption(this);
    this.#snapshots();
    this.#supervise();
    void new Watchdog(this);
    this.#until(this.knobs.faultsMs, () => false);
    this.#heal();
    void new Liveness(this);
    const settled = this.#until(this.timeline.now + settleMs, () => isSettled(this));
    if (!settled) this.fail(`liveness: ${unsettledText(this)}\n${stuckText(this)}`);
    finalChecks(this);
  }

  /** The first one at once; the others find it leading, or stand beside it. */
  #beginMaster(master: SimMaster): void {
    const ms = master === this.masters[0] ? 0 : this.random.faults.float() ** 2 * 5_000;
    this.timeline.after(ms, "master starts", () => master.start());
  }

  #begin(worker: SimWorker): void {
    const ms = this.random.faults.float() * 3_000;
    this.timeline.after(ms, "worker starts", () => worker.start());
  }

  #until(end: number, isDone: () => boolean): boolean {
    let look = this.timeline.now;
    while (this.timeline.step(end)) {
      if (this.timeline.now < look) continue;
      look = this.timeline.now + 1_000;
      this.check(this.timeline.steps < stepsMax, `liveness: ${stepsMax} steps and no end`);
      if (isDone()) return true;
    }
    return isDone();
  }

  #snapshots(): void {
    const gap = (this.knobs.snapshotMs * 2 * this.random.disk.float()) / this.masters.length;
    this.timeline.after(gap, "snapshot", () => {
      this.random.disk.pick(this.masters).snapshot();
      this.#snapshots();
    });
  }

  /** What has died is started again after a while. */
  #supervise(): void {
    this.timeline.after(1_000, "supervisor", () => {
      for (const worker of this.workers) {
        const odds = this.calm ? 1 : worker.machineDown ? 0.05 : 0.3;
        if (!worker.life && worker.lives > 0 && this.random.faults.chance(odds)) worker.start();
      }
      for (const master of this.masters) {
        const odds = this.calm ? 1 : master.machineDown ? 0.05 : 0.3;
        if (!master.life && master.lives > 0 && this.random.faults.chance(odds)) master.start();
      }
      if (this.calm) this.operator.keepCalm();
      this.#supervise();
    });
  }

  #heal(): void {
    this.timeline.trace("the faults are over");
    this.calm = true;
    this.store.stalledUntil = 0;
    this.network.heal();
    for (const { engine, life } of this.masters) {
      engine.heal();
      life?.process.wake();
    }
    for (const { life } of this.workers) {
      life?.process.wake();
      if (life) life.spool.problem = undefined;
    }
    this.operator.calm();
  }

  /** The master whose `elected` is the last one in the journal, if it lives and knows. */
  get leader(): SimMaster | undefined {
    const { leader, term } = this.checker.shadow;
    return this.masters.find(
      ({ life, leads }) =>
        leads &&
        life?.identity.incarnation === leader?.incarnation &&
        life?.parts?.loop.peek((state) => state.term) === term,
    );
  }

  masterAt(address: string): SimMaster {
    const master = this.masters.find((one) => one.address === address);
    return master ?? this.fail(`nobody has the address ${address}`);
  }

  // ── what happens ───────────────────────────────────────────────────────────────────────

  committed(batch: StoredBatch, by: string): void {
    this.checker.committed(batch, by);
    this.replicas.wrote(batch, by);
  }

  /** A journal lost a batch at its front. */
  trimmed(index: number): void {
    this.timeline.trace(`the journal is trimmed up to ${index}`);
    this.replicas.trimmed(index);
  }

  /** A master stops: for good with a damaged journal, for this life with a corrupt memory; for nothing else. */
  halted(master: SimMaster, why: Error): void {
    if (this.damage?.explains(master, why) === true) return;
    if (this.corruption?.explains(master, why) === true) {
      master.halted = undefined;
      return;
    }
    this.fail(`${master.id} halts: ${why.message}`, why);
  }

  killWorker(id: string, how: "process" | "machine" = "process"): void {
    const worker = this.workers.find(({ plan }) => plan.id === id);
    if (!worker?.life) return;
    worker.crash(how);
    // A supervisor may be quicker than whoever notices the death.
    if (how === "machine" || !this.random.faults.chance(0.5)) return;
    this.timeline.after(this.random.faults.float() * 400, "quick restart", () => worker.start());
  }

  /** W5: two dials, or none when the machine does not answer. */
  dialWorker(caller: Place, address: string, done: (answers: boolean) => void): void {
    const worker = this.workers.find(({ plan }) => address.startsWith(`${plan.id}:`));
    const ms = this.knobs.latencyMs + this.random.network.float() * 200;
    const ask = () => done(worker?.answers(caller.node, address) ?? true);
    caller.process.later(ms, "dial back", ask);
  }

  submitted(id: string, plan: JobPlan): string {
    let task = 0;
    for (const part of plan.parts) {
      for (const input of part) this.inputs.set(`${id}/${task++}`, input);
    }
    return id;
  }

  traceBatch(index: number, entries: readonly Entry[]): void {
    this.timeline.trace(`batch ${index}: ${entries.map(entryText).join("  ")}`);
  }

  log(name: string): Log {
    const say = (level: string) => (message: string, fields?: LogFields) =>
      this.timeline.trace(`${name} ${level}: ${message} ${fieldsText(fields)}`);
    const log: Log = {
      debug: () => {},
      info: say("info"),
      warn: say("warn"),
      error: (message, fields) => {
        if (this.corruption && message.includes("digest")) return say("error")(message, fields);
        this.fail(`${name}: ${message} ${fieldsText(fields)}`, fields?.["error"]);
      },
      with: () => log,
    };
    return log;
  }

  check(condition: boolean, what: string): void {
    if (!condition) this.fail(what);
  }

  fail(what: string, cause?: unknown): never {
    throw new SimulationFailure(what, { cause });
  }
}

function drawWorkers(random: Random, count: number): WorkerPlan[] {
  return Array.from({ length: count }, (_, i) => {
    // The first one can run everything, so that nothing waits for ever.
    const cpu = i === 0 ? 4_000 : random.between(1, 4) * 1_000;
    const amounts = i === 0 || random.chance(0.3) ? { gpu: 1_000 } : {};
    const memory = i === 0 ? 4_000 : random.between(1, 4) * 1_000;
    const zone = i === 0 ? "a" : random.pick(["a", "b", "c"]);
    return { id: `w${i + 1}`, amounts: { cpu, memory, ...amounts }, labels: { zone } };
  });
}

function entryText(entry: Entry): string {
  const { kind, v: _, ...rest } = entry;
  if (kind === "jobCreated") return `jobCreated ${JSON.stringify({ job: entry.job })}`;
  const text = JSON.stringify(rest, (_name, value: unknown) =>
    value instanceof Uint8Array ? `${value.length} bytes` : value,
  );
  return `${kind} ${text.slice(0, 160)}`;
}

function fieldsText(fields: LogFields | undefined): string {
  if (!fields) return "";
  const { error } = fields;
  const text = error instanceof Error ? ` ${error.message}` : "";
  return JSON.stringify(fields) + text;
}
