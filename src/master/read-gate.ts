// When a read may be answered here (L5): at once, when a batch is applied, or after the journal has said that this
// master still leads. Synchronous, with ports, so that the simulator drives this very code.
//
//   R1. Nothing here rests on the lease. A question to the journal that was asked before a read came proves
//       nothing for it: the read waits for the next one, which all that wait share.

import type { Clock } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";
import type { Loop } from "./loop.ts";

export interface ReadWish {
  /** Only when that batch is applied here. */
  readonly atLeast?: number | undefined;
  /** Only by the leader, with all that was acknowledged before. */
  readonly strong?: boolean | undefined;
}

/** Why it may not be answered here. */
export type NotReady =
  | { readonly kind: "not leading" }
  | { readonly kind: "behind"; readonly index: number; readonly applied: number }
  | { readonly kind: "no journal"; readonly cause: Error };

export interface ReadGatePorts {
  readonly clock: Clock;
  readonly loop: Pick<Loop, "leads" | "halted" | "durableIndex" | "peek">;
  /** The term of the journal's last batch. */
  headTerm(done: (term: number | Error) => void): void;
}

type Done = (not?: NotReady) => void;

interface Waiting {
  readonly index: number;
  readonly until: number;
  readonly done: Done;
}

const lookMs = 5;

export class ReadGate {
  readonly #ports: ReadGatePorts;
  #waiting: Waiting[] = [];
  #looking = false;
  /** Who waits for the question that is on its way, and for the one that is asked after it. */
  #asking: Done[] | null = null;
  #next: Done[] = [];

  constructor(ports: ReadGatePorts) {
    this.#ports = ports;
  }

  ready({ atLeast = 0, strong = false }: ReadWish, done: Done): void {
    if (!strong) return this.#applied(atLeast, done);
    this.#leads((not) => (not ? done(not) : this.#applied(atLeast, done)));
  }

  // ── at least ───────────────────────────────────────────────────────────────────────────

  #applied(index: number, done: Done): void {
    if (index <= this.#ports.loop.durableIndex) return done();
    this.#waiting.push({ index, until: this.#ports.clock.now() + limits.atLeastMs, done });
    this.#look();
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#ports.clock.after(lookMs, () => {
      this.#looking = false;
      const { durableIndex: applied, halted } = this.#ports.loop;
      const now = this.#ports.clock.now();
      for (const one of this.#waiting.splice(0)) {
        if (one.index <= applied) one.done();
        else if (!halted && now < one.until) this.#waiting.push(one);
        else one.done({ kind: "behind", index: one.index, applied });
      }
      if (this.#waiting.length > 0) this.#look();
    });
  }

  // ── strong ─────────────────────────────────────────────────────────────────────────────

  #leads(done: Done): void {
    if (!this.#ports.loop.leads) return done({ kind: "not leading" });
    if (this.#asking) this.#next.push(done);
    else this.#ask([done]);
  }

  #ask(who: Done[]): void {
    this.#asking = who;
    this.#ports.headTerm((term) => {
      const next = this.#next.splice(0);
      this.#asking = null;
      if (next.length > 0) this.#ask(next);
      const not = this.#judge(term);
      for (const done of who) done(not);
    });
  }

  /** The journal's last batch is of this master's term: so nobody had been elected after it when it was asked. */
  #judge(term: number | Error): NotReady | undefined {
    if (term instanceof Error) return { kind: "no journal", cause: term };
    const { loop } = this.#ports;
    const own = loop.peek((state) => state.term);
    return loop.leads && term === own ? undefined : { kind: "not leading" };
  }
}
