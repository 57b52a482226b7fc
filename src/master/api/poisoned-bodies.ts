// Bodies at which the master stumbled: the same one is refused at the edge for a minute (L1), so that a client
// that tries again does not make it stumble again.

import { hash } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { SkeinError } from "../../protocol/errors.ts";

const poisonedMs = 60_000;
const bodiesMax = 1_024;

export class PoisonedBodies {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  check(body: Uint8Array): void {
    if (this.#until.size === 0) return;
    const until = this.#until.get(hash("sha256", body)) ?? 0;
    if (until <= this.#clock.now()) return;
    throw new SkeinError("request_poisonous", "The master stumbled at this very request before.");
  }

  /** Remembers the body if this is how the loop says that it stumbled. */
  note(body: Uint8Array, error: unknown): void {
    if (!(error instanceof SkeinError) || error.code !== "internal") return;
    const now = this.#clock.now();
    for (const [known, until] of this.#until) if (until <= now) this.#until.delete(known);
    if (this.#until.size < bodiesMax) this.#until.set(hash("sha256", body), now + poisonedMs);
  }
}
