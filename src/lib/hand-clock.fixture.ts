// A clock that only tests move.

import type { CancelTimer, Clock } from "./clock.ts";

export class HandClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly fire: () => void }[] = [];
  readonly #wallStart: number;

  constructor(wallStart = 0) {
    this.#wallStart = wallStart;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wallStart + this.#now;
  }

  after(delayMs: number, fire: () => void): CancelTimer {
    const timer = { at: this.#now + delayMs, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** Fires what is due on the way, in order; of what is due at once, in the order it was asked for. */
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#now = Math.max(this.#now, due.at);
      due.fire();
    }
    this.#now = until;
  }

  /** The process stood still: what was due fires late. */
  stall(ms: number): void {
    this.#now += ms;
  }
}
