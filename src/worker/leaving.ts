// Draining, and when a worker may end.
//
// A drain gives back what has not started and lets the rest end. It may come from the leader, which
// can take it back, or from the worker itself (a signal), which nobody takes back.

import type { CancelTimer, Clock } from "../lib/clock.ts";

/** What the decision to end depends on. */
export interface Leftovers {
  /** Attempts that have not ended. */
  readonly held: number;
  /** Ends without a numbered report. */
  readonly pending: boolean;
  /** Reports that no leader has recorded. */
  readonly unrecorded: number;
  /** Among these are some whose stored results may be nowhere else (A1). */
  readonly keepsResults: boolean;
  readonly hasLeader: boolean;
}

export interface LeavingOptions {
  readonly clock: Clock;
  readonly leftovers: () => Leftovers;
  /** Give back, or no longer, what has not started. */
  readonly giveBack: (on: boolean) => void;
  /** Ends what runs. */
  readonly kill: () => void;
  readonly end: (reason: string) => void;
}

export interface DrainWish {
  readonly exit: boolean;
  /** The worker's own, not a leader's. */
  readonly own: boolean;
  /** What runs is killed after this; 0: never. */
  readonly deadlineMs: number;
  readonly reason: string;
}

/** A worker that is to leave waits this long for a leader to record its last reports … */
const leaveMs = 5_000;
/** … and this many times longer for one that is connected. */
const waitsMax = 6;

export class Leaving {
  readonly #o: LeavingOptions;
  #wish: DrainWish | undefined;
  #deadline: CancelTimer | undefined;
  #until = 0;
  #waiting: CancelTimer | undefined;
  #waits = 0;
  #ended = false;

  constructor(options: LeavingOptions) {
    this.#o = options;
  }

  get draining(): boolean {
    return this.#wish !== undefined;
  }

  /** The worker's own wish, with what is left of its time: what a leader must know. */
  get own(): { readonly deadlineMs: number } | undefined {
    if (this.#wish?.own !== true) return undefined;
    const left = Math.ceil(this.#until - this.#o.clock.now());
    return { deadlineMs: this.#deadline ? Math.max(1, left) : 0 };
  }

  begin(wish: DrainWish): void {
    const own = this.#wish?.own === true ? this.#wish : undefined;
    this.#wish = own ? { ...wish, exit: true, own: true, reason: own.reason } : wish;
    this.#deadline?.();
    const { clock, kill } = this.#o;
    this.#until = clock.now() + wish.deadlineMs;
    this.#deadline = wish.deadlineMs > 0 ? clock.after(wish.deadlineMs, kill) : undefined;
    this.#o.giveBack(true);
  }

  /** A leader takes its drain back. */
  off(): void {
    if (this.#wish?.own === true) return;
    this.#wish = undefined;
    this.#deadline?.();
    this.#o.giveBack(false);
  }

  /** To be called whenever something ended or was recorded. */
  check(): void {
    if (!this.#done) return;
    if (this.#o.leftovers().unrecorded === 0) return this.end();
    this.#waiting ??= this.#o.clock.after(leaveMs, () => {
      this.#waiting = undefined;
      if (!this.#done) return;
      if (this.#mayWait) this.check();
      else this.end();
    });
  }

  /** A leader that is there will record them; without one the spool keeps them. */
  get #mayWait(): boolean {
    const { hasLeader, keepsResults } = this.#o.leftovers();
    // A machine that is taken away would take them along, and the work would be done again: they are waited
    // for like what runs, to the drain's own deadline.
    if (keepsResults && this.#isInTime) return true;
    return hasLeader && ++this.#waits < waitsMax;
  }

  get #isInTime(): boolean {
    return this.#deadline === undefined || this.#o.clock.now() < this.#until;
  }

  get #done(): boolean {
    if (this.#wish?.exit !== true || this.#ended) return false;
    const { held, pending } = this.#o.leftovers();
    return held === 0 && !pending;
  }

  /** Ends now, whatever is left. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline?.();
    this.#waiting?.();
    const { unrecorded } = this.#o.leftovers();
    const left = unrecorded === 0 ? "" : `; ${unrecorded} reports stay in the spool`;
    this.#o.end(`${this.#wish?.reason ?? "ended"}${left}`);
  }
}
