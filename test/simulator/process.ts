// A simulated operating-system process: a clock of its own, and everything that reaches it goes through
// `enter`, so that it can be stopped (SIGSTOP), continued and killed at any moment.

import type { CancelTimer, Clock } from "../../src/lib/clock.ts";
import type { Timeline } from "./timeline.ts";

interface Held {
  readonly kind: "timer" | "io";
  readonly label: string;
  readonly fire: () => void;
  cancelled: boolean;
}

export interface ClockTraits {
  /** What its monotonic clock says at the beginning of all time. */
  readonly startedAt: number;
  /** How much faster than true time it goes; 1: as fast. */
  readonly rate?: number;
}

export class Process {
  readonly name: string;
  readonly clock: Clock;
  /** Added to the wall clock by those who set it. */
  wallOffset = 0;
  #alive = true;
  #stopped = false;
  #stops = 0;
  #held: Held[] = [];
  readonly #timeline: Timeline;
  readonly #rate: number;

  constructor(name: string, timeline: Timeline, { startedAt, rate = 1 }: ClockTraits) {
    this.name = name;
    this.#timeline = timeline;
    this.#rate = rate;
    this.clock = {
      now: () => startedAt + timeline.now * rate,
      wall: () => 1_700_000_000_000 + timeline.now + this.wallOffset,
      after: (delayMs, fire) => this.#timer(delayMs, fire),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Something comes in from outside, after `delayMs`. */
  later(delayMs: number, label: string, fire: () => void): void {
    this.#timeline.after(delayMs, `${this.name} ${label}`, () => this.enter(label, fire));
  }

  /** Something comes in from outside now; while the process is stopped it waits. */
  enter(label: string, fire: () => void): void {
    if (!this.#alive) return;
    if (this.#stopped) this.#held.push({ kind: "io", label, fire, cancelled: false });
    else fire();
  }

  #timer(delayMs: number, fire: () => void): CancelTimer {
    let held: Held | undefined;
    const cancel = this.#timeline.after(delayMs / this.#rate, `${this.name} timer`, () => {
      if (!this.#alive) return;
      if (!this.#stopped) return fire();
      held = { kind: "timer", label: "timer", fire, cancelled: false };
      this.#held.push(held);
    });
    return () => {
      cancel();
      if (held) held.cancelled = true;
    };
  }

  /** SIGSTOP, and SIGCONT after `ms`: due timers come first then, before anything from outside. */
  stall(ms: number): void {
    if (!this.#alive || this.#stopped) return;
    this.#stopped = true;
    const stop = ++this.#stops;
    this.#timeline.trace(`${this.name} is stopped for ${ms} ms`);
    this.#timeline.after(ms, `${this.name} goes on`, () => {
      if (stop === this.#stops) this.wake();
    });
  }

  /** SIGCONT. */
  wake(): void {
    if (!this.#alive || !this.#stopped) return;
    this.#timeline.trace(`${this.name} goes on`);
    this.#stopped = false;
    const held = this.#held;
    this.#held = [];
    for (const kind of ["timer", "io"] as const) {
      for (const one of held) {
        if (one.kind === kind && !one.cancelled && this.#alive) one.fire();
      }
    }
  }

  kill(): void {
    this.#alive = false;
    this.#held = [];
  }
}
