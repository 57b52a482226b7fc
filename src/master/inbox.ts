// Requests that wait for a turn of the loop, in the order they came.

import type { Request } from "../core/machine.ts";
import type { Refusal } from "../core/refusal.ts";
import type { Clock } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";
import { nobodyLeads, notLeading } from "./loop-refusals.ts";

export interface Waiting {
  readonly request: Request;
  /** What it weighs in a batch, estimated. */
  readonly bytes: number;
  /** When it came, by this process's clock. */
  readonly since: number;
  readonly done: (answer: object) => void;
}

/** What this leadership's own parts ask for: it means nothing in another term, and nobody holds it (L9). */
const kindsOfTerm: ReadonlySet<Request["kind"]> = new Set([
  "register",
  "report",
  "workerNews",
  "loseWorker",
  "settleHeld",
  "freePayloads",
  "joinMaster",
  "forgetMaster",
  "noteSnapshot",
  "trim",
]);

function isOfTerm({ kind }: Request): boolean {
  return kindsOfTerm.has(kind);
}

/** A batch that was too large is halved at most so often. */
const shrinkMax = 16;

export class Inbox {
  #waiting: Waiting[] = [];
  #bytes = 0;
  /** After a batch that was too large the next ones are smaller by so many halvings. */
  #shrink = 0;
  #expelling = false;
  readonly #clock: Clock;
  readonly #holds: () => boolean;
  readonly #leader: () => string | undefined;

  /** `holds`: nothing is decided now, because nobody leads. `leader`: who is known to, by now. */
  constructor(clock: Clock, holds: () => boolean, leader: () => string | undefined) {
    this.#clock = clock;
    this.#holds = holds;
    this.#leader = leader;
  }

  get length(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Why a request cannot wait here until somebody leads (L9); undefined when it can. */
  whyNotHeld(request: Request, bytes: number, leader: string | undefined): Refusal | undefined {
    if (leader !== undefined || isOfTerm(request)) return notLeading(leader);
    return this.#bytes + bytes <= limits.heldBytesMax ? undefined : nobodyLeads();
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
  }

  /** For one turn: at least one if there is one, at most a batch full. */
  take(): Waiting[] {
    const bytesMax = this.share(limits.batchBytesMax);
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && bytes + waiting.bytes > bytesMax) break;
      bytes += waiting.bytes;
      count++;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  /** In front of all others again. */
  putBack(waiting: readonly Waiting[]): void {
    this.#waiting = [...waiting, ...this.#waiting];
    for (const one of waiting) this.#bytes += one.bytes;
  }

  /**
   * As long as nothing is decided here, what has waited for `heldMs` is answered that nobody leads (L9); and all of it
   * who does, when that is known again.
   */
  expelOld(): void {
    if (this.#expelling || this.length === 0) return;
    this.#expelling = true;
    this.#clock.after(limits.heldMs / 50, () => {
      this.#expelling = false;
      if (!this.#holds()) return;
      const leader = this.#leader();
      if (leader !== undefined) {
        for (const { done } of this.drain()) done(notLeading(leader));
        return;
      }
      const before = this.#clock.now() - limits.heldMs;
      const old = this.#waiting.filter(({ since }) => since < before);
      this.#waiting = this.#waiting.filter(({ since }) => since >= before);
      for (const { bytes } of old) this.#bytes -= bytes;
      for (const { done } of old) done(nobodyLeads());
      this.expelOld();
    });
  }

  /** Takes out what belongs to the term that ends. */
  dropOfTerm(): Waiting[] {
    const all = this.drain();
    this.putBack(all.filter(({ request }) => !isOfTerm(request)));
    return all.filter(({ request }) => isOfTerm(request));
  }

  drain(): Waiting[] {
    this.#bytes = 0;
    return this.#waiting.splice(0);
  }

  /** How much of a full turn's share a turn may take now. */
  share(whole: number): number {
    return Math.ceil(whole / 2 ** this.#shrink);
  }

  tooLarge(): void {
    this.#shrink = Math.min(shrinkMax, this.#shrink + 1);
  }

  fitted(): void {
    if (this.#shrink > 0) this.#shrink--;
  }
}
