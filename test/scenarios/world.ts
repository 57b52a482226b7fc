// A cluster in a script's hands: the real loop and core on a journal in memory, a standby that folds what the
// journal holds, and the names that the script gave. After every block the two states must agree, every number
// must be what counting gives, and every task that does not run must have a reason (P6).

import { encodeState, decodeState } from "../../src/core/snapshot.ts";
import { createState } from "../../src/core/state.ts";
import type { Job, State } from "../../src/core/state.ts";
import { decodeBatch } from "../../src/journal/batch.ts";
import { zeroHash } from "../../src/journal/journal.ts";
import { silentLog } from "../../src/lib/log.ts";
import { decodeEntries } from "../../src/master/codec.ts";
import { Loop } from "../../src/master/loop.ts";
import type { Durable, Grounded } from "../../src/master/loop-ports.ts";
import { createDigestCheck, foldBatch } from "../../src/master/replay.ts";
import type { DigestCheck } from "../../src/master/replay.ts";
import type { Amounts, Labels, WorkerInfo } from "../../src/protocol/model.ts";
import { assertState, digestOf } from "../simulator/check-state.ts";
import { ScriptClock, ScriptJournal } from "./machine.ts";
import { showEffects, showEntry, showTime, unexplained } from "./show.ts";

/** A worker as the script plays it. */
export interface ScriptWorker {
  readonly id: string;
  readonly info: WorkerInfo;
  readonly life: number;
  reports: number;
}

const recallMs = 500;

export class World {
  readonly clock = new ScriptClock();
  readonly journal = new ScriptJournal();
  readonly workers = new Map<string, ScriptWorker>();
  /** Workers whose registration in this term is complete: only they are sent orders. */
  readonly hearing = new Set<number>();
  readonly recalls = new Map<number, number>();
  /** What J7 leaves of dispatch. */
  dispatchMax = 100_000;
  #lines: string[] = [];
  #loop: Loop;
  #lives = 0;
  #standby: State;
  #check: DigestCheck = differs();
  readonly #idNames = new Map<string, string>();
  readonly #jobNames = new Map<number, string>();
  readonly #workerNames = new Map<number, string>();

  constructor() {
    this.#standby = createState(this.journal.journalId);
    this.#loop = this.#start({
      state: createState(this.journal.journalId),
      hash: zeroHash,
      doubts: 0,
    });
    this.clock.settle();
    this.take();
  }

  get loop(): Loop {
    return this.#loop;
  }

  /** What was said since the last time, with names in the place of ids. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines.map((line) => line.replaceAll(/0{12}[0-9a-f]{4}/g, (id) => this.#nameOf(id)));
  }

  say(line: string): void {
    this.#lines.push(line);
  }

  /** Lets the loop do what waits. */
  settle(): void {
    this.clock.settle();
  }

  check(): void {
    this.#loop.read((state, time) => {
      assertState(state);
      if (this.#loop.durableIndex !== state.index) return; // a batch is under way
      const own = digestOf(state);
      same(digestOf(this.#standby), own, "the standby's digest");
      same(digestOf(decodeState(encodeState(state))), own, "the digest after a snapshot");
      same(unexplained(state, time).join(" "), "", "tasks without a reason");
    }, ignore);
  }

  // ── names ──────────────────────────────────────────────────────────────────────────────

  /** The id of a new job, by the name that the script gives it. */
  newJobId(name: string): string {
    const id = (this.#idNames.size + 1).toString(16).padStart(16, "0");
    this.#idNames.set(id, name);
    return id;
  }

  isNamed(name: string): boolean {
    return [...this.#idNames.values()].includes(name);
  }

  /** The newest job of this name. */
  idOf(name: string): string {
    const found = [...this.#idNames].filter(([, known]) => known === name).at(-1);
    if (!found) throw new Error(`no job was named "${name}"`);
    return found[0];
  }

  job(name: string): Job {
    const id = this.idOf(name);
    const job = this.#loop.peek((state) => state.jobs.get(state.jobNumbers.get(id) ?? 0));
    if (!job) throw new Error(`job "${name}" is not in the state`);
    return job;
  }

  /** Its number, also when the job has left the state. */
  jobNumber(name: string): number {
    const found = [...this.#jobNames].filter(([, known]) => known === name).at(-1);
    if (!found) throw new Error(`job "${name}" never came to be`);
    return found[0];
  }

  workerNumber(id: string): number {
    const number = this.#loop.peek((state) => state.workerNumbers.get(id));
    if (number === undefined) throw new Error(`worker "${id}" is not in the state`);
    return number;
  }

  readonly names = {
    job: (number: number): string => this.#jobNames.get(number) ?? `job ${number}`,
    worker: (number: number): string => this.#workerNames.get(number) ?? `worker ${number}`,
  };

  #nameOf(id: string): string {
    return this.#idNames.get(id) ?? id;
  }

  // ── the master ─────────────────────────────────────────────────────────────────────────

  /** The master dies and starts again, on a snapshot of its state or on the journal alone. */
  restart(from: "snapshot" | "journal"): void {
    const before = this.#loop.peek(encodeState);
    this.#loop.stop();
    this.hearing.clear();
    this.recalls.clear();
    const state = from === "snapshot" ? decodeState(before) : this.#replay();
    this.#loop = this.#start({ state, hash: this.journal.headHash, doubts: 0 });
    this.settle();
  }

  #start(grounded: Grounded): Loop {
    const { clock, journal } = this;
    const identity = {
      id: "m1",
      incarnation: String(++this.#lives),
      addresses: ["http://m1"],
      levels: [1, 1] as const,
    };
    let batches = 0;
    const loop = new Loop(grounded, identity, {
      clock,
      log: silentLog,
      append: (expected, batch, done) => {
        const result = journal.append(expected, batch);
        if (result.kind !== "appended") this.say(`!! the journal answers ${result.kind}`);
        clock.defer(() => done(result));
      },
      read: (index, done) => clock.defer(() => done(journal.read(index))),
      look: (done) => clock.defer(done),
      defer: (fire) => clock.defer(fire),
      newBatchId: () => `${this.#lives}`.padStart(8, "0") + `${++batches}`.padStart(24, "0"),
      perform: (durable) => this.#perform(durable),
      rebuild: (why) => {
        this.say(`!! the state is built again: ${why}`);
        const state = this.#replay();
        clock.defer(() => loop.adopt({ state, hash: journal.headHash, doubts: 0 }));
      },
      stuck: () => {},
      deposed: () => this.say("!! the master is deposed"),
      leaderElsewhere: () => undefined,
      halt: (why) => this.say(`!! the master halts: ${why.message}`),
      admit: (request) => request,
      dispatchMax: () => this.dispatchMax,
      recalling: () => this.#recalling(),
      resting: () => new Set(),
    });
    loop.campaign();
    return loop;
  }

  #replay(): State {
    const state = createState(this.journal.journalId);
    const check = differs();
    for (const { bytes } of this.journal.batches) foldBatch(state, decodeBatch(bytes), check);
    return state;
  }

  #recalling(): ReadonlySet<number> {
    for (const [worker, since] of this.recalls) {
      if (this.clock.now() - since > recallMs) this.recalls.delete(worker);
    }
    return new Set(this.recalls.keys());
  }

  #perform({ effects, recalls, bytes }: Durable): void {
    if (bytes.length > 0) this.#batch(bytes);
    const hears = (worker: number) => this.hearing.has(worker);
    this.#loop.peek((state) => {
      for (const line of showEffects(state, this.names, effects, hears)) this.say(line);
    });
    for (const { worker, job, count } of recalls) {
      if (!hears(worker)) continue;
      this.recalls.set(worker, this.clock.now());
      this.say(`-> ${this.names.worker(worker)}: recall ${count} of ${this.names.job(job)}`);
    }
  }

  #batch(bytes: Uint8Array): void {
    const batch = decodeBatch(bytes);
    foldBatch(this.#standby, batch, this.#check);
    this.say(`batch ${batch.index} at ${showTime(batch.time)}`);
    for (const entry of decodeEntries(batch.bytes, batch.format)) {
      if (entry.kind === "jobCreated") this.#jobNames.set(entry.job, this.#nameOf(entry.id));
      if (entry.kind === "workerRegistered") {
        this.#workerNames.set(entry.worker, entry.info.id);
        this.hearing.delete(entry.worker);
      }
      this.say(`   ${showEntry(this.names, entry, batch.time)}`);
    }
  }
}

export function newWorker(
  id: string,
  life: number,
  offer: { readonly amounts: Amounts; readonly labels: Labels },
): ScriptWorker {
  const info = {
    id,
    incarnation: String(life),
    version: "0.1.0",
    protocol: 1,
    hostname: id,
    pid: 100 + life,
    node: "20.19.0",
    platform: "linux",
    address: `${id}:7421`,
    ...offer,
    pool: "default",
    namespace: "default",
    by: "local",
  };
  return { id, info, life, reports: 0 };
}

export function ignore(): void {}

function differs(): DigestCheck {
  return createDigestCheck((index, own, recorded) => {
    throw new Error(`replay gives ${own} before batch ${index}, recorded is ${recorded}`);
  });
}

function same(found: string, expected: string, what: string): void {
  if (found !== expected) throw new Error(`${what}: ${found}, expected ${expected || "none"}`);
}
