// What was asked back of workers, and what came back unasked. Hints of this leader: none outlives its term.
//
//   R1. A worker with an unanswered recall gets no second one, until that is old.
//   R2. Who gives work back unasked cannot take it now: it leaves and the news of that is late, its spool is full, its
//       slots fail. Sent at once, the same work would come back at once, each time as two batches. So it rests.

import type { Clock } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";

/** An unanswered recall is forgotten after this. */
const recallMs = 500;
/** What comes back within this after a recall was asked for: slots drop it bit by bit. */
const askedMs = 5_000;

export class Recalls {
  readonly #clock: Clock;
  readonly #open = new Map<number, number>();
  readonly #askedAt = new Map<number, number>();
  readonly #restsSince = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Workers with an unanswered recall (R1). */
  recalling(): ReadonlySet<number> {
    const now = this.#clock.now();
    for (const [worker, since] of this.#open) {
      if (now - since > recallMs) this.#open.delete(worker);
    }
    return new Set(this.#open.keys());
  }

  /** Workers that are given nothing now (R2). */
  resting(): ReadonlySet<number> {
    this.restIsOver();
    return new Set(this.#restsSince.keys());
  }

  /** Whether a worker may be given work again that rested when this was last asked. */
  restIsOver(): boolean {
    const { size } = this.#restsSince;
    const now = this.#clock.now();
    for (const [worker, since] of this.#restsSince) {
      if (now - since >= limits.returnedRestMs) this.#restsSince.delete(worker);
    }
    return this.#restsSince.size < size;
  }

  asked(worker: number): void {
    this.#open.set(worker, this.#clock.now());
    this.#askedAt.set(worker, this.#clock.now());
  }

  returned(worker: number): void {
    this.#open.delete(worker);
    const now = this.#clock.now();
    if (now - (this.#askedAt.get(worker) ?? -Infinity) <= askedMs) return;
    this.#restsSince.set(worker, now);
  }

  /** It registers: what it did before says nothing of what it can do now. */
  forget(worker: number): void {
    this.#open.delete(worker);
    this.#restsSince.delete(worker);
  }

  clear(): void {
    this.#open.clear();
    this.#askedAt.clear();
    this.#restsSince.clear();
  }
}
