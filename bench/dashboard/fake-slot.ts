/**
 * A slot that runs nothing: its attempts end as a seed says. Quick jobs end at once and in batches, as no-ops would;
 * those whose label `pace` names milliseconds take about as long, so that a cluster is busy without using the machine.
 */
import type { Executor, SlotAttempt, SlotHandlers } from "../../src/worker/executor.ts";
import type { ReusableSlot } from "../../src/worker/lane.ts";
import type { JobDescriptor } from "../../src/protocol/messages.ts";
import { endReasons } from "../../src/protocol/model.ts";
import type { OutcomeItem } from "../../src/protocol/outcome-block.ts";

/** Of a thousand attempts so many fail and are tried again, and so many fail for good. */
const retriedPerMille = 30;
const finalPerMille = 4;
const quickMicros = 900;
const nothing = new Uint8Array(0);
const messages = ["cannot read frame 17", "connection refused", "out of range: 4096", "bad header"];

export function fakeExecutor(seed: number): Executor {
  return { start: (job, id, handlers) => new FakeSlot({ seed, job, id, handlers }) };
}

interface Parts {
  readonly seed: number;
  readonly job: JobDescriptor;
  readonly id: number;
  readonly handlers: SlotHandlers;
}

class FakeSlot implements ReusableSlot {
  readonly id: number;
  readonly pid = undefined;
  readonly #seed: number;
  readonly #handlers: SlotHandlers;
  #job: JobDescriptor;
  #queue: SlotAttempt[] = [];
  #running: { readonly attempt: SlotAttempt; readonly began: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor({ seed, job, id, handlers }: Parts) {
    this.id = id;
    this.#seed = seed;
    this.#job = job;
    this.#handlers = handlers;
    setImmediate(() => handlers.onReady());
  }

  serve(job: JobDescriptor): void {
    this.#job = job;
  }

  give(attempts: readonly SlotAttempt[]): void {
    this.#queue.push(...attempts.map((attempt) => ({ ...attempt, input: nothing })));
    this.#turnSoon();
  }

  drop(count: number): void {
    setImmediate(() => {
      if (this.#over) return;
      this.#handlers.onDropped(this.#queue.splice(Math.max(0, this.#queue.length - count)));
    });
  }

  cancel(task: number, attempt: number, code: number): void {
    setImmediate(() => {
      const is = (one: SlotAttempt | undefined) => one?.task === task && one.attempt === attempt;
      const at = this.#queue.findIndex(is);
      const found = is(this.#running?.attempt) ? this.#running?.attempt : this.#queue[at];
      if (!found || this.#over) return;
      if (at >= 0) this.#queue.splice(at, 1);
      else this.#halt();
      this.#handlers.onOutcomes([endOf(found, code, 0, nothing)]);
      this.#turnSoon();
    });
  }

  stop(force: boolean): void {
    setImmediate(() => {
      if (this.#over || (!force && (this.#running || this.#queue.length > 0))) return;
      this.#over = true;
      this.#halt();
      if (this.#queue.length > 0) this.#handlers.onDropped(this.#queue.splice(0));
      this.#handlers.onExit("stopped");
    });
  }

  #halt(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running = undefined;
  }

  #turnSoon(): void {
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    if (this.#over || this.#running || this.#queue.length === 0) return;
    const pace = Number(this.#job.labels["pace"] ?? 0);
    if (pace === 0) {
      const items = this.#queue.splice(0).map((attempt) => this.#end(attempt, quickMicros));
      return this.#handlers.onOutcomes(items);
    }
    const [attempt] = this.#queue.splice(0, 1);
    if (!attempt) return;
    this.#running = { attempt, began: performance.now() };
    this.#handlers.onStarted(attempt.task, attempt.attempt);
    const ms = pace * (0.5 + this.#chance(attempt, 1));
    this.#timer = setTimeout(() => this.#ended(), ms);
  }

  #ended(): void {
    if (!this.#running) return;
    const { attempt, began } = this.#running;
    this.#halt();
    this.#handlers.onOutcomes([this.#end(attempt, (performance.now() - began) * 1_000)]);
    this.#turn();
  }

  #end(attempt: SlotAttempt, micros: number): OutcomeItem {
    const perMille = this.#chance(attempt, 2) * 1_000;
    if (perMille >= retriedPerMille + finalPerMille) {
      return endOf(attempt, endReasons.succeeded.code, micros, utf8(String(attempt.task)));
    }
    const { error, finalError } = endReasons;
    const { code } = perMille < finalPerMille ? finalError : error;
    const message = messages[attempt.task % messages.length] ?? "failed";
    const said = {
      name: "Error",
      message,
      stack: `Error: ${message}\n    at render (film.ts:41:9)`,
    };
    return endOf(attempt, code, micros, utf8(JSON.stringify(said)));
  }

  /** From 0 to 1, the same each time for this attempt and purpose. */
  #chance({ task, attempt }: SlotAttempt, purpose: number): number {
    let mixed = this.#seed ^ Math.imul(this.#job.number, 0x9e3779b1) ^ Math.imul(task, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (attempt << 4) ^ purpose ^ (mixed >>> 15), 0x2c1b3c6d);
    mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  }
}

function endOf(
  { task, attempt }: SlotAttempt,
  code: number,
  micros: number,
  value: Uint8Array,
): OutcomeItem {
  return { task, attempt, code, micros, logBytes: 0, value };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
