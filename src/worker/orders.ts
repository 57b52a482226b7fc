// Orders that wait, in the order sent (W8). Kept as the ranges they came in: a task becomes an
// object only when a slot gets it.

import type { AttemptRange, StartRange } from "../protocol/messages.ts";
import { splitLines } from "../protocol/lines.ts";
import { type Assigned, assigned } from "./assigned.ts";
import type { SlotAttempt } from "./executor.ts";
import type { Job } from "./jobs.ts";
import type { RangeList } from "./ranges.ts";

/**
 * Tasks `base + next` … `base + end - 1` of a job; line i of `inputs` is offsets[i] … offsets[i +
 * 1] - 1.
 */
interface Order {
  readonly job: Job;
  readonly attempt: number;
  readonly fence: number;
  readonly base: number;
  readonly inputs: Uint8Array;
  readonly offsets: Uint32Array;
  next: number;
  end: number;
}

export class OrderQueue {
  /** Ends and holes are cut lazily: an order may be empty (next === end) until it is skipped. */
  #orders: Order[] = [];
  #head = 0;
  #size = 0;

  /** Attempts that wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Queues those tasks of a range that `isNew` takes. Throws RangeError when the lines do not fit
   * it.
   */
  push(job: Job, range: StartRange, isNew: (task: number) => boolean): number {
    const offsets = splitLines(range.inputs, range.count);
    let added = 0;
    let from = 0;
    for (let i = 0; i <= range.count; i++) {
      if (i < range.count && isNew(range.first + i)) continue;
      if (i > from) {
        const { attempt, fence, inputs, first: base } = range;
        this.#orders.push({ job, attempt, fence, inputs, offsets, base, next: from, end: i });
        added += i - from;
      }
      from = i + 1;
    }
    this.#count(job, added);
    return added;
  }

  /** Attempts that came back from a slot go first again, in the order given. */
  pushFront(job: Job, attempts: readonly SlotAttempt[]): void {
    for (const { task, attempt, fence, input } of attempts.toReversed()) {
      const offsets = Uint32Array.of(0, input.length + 1);
      const order = { job, attempt, fence, inputs: input, offsets, base: task, next: 0, end: 1 };
      if (this.#head > 0) this.#orders[--this.#head] = order;
      else this.#orders.unshift(order);
    }
    this.#count(job, attempts.length);
  }

  /** The job that is next. */
  get nextJob(): Job | undefined {
    return this.#first()?.job;
  }

  /** The input line that is next. */
  get nextInput(): Uint8Array | undefined {
    const order = this.#first();
    return order && lineOf(order, order.next);
  }

  /**
   * Takes up to `count` attempts of the job that is next, but none with an input that `stop` names.
   */
  take(count: number, stop: (input: Uint8Array) => boolean): Assigned[] {
    const taken: Assigned[] = [];
    const job = this.nextJob;
    if (!job) return taken;
    for (let order = this.#first(); order?.job === job; order = this.#first()) {
      while (order.next < order.end && taken.length < count) {
        const input = lineOf(order, order.next);
        if (taken.length > 0 && stop(input)) break;
        taken.push(assigned(order.base + order.next++, order.attempt, order.fence, input));
      }
      if (order.next < order.end) break;
    }
    this.#count(job, -taken.length);
    return taken;
  }

  /** Takes back up to `count` attempts of a job, the last sent first (W8). Returns how many. */
  takeBack(job: Job, count: number, into: RangeList): number {
    let left = Math.min(count, job.queued);
    const total = left;
    for (let i = this.#orders.length - 1; i >= this.#head && left > 0; i--) {
      const order = this.#orders[i];
      if (order?.job !== job) continue;
      const cut = Math.min(left, order.end - order.next);
      order.end -= cut;
      left -= cut;
      into.addRange(rangeOf(order, order.end, order.end + cut));
    }
    this.#count(job, -total);
    return total;
  }

  /** Takes everything, as ranges. */
  takeAll(into: RangeList): void {
    this.ranges(into);
    for (let i = this.#head; i < this.#orders.length; i++) {
      const order = this.#orders[i];
      if (order) this.#count(order.job, order.next - order.end);
    }
    this.#orders = [];
    this.#head = 0;
  }

  /** Takes the named attempts out of the middle; `out` gets each task that was here. */
  remove(job: Job, range: AttemptRange, out: (task: number) => void): void {
    if (job.queued === 0) return;
    for (let i = this.#head; i < this.#orders.length; i++) {
      const order = this.#orders[i];
      if (order?.job !== job || order.attempt !== range.attempt) continue;
      const from = Math.max(order.next, range.first - order.base);
      const to = Math.min(order.end, range.first + range.count - order.base);
      if (from >= to) continue;
      for (let line = from; line < to; line++) out(order.base + line);
      this.#count(job, from - to);
      if (to < order.end && from > order.next) {
        this.#orders.splice(i + 1, 0, { ...order, next: to });
        order.end = from;
      } else if (from > order.next) order.end = from;
      else order.next = to;
    }
  }

  /** Everything that waits. */
  ranges(into: RangeList): void {
    for (let i = this.#head; i < this.#orders.length; i++) {
      const order = this.#orders[i];
      if (order) into.addRange(rangeOf(order, order.next, order.end));
    }
  }

  #count(job: Job, by: number): void {
    job.queued += by;
    this.#size += by;
  }

  #first(): Order | undefined {
    for (;;) {
      const order = this.#orders[this.#head];
      if (!order) {
        this.#orders = [];
        this.#head = 0;
        return undefined;
      }
      if (order.next < order.end) return order;
      this.#head++;
      if (this.#head < 1024 || this.#head * 2 < this.#orders.length) continue;
      this.#orders = this.#orders.slice(this.#head);
      this.#head = 0;
    }
  }
}

function lineOf(order: Order, line: number): Uint8Array {
  return order.inputs.subarray(order.offsets[line], (order.offsets[line + 1] ?? 1) - 1);
}

function rangeOf(order: Order, from: number, to: number): AttemptRange {
  return {
    job: order.job.number,
    first: order.base + from,
    count: to - from,
    attempt: order.attempt,
  };
}
