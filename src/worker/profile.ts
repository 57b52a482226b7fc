// How many attempts a slot is given at once: enough to be busy for about 10 ms by measured run
// time.
//
// Long or unmeasured runs get one, so that nothing waits behind a long run while another slot is
// free. Short ones get many, since each hand-over between processes costs 50 µs.

import { limits } from "../protocol/limits.ts";
import type { OutcomeItem } from "../protocol/outcome-block.ts";

const busyMicros = 10_000;
/** What a run costs the slot beside the user's code: parsing, and writing its outcome. */
const overheadMicros = 4;
/** One block in work and one ahead. */
const depthMax = 2 * limits.blockTasksMax;

export class Profile {
  #meanMicros: number | undefined;
  /** Doubles with every batch of outcomes: the first few runs may not be typical. */
  #ceiling = 1;

  /** Attempts that a slot may have, the running one included. */
  get depth(): number {
    if (this.#meanMicros === undefined) return 1;
    const fitting = Math.floor(busyMicros / (this.#meanMicros + overheadMicros));
    return Math.max(1, Math.min(this.#ceiling, fitting));
  }

  measured(items: readonly OutcomeItem[]): void {
    if (items.length === 0) return;
    let sum = 0;
    for (const item of items) sum += item.micros;
    const mean = sum / items.length;
    this.#meanMicros =
      this.#meanMicros === undefined ? mean : this.#meanMicros + (mean - this.#meanMicros) * 0.3;
    this.#ceiling = Math.min(depthMax, this.#ceiling * 2);
  }

  /** A run has taken this long already and goes on. */
  slow(micros: number): void {
    this.#meanMicros = Math.max(this.#meanMicros ?? 0, micros);
    this.#ceiling = 1;
  }
}
