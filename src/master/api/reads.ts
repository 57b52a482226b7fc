// Reads at any master (L5): what an answer rests on stands in its headers, and whoever asks may ask for more.
//
//     Skein-Term, Skein-Index   the term and the batch that this master has applied
//     Skein-Age-Ms              how old its news may be, in ms; of a leader: since its last good append
//     ?atLeast=INDEX            answer when that batch is applied here: reads after own writes, at any master
//     ?strong=true              only the leader answers, after the journal has said that it still leads
//
// When that is so decides read-gate.ts; here is what HTTP makes of it.

import { asError } from "../../lib/as-error.ts";
import type { Clock } from "../../lib/clock.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { ReadQuery } from "../../protocol/routes.ts";
import type { Master } from "../context.ts";
import { notLeading } from "../not-leading.ts";
import { ReadGate } from "../read-gate.ts";
import type { NotReady } from "../read-gate.ts";

export class Reads {
  readonly #master: Master;
  readonly #gate: ReadGate;

  constructor(master: Master, clock: Clock) {
    this.#master = master;
    const { loop, journal } = master;
    this.#gate = new ReadGate({
      clock,
      loop,
      headTerm: (done) =>
        void journal.head().then(
          ({ term }) => done(term),
          (error: unknown) => done(asError(error)),
        ),
    });
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
  ready(wish: ReadQuery): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gate.ready(wish, (not) => (not ? reject(this.#errorOf(not)) : resolve()));
    });
  }

  #errorOf(not: NotReady): SkeinError {
    if (not.kind === "not leading") return notLeading(this.#master);
    if (not.kind === "behind") return tooFar(not.index, not.applied);
    const { cause } = not;
    return new SkeinError("stalled", "The journal does not say who leads.", { cause });
  }
}

function tooFar(index: number, applied: number): SkeinError {
  const seconds = limits.atLeastMs / 1_000;
  const message = `Batch ${index} is not applied here after ${seconds} s: this master stands at ${applied}.`;
  return new SkeinError("stalled", message, { hint: "Ask another master; it may have it." });
}
