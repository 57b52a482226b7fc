// Which standby has which payload, and copies until min(2, live masters) have each (A1). The leader's part: before
// a PUT is answered, and before anything that names a payload is decided.
//
//   C1. What a standby said it has counts until an entry frees the hash: a `have` of a state before that entry is of
//       bytes that are deleted with it.
//   C2. A standby that ceases to live is asked no more and counts no more; the last one's end makes one copy enough.

import type { CancelTimer, Clock } from "../lib/clock.ts";
import { SkeinError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { Standby } from "./peer-ports.ts";
import type { Peers } from "./peers.ts";

export interface PayloadSpreadOptions {
  readonly clock: Clock;
  readonly peers: Pick<Peers, "live" | "fetch">;
  /** Index of the last durable batch. */
  readonly index: () => number;
}

interface Waiting {
  hashes: readonly string[];
  readonly until: number;
  readonly done: (error?: Error) => void;
}

const lookMs = 100;
const askAgainMs = 1_000;

export class PayloadSpread {
  readonly #options: PayloadSpreadOptions;
  /** Incarnation of a standby → what it has. */
  readonly #known = new Map<string, Set<string>>();
  readonly #waiting = new Set<Waiting>();
  /** When a standby was last asked for a hash that somebody waits for. */
  readonly #asked = new Map<string, number>();
  /** What was freed up to here may be on a standby still (C1). */
  #freedIndex: number;
  #cancelLook: CancelTimer | null = null;

  constructor(options: PayloadSpreadOptions) {
    this.#options = options;
    this.#freedIndex = options.index();
  }

  /** Resolves once enough live masters have all of them; rejects with `stalled` when that takes too long. */
  spread(hashes: readonly string[]): Promise<void> {
    const missing = this.#notSpread(hashes);
    if (missing.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const until = this.#options.clock.now() + limits.payloadSpreadMs;
      const done = (error?: Error) => (error ? reject(error) : resolve());
      this.#waiting.add({ hashes: missing, until, done });
      this.#look();
    });
  }

  /** Beside this master's own copies. */
  areSpread(hashes: readonly string[]): boolean {
    return this.#notSpread(hashes).length === 0;
  }

  /** `PeersPorts.onHave`. */
  had({ incarnation }: Standby, hashes: readonly string[], applied: number): void {
    if (applied < this.#freedIndex) {
      for (const hash of hashes) this.#asked.delete(`${incarnation} ${hash}`); // asked anew
      return this.#soon();
    }
    const known = this.#known.get(incarnation) ?? new Set();
    this.#known.set(incarnation, known);
    for (const hash of hashes) known.add(hash);
    this.#soon();
  }

  /** An entry of this batch freed them: every master deletes them (C1). */
  freed(index: number, hashes: readonly string[]): void {
    this.#freedIndex = Math.max(this.#freedIndex, index);
    for (const known of this.#known.values()) for (const hash of hashes) known.delete(hash);
  }

  /** This master comes to lead: what it knew of others may be freed by now. */
  reset(): void {
    this.#known.clear();
    this.#asked.clear();
    this.#freedIndex = this.#options.index();
  }

  stop(): void {
    this.#cancelLook?.();
    for (const { done } of this.#waiting) done(stalled(0));
    this.#waiting.clear();
  }

  /** Those that no live standby has; none when there is none. */
  #notSpread(hashes: readonly string[]): readonly string[] {
    if (hashes.length === 0) return hashes;
    const live = this.#options.peers.live();
    if (live.length === 0) return [];
    return hashes.filter((hash) => !live.some((standby) => this.#has(standby, hash)));
  }

  #has({ incarnation }: Standby, hash: string): boolean {
    return this.#known.get(incarnation)?.has(hash) ?? false;
  }

  /** After all that has just come in was taken. */
  #soon(): void {
    if (this.#waiting.size > 0) this.#lookIn(0);
  }

  #lookIn(ms: number): void {
    this.#cancelLook?.();
    this.#cancelLook = this.#options.clock.after(ms, () => this.#look());
  }

  #look(): void {
    const now = this.#options.clock.now();
    for (const waiting of this.#waiting) {
      waiting.hashes = this.#notSpread(waiting.hashes);
      const { hashes, until, done } = waiting;
      if (hashes.length > 0 && now < until) continue;
      this.#waiting.delete(waiting);
      done(hashes.length > 0 ? stalled(hashes.length) : undefined);
    }
    if (this.#waiting.size === 0) return this.#forget();
    this.#ask(now);
    this.#lookIn(lookMs);
  }

  /** All of them: each will need it, and the first one that has it is enough. */
  #ask(now: number): void {
    const { peers } = this.#options;
    const wanted = new Set([...this.#waiting].flatMap(({ hashes }) => hashes));
    for (const standby of peers.live()) {
      const due = [...wanted].filter((hash) => {
        const asked = this.#asked.get(`${standby.incarnation} ${hash}`) ?? -Infinity;
        return !this.#has(standby, hash) && now - asked >= askAgainMs;
      });
      if (due.length === 0) continue;
      for (const hash of due) this.#asked.set(`${standby.incarnation} ${hash}`, now);
      peers.fetch(standby.id, due, this.#freedIndex);
    }
  }

  /** Nobody waits: what is kept for asking goes, and what is known of masters that have gone. */
  #forget(): void {
    this.#asked.clear();
    const live = new Set(this.#options.peers.live().map(({ incarnation }) => incarnation));
    for (const incarnation of this.#known.keys()) {
      if (!live.has(incarnation)) this.#known.delete(incarnation);
    }
  }
}

function stalled(count: number): SkeinError {
  const what = count === 0 ? "This master stops." : `${count} payloads are on this master only.`;
  return new SkeinError("stalled", `${what} A second master must have them first.`, {
    hint: "Try again; look at the disks of the standby masters.",
    retryAfter: 1,
  });
}
