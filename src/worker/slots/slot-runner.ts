// The loop of a slot: attempts run one after the other, in the order given.
//
//   R1  Every attempt that came in leaves as a row, a value, outputs, or in `dropped` (X1).
//   R2  An attempt that returns at once costs no promise, no timer and no message of its own.
//   R3  The event loop turns at least every 5 ms unless user code holds it, so that drops and cancels are
//       seen between short tasks.

import { endReasons } from "../../protocol/model.ts";
import type { Outbox } from "./slot-outbox.ts";
import { cell, phase, type RowBuffer } from "./rows.ts";
import { errorText } from "./task-errors.ts";
import type { AttemptTrace } from "./slot-trace.ts";
import type { SlotAbort, SlotGive, SlotJob } from "./wire.ts";

const turnMs = 5;

export interface Attempt {
  readonly seq: number;
  readonly task: number;
  readonly attempt: number;
  readonly fence: number;
  readonly input: string;
  /** When the task's own code began, by performance.now(). */
  startedAt: number;
  /** Why it has to end, once it has to. */
  abort: SlotAbort | undefined;
  /** Called when that is told. */
  onAbort: ((abort: SlotAbort) => void) | undefined;
  /** Its span, if its job is traced. */
  trace: AttemptTrace | undefined;
}

/** Runs one attempt and calls one of the runner's `end…` exactly once, now or later. */
export interface Performer {
  perform(attempt: Attempt): void;
}

export class Runner {
  readonly outbox: Outbox;
  readonly #cells: Int32Array;
  readonly #wake: () => void;
  readonly #performerOf: (job: SlotJob, runner: Runner) => Performer;
  #performer: Performer | undefined;
  #queue: Attempt[] = [];
  #head = 0;
  #running: Attempt | undefined;
  #lastSeq = 0;
  #now = 0;
  #turnEndsAt = 0;
  #pumping = false;
  #pumpComes = false;
  #flushComes = false;
  #closed = false;

  constructor(
    outbox: Outbox,
    rows: RowBuffer,
    options: { wake: () => void; performerOf: (job: SlotJob, runner: Runner) => Performer },
  ) {
    this.outbox = outbox;
    this.#cells = rows.cells;
    this.#wake = options.wake;
    this.#performerOf = options.performerOf;
  }

  /** The attempt that prints now: the one that runs, or the last one, whose leftovers may still print. */
  get printing(): number {
    return this.#running?.seq ?? this.#lastSeq;
  }

  get running(): Attempt | undefined {
    return this.#running;
  }

  serve(job: SlotJob): void {
    this.#performer = this.#performerOf(job, this);
  }

  give(message: SlotGive): void {
    const lines = Buffer.from(
      message.inputs.buffer,
      message.inputs.byteOffset,
      message.inputs.length,
    )
      .toString("utf8")
      .split("\n");
    for (let i = 0; i < message.tasks.length; i++) {
      this.#queue.push({
        seq: message.first + i,
        task: message.tasks[i] ?? 0,
        attempt: message.attempts[i] ?? 0,
        fence: message.fences[i] ?? 0,
        input: lines[i] ?? "",
        startedAt: 0,
        abort: undefined,
        onAbort: undefined,
        trace: undefined,
      });
    }
    this.#turn();
  }

  drop(count: number): void {
    const keep = Math.max(this.#head, this.#queue.length - count);
    const dropped = this.#queue.splice(keep);
    this.outbox.send({ kind: "dropped", seqs: dropped.map((attempt) => attempt.seq) });
  }

  abort(message: SlotAbort): void {
    const running = this.#running;
    if (running?.seq === message.seq) {
      if (running.abort) return;
      running.abort = message;
      running.onAbort?.(message);
      return;
    }
    const at = this.#queue.findIndex(
      (attempt, i) => i >= this.#head && attempt.seq === message.seq,
    );
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#sayUnstarted(message, performance.now());
    this.#flushSoon();
  }

  /** True for one that has to end before its own code began, while what it needs was awaited: it has ended now. */
  endsUnstarted(attempt: Attempt): boolean {
    if (!attempt.abort) return false;
    if (this.#running !== attempt) return true;
    const now = performance.now();
    this.#sayUnstarted(attempt.abort, now);
    this.#ended(now, attempt.abort.code);
    return true;
  }

  #sayUnstarted({ seq, code, reason }: SlotAbort, now: number): void {
    const message = `${reason}; it had not started`;
    this.outbox.row(seq, code, 0, errorText({ name: "Cancelled", message }), now);
  }

  /** What the attempt that runs is at: loading, setup, its own code. */
  enter(value: number): void {
    Atomics.store(this.#cells, cell.phase, value);
  }

  /** The task's own code begins now: what came before (loading, setup) is not its run time. */
  begin(attempt: Attempt): void {
    this.enter(phase.run);
    attempt.startedAt = performance.now();
  }

  end(attempt: Attempt, code: number, value: string): void {
    if (this.#running !== attempt) return;
    const now = performance.now();
    this.outbox.row(attempt.seq, code, (now - attempt.startedAt) * 1_000, value, now);
    this.#ended(now, code);
  }

  endWithValue(attempt: Attempt, value: { bytes: Uint8Array } | { file: string }): void {
    if (this.#running !== attempt) return;
    const now = performance.now();
    const micros = (now - attempt.startedAt) * 1_000;
    this.outbox.send({ kind: "value", seq: attempt.seq, micros, value });
    this.#ended(now, endReasons.succeeded.code);
  }

  endWithOutputs(
    attempt: Attempt,
    outputs: { stdout: string; folder: string; files: { name: string; file: string }[] },
  ): void {
    if (this.#running !== attempt) return;
    const now = performance.now();
    const micros = (now - attempt.startedAt) * 1_000;
    this.outbox.send({ kind: "outputs", seq: attempt.seq, micros, ...outputs });
    this.#ended(now, endReasons.succeeded.code);
  }

  /** Nothing is started any more; what waits is dropped by the worker when this process is gone. */
  close(): void {
    this.#closed = true;
  }

  #ended(now: number, code: number): void {
    this.#running?.trace?.end(code);
    this.#lastSeq = this.#running?.seq ?? 0;
    this.#running = undefined;
    this.#now = now;
    if (this.#pumping) return;
    // It ended later, from a promise: many such in a row must not keep the loop from turning.
    if (now < this.#turnEndsAt) this.#pump();
    else this.#pumpSoon();
  }

  #turn(): void {
    this.#now = performance.now();
    this.#turnEndsAt = this.#now + turnMs;
    if (!this.#pumpComes) this.#pump();
  }

  #pump(): void {
    if (this.#pumping || this.#running || this.#closed) return;
    this.#pumping = true;
    while (this.#running === undefined) {
      const attempt = this.#queue[this.#head];
      if (!attempt) break;
      if (this.#now >= this.#turnEndsAt) {
        this.#pumpSoon();
        break;
      }
      this.#head++;
      this.#start(attempt);
    }
    this.#pumping = false;
    if (this.#head > 1_024 || this.#head === this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#rest();
  }

  #start(attempt: Attempt): void {
    this.#running = attempt;
    attempt.startedAt = this.#now;
    Atomics.store(this.#cells, cell.seq, attempt.seq);
    if (Atomics.load(this.#cells, cell.awake) === 0) {
      Atomics.store(this.#cells, cell.awake, 1);
      this.#wake();
    }
    this.#performer?.perform(attempt);
  }

  /** After a pump: rows do not wait for an attempt that takes its time. */
  #rest(): void {
    if (this.#running) this.#flushSoon();
    else if (this.#queue.length === 0) {
      Atomics.store(this.#cells, cell.seq, 0);
      this.outbox.flush();
    }
  }

  #pumpSoon(): void {
    if (this.#pumpComes) return;
    this.#pumpComes = true;
    setImmediate(() => {
      this.#pumpComes = false;
      this.#turn();
    });
  }

  #flushSoon(): void {
    if (this.#flushComes || !this.outbox.waiting) return;
    this.#flushComes = true;
    setImmediate(() => {
      this.#flushComes = false;
      this.outbox.flush();
    });
  }
}
