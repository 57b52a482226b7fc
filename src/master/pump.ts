// When the loop takes its next turn: soon, at a time, or after a rest.

import type { CancelTimer, Clock } from "../lib/clock.ts";

/** A journal that is full is looked at this often. */
const restMsMax = 2_000;
/** At least once a minute: retirement and retention have no timers of their own. */
const sleepMsMax = 60_000;

export class Pump {
  readonly #clock: Clock;
  readonly #defer: (fire: () => void) => void;
  readonly #turn: () => void;
  #primed = false;
  #stopped = false;
  #resting = false;
  /** Rests in a row: what is tried again is tried ever more slowly. */
  #rests = 0;
  #cancelSleep: CancelTimer = () => {};

  constructor(clock: Clock, defer: (fire: () => void) => void, turn: () => void) {
    this.#clock = clock;
    this.#defer = defer;
    this.#turn = turn;
  }

  /** A turn after what waits now; one at a time. */
  soon(): void {
    if (this.#primed || this.#stopped) return;
    this.#primed = true;
    this.#defer(() => {
      this.#primed = false;
      if (!this.#resting && !this.#stopped) this.#turn();
    });
  }

  /** A turn after `ms`, unless one comes before. */
  sleep(ms: number): void {
    this.wake();
    const delay = Math.min(Math.max(1, ms), sleepMsMax);
    this.#cancelSleep = this.#clock.after(delay, () => this.soon());
  }

  /** Nothing is waited for any more. */
  wake(): void {
    this.#cancelSleep();
  }

  /** No turn for a while. */
  rest(): void {
    this.#resting = true;
    const restMs = Math.min(restMsMax, 10 * 2 ** this.#rests++);
    this.#clock.after(restMs, () => {
      this.#resting = false;
      this.soon();
    });
  }

  /** The last one went well. */
  rested(): void {
    this.#rests = 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSleep();
  }
}
