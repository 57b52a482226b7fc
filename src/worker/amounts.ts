// What this worker has and what is in use, in thousandths.
//
// `used` is held by slots with attempts; it never exceeds the capacity. `warm` is what idle slots
// would need: it reserves nothing, but idle slots are stopped before used + warm grows past the
// capacity, since an idle process keeps its memory.

import type { Amounts } from "../protocol/model.ts";

export type NeedList = readonly (readonly [name: string, amount: number])[];

export function needList(amounts: Amounts): NeedList {
  return Object.entries(amounts).filter(([, amount]) => amount > 0);
}

export class Room {
  readonly #capacity: ReadonlyMap<string, number>;
  readonly #used = new Map<string, number>();
  readonly #warm = new Map<string, number>();

  constructor(capacity: Amounts) {
    this.#capacity = new Map(Object.entries(capacity));
  }

  /** Why these needs can never be met here; undefined when they can. */
  lacks(needs: NeedList): string | undefined {
    for (const [name, amount] of needs) {
      const capacity = this.#capacity.get(name);
      if (capacity === undefined) return `this worker has no ${name}`;
      if (amount > capacity) return `this worker has ${capacity} of ${name}, ${amount} are needed`;
    }
    return undefined;
  }

  /** How many fit at once when nothing else runs, at most `max`. */
  copies(needs: NeedList, max: number): number {
    let copies = max;
    for (const [name, amount] of needs) {
      copies = Math.min(copies, Math.floor((this.#capacity.get(name) ?? 0) / amount));
    }
    return Math.max(1, copies);
  }

  fits(needs: NeedList): boolean {
    return needs.every(
      ([name, amount]) => (this.#used.get(name) ?? 0) + amount <= (this.#capacity.get(name) ?? 0),
    );
  }

  /** Whether they fit without stopping an idle slot. */
  fitsBesideWarm(needs: NeedList): boolean {
    return needs.every(
      ([name, amount]) =>
        (this.#used.get(name) ?? 0) + (this.#warm.get(name) ?? 0) + amount <=
        (this.#capacity.get(name) ?? 0),
    );
  }

  take(needs: NeedList): void {
    if (!this.fits(needs)) throw new Error("amounts were taken that are not free");
    add(this.#used, needs, 1);
  }

  release(needs: NeedList): void {
    add(this.#used, needs, -1);
  }

  warm(needs: NeedList): void {
    add(this.#warm, needs, 1);
  }

  cool(needs: NeedList): void {
    add(this.#warm, needs, -1);
  }

  get used(): ReadonlyMap<string, number> {
    return this.#used;
  }

  get capacity(): ReadonlyMap<string, number> {
    return this.#capacity;
  }
}

function add(counters: Map<string, number>, needs: NeedList, sign: 1 | -1): void {
  for (const [name, amount] of needs) {
    const sum = (counters.get(name) ?? 0) + sign * amount;
    if (sum < 0) throw new Error(`more ${name} was released than taken`);
    counters.set(name, sum);
  }
}
