// Masters that have been away so long that nothing waits for them any more: neither trims nor feature levels. One
// that returns joins anew.

import type { CancelTimer, Clock } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";
import type { Loop } from "./loop.ts";
import type { Standby } from "./peers.ts";

export interface AbsencesOptions {
  readonly clock: Clock;
  readonly loop: Loop;
  readonly own: string;
  readonly live: () => readonly Standby[];
}

const lookMs = 10_000;

export class Absences {
  readonly #options: AbsencesOptions;
  /** Since when the leader has missed whom. */
  readonly #since = new Map<string, number>();
  #cancel: CancelTimer;

  constructor(options: AbsencesOptions) {
    this.#options = options;
    this.#cancel = options.clock.after(lookMs, () => this.#look());
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const { clock, loop, own, live } = this.#options;
    this.#cancel = clock.after(lookMs, () => this.#look());
    if (!loop.leads) return this.#since.clear();
    const here = new Set(live().map(({ id }) => id));
    const known = loop.peek((state) => [...state.masters.keys()]);
    const away = known.filter((id) => id !== own && !here.has(id));
    for (const id of this.#since.keys()) if (!away.includes(id)) this.#since.delete(id);
    const now = clock.now();
    for (const id of away) {
      const since = this.#since.get(id) ?? now;
      this.#since.set(id, since);
      if (now - since < limits.masterForgottenMs) continue;
      loop.request({ kind: "forgetMaster", id }, 64, () => {});
    }
  }
}
