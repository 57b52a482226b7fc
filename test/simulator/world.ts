// The world of one seed: one master, some workers and clients, a journal, a network, and what goes wrong. Time
// passes event by event; after the faults are over everything must come to its end.

import type { Entry } from "../../src/core/entry.ts";
import type { StoredBatch } from "../../src/journal/journal.ts";
import type { Log, LogFields } from "../../src/lib/log.ts";
import { SimApi } from "./api.ts";
import { SimArchive } from "./archive.ts";
import { Checker } from "./checker.ts";
import { SimClient } from "./clients.ts";
import type { SimInput } from "./executor.ts";
import { Faults } from "./faults.ts";
import { finalChecks, isSettled, stuckText, unsettledText } from "./finish.ts";
import { SimJournal } from "./journal.ts";
import { drawKnobs } from "./knobs.ts";
import type { Knobs } from "./knobs.ts";
import { SimMaster } from "./master.ts";
import { Operator } from "./operator.ts";
import type { JobPlan } from "./plans.ts";
import type { Process } from "./process.ts";
import { Random } from "./random.ts";
import { Timeline } from "./timeline.ts";
import { Watchdog } from "./watchdog.ts";
import { SimWorker } from "./worker.ts";
import type { WorkerPlan } from "./worker.ts";

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
  readonly journal: SimJournal;
  readonly archive: SimArchive;
  readonly checker: Checker;
  readonly api: SimApi;
  readonly master: SimMaster;
  readonly workers: SimWorker[] = [];
  readonly clients: SimClient[] = [];
  readonly operator: Operator;
  /** "job id/task" → what the client wants done. */
  readonly inputs = new Map<string, SimInput>();
  /** The faults are over. */
  calm = false;
  dispatchMax = 20_000;

  constructor(seed: number) {
    const root = new Random(`seed ${seed}`);
    const forks = streams.map((stream) => [stream, root.fork(stream)] as const);
    this.random = Object.fromEntries(forks) as World["random"];
    this.knobs = drawKnobs(this.random.knobs);
    this.timeline = new Timeline(this.random.timeline);
    this.journal = new SimJournal(this);
    this.archive = new SimArchive(this);
    this.checker = new Checker(this);
    this.api = new SimApi(this);
    this.master = new SimMaster(this);
    if (this.random.knobs.chance(0.2)) this.dispatchMax = this.random.knobs.between(1, 5);
    for (const plan of drawWorkers(this.random.knobs, this.knobs.workers)) {
      this.workers.push(new SimWorker(this, plan));
    }
    this.operator = new Operator(this);
  }

  /** Runs the seed to its end; throws what went wrong. */
  run(): void {
    this.master.start();
    for (const worker of this.workers) this.#begin(worker);
    for (let i = 0; i < this.knobs.clients; i++)
      this.clients.push(new SimClient(this, `client${i}`));
    void new Faults(this);
    this.#snapshots();
    this.#supervise();
    void new Watchdog(this);
    this.#until(this.knobs.faultsMs, () => false);
    this.#heal();
    const settled = this.#until(this.timeline.now + settleMs, () => isSettled(this));
    if (!settled) this.fail(`liveness: ${unsettledText(this)}\n${stuckText(this)}`);
    finalChecks(this);
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
      if (isDone()) return true;
    }
    return isDone();
  }

  #snapshots(): void {
    const gap = this.knobs.snapshotMs * 2 * this.random.disk.float();
    this.timeline.after(gap, "snapshot", () => {
      this.master.snapshot();
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
      if (this.calm) this.operator.keepCalm();
      this.#supervise();
    });
  }

  #heal(): void {
    this.timeline.trace("the faults are over");
    this.calm = true;
    this.journal.calm = true;
    this.journal.stalledUntil = 0;
    for (const { wire, life } of this.workers) {
      wire.heal();
      if (life) life.spool.problem = undefined;
    }
    this.operator.calm();
  }

  // ── what happens ───────────────────────────────────────────────────────────────────────

  committed(batch: StoredBatch): void {
    this.checker.committed(batch);
  }

  elected(term: number): void {
    this.timeline.trace(`elected in term ${term}`);
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
  dialWorker(caller: Process, address: string, done: (answers: boolean) => void): void {
    const worker = this.workers.find(({ plan }) => address.startsWith(`${plan.id}:`));
    const ms = this.knobs.latencyMs + this.random.network.float() * 200;
    caller.later(ms, "dial back", () => done(worker?.answers(address) ?? true));
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
      error: (message, fields) => this.fail(`${name}: ${message} ${fieldsText(fields)}`),
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
  const text = error instanceof Error ? ` ${error.stack ?? error.message}` : "";
  return JSON.stringify(fields) + text;
}
