// Reads at any master (L5): what an answer rests on stands in its headers, and whoever asks may ask for more.
//
//     Skein-Term, Skein-Index   the term and the batch that this master has applied
//     Skein-Age-Ms              how old its news may be, in ms; of a leader: since its last good append
//     ?atLeast=INDEX            answer when that batch is applied here: reads after own writes, at any master
//     ?strong=true              only the leader answers, after the journal has said that it still leads
//
//   R1. Nothing here rests on the lease. A question to the journal that was asked before a read came proves
//       nothing for it: the read waits for the next one, which all that wait share.

import type { Clock } from "../../lib/clock.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { ReadQuery } from "../../protocol/routes.ts";
import type { Master } from "../context.ts";
import { notLeading } from "../not-leading.ts";

interface Waiting {
  readonly index: number;
  readonly until: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const lookMs = 5;

export class Reads {
  readonly #master: Master;
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #looking = false;
  /** The question that is on its way, and the one that is asked after it. */
  #asking: Promise<number> | undefined;
  #next: Promise<number> | undefined;

  constructor(master: Master, clock: Clock) {
    this.#master = master;
    this.#clock = clock;
  }

  headers(): Record<string, string> {
    const { loop, leadership } = this.#master;
    const age = leadership.newsAgeMs();
    return {
      "skein-term": String(loop.peek((state) => state.term)),
      "skein-index": String(loop.durableIndex),
      "skein-age-ms": String(age),
    };
  }

  /** Until the answer may be what was asked for. @throws SkeinError `stalled`, `not_leading` */
  async ready({ atLeast = 0, strong = false }: ReadQuery): Promise<void> {
    if (strong) await this.#leads();
    if (atLeast > this.#master.loop.durableIndex) await this.#applied(atLeast);
  }

  #applied(index: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const until = this.#clock.now() + limits.atLeastMs;
      this.#waiting.push({ index, until, resolve, reject });
      this.#look();
    });
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#clock.after(lookMs, () => {
      this.#looking = false;
      const { durableIndex, halted } = this.#master.loop;
      const now = this.#clock.now();
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const one of waiting) {
        if (one.index <= durableIndex) one.resolve();
        else if (halted || now >= one.until) one.reject(tooFar(one.index, durableIndex));
        else this.#waiting.push(one);
      }
      if (this.#waiting.length > 0) this.#look();
    });
  }

  /** The journal's last batch is of this master's term: so nobody had been elected after it when it was asked. */
  async #leads(): Promise<void> {
    const { loop } = this.#master;
    if (!loop.leads) throw notLeading(this.#master);
    const term = await this.#headTerm();
    if (!loop.leads || term !== loop.peek((state) => state.term)) throw notLeading(this.#master);
  }

  #headTerm(): Promise<number> {
    if (this.#asking === undefined) return this.#ask();
    this.#next ??= this.#asking.then(
      () => this.#askNext(),
      () => this.#askNext(),
    );
    return this.#next;
  }

  #askNext(): Promise<number> {
    this.#next = undefined;
    return this.#ask();
  }

  #ask(): Promise<number> {
    const asking = this.#master.journal.head().then(
      ({ term }) => term,
      (cause: unknown) => {
        throw new SkeinError("stalled", "The journal does not say who leads.", { cause });
      },
    );
    this.#asking = asking;
    const done = () => {
      if (this.#asking === asking) this.#asking = undefined;
    };
    asking.then(done, done);
    return asking;
  }
}

function tooFar(index: number, applied: number): SkeinError {
  const seconds = limits.atLeastMs / 1_000;
  const message = `Batch ${index} is not applied here after ${seconds} s: this master stands at ${applied}.`;
  return new SkeinError("stalled", message, { hint: "Ask another master; it may have it." });
}
