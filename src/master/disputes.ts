// A standby says that this leader's digest is not its own, although it has folded all anew (L10). Who is right?
//
//   Q1. The journal is the truth: the state is what folding it gives. A digest in it is no more than what its writer
//       had in memory; so the writer is asked to fold too, from its own disk, and to compare with what it wrote.
//   Q2. A leader that cannot give its own digest again has a corrupt memory: it stops, and another one leads.
//   Q3. One that can goes on: the other folds differently, by its version or by what is on its disk. But when most of
//       the masters (this one counts too) say so, their disks against its one, it stops.
//   Q4. Only digests of this term are this leader's own; what is said of earlier ones is not said of it.

import type { Log } from "../lib/log.ts";
import type { Loop } from "./loop.ts";
import type { Standby } from "./peers.ts";

/** The state before a batch: its digest, folded anew from this master's disk, and the one in that batch. */
export interface Refolded {
  readonly own: string;
  readonly recorded: string;
}

export interface DisputesPorts {
  readonly log: Log;
  loop(): Pick<Loop, "leads" | "electedIndex">;
  live(): readonly Pick<Standby, "id" | "doubts">[];
  /** Folds up to a batch that has a digest in it, from the disk. */
  refold(index: number, done: (found: Refolded | Error) => void): void;
  readonly halt: (why: Error) => void;
}

export class Disputes {
  readonly #ports: DisputesPorts;
  #folding = false;
  /** This leader has given its digest of this batch again. */
  #upheld = 0;

  constructor(ports: DisputesPorts) {
    this.#ports = ports;
  }

  /** A standby said what it has. */
  heard(): void {
    const { halt } = this.#ports;
    const loop = this.#ports.loop();
    if (!loop.leads) return;
    const live = this.#ports.live();
    const doubting = live.filter(({ doubts }) => doubts >= loop.electedIndex); // Q4
    if (doubting.length === 0) return;
    const who = doubting.map(({ id }) => id).join(", ");
    if (doubting.length * 2 > live.length + 1) {
      return halt(new Error(`most masters have another state than this leader (${who}): it stops`));
    }
    const index = Math.max(...doubting.map(({ doubts }) => doubts));
    if (this.#folding || index <= this.#upheld) return;
    this.#folding = true;
    this.#ports.refold(index, (found) => {
      this.#folding = false;
      this.#judge(index, who, found);
    });
  }

  #judge(index: number, who: string, found: Refolded | Error): void {
    const { log, halt } = this.#ports;
    const loop = this.#ports.loop();
    if (!loop.leads || index < loop.electedIndex) return;
    if (found instanceof Error) {
      return log.warn("a digest is disputed, and could not be folded anew", {
        index,
        error: found,
      });
    }
    const { own, recorded } = found;
    if (own !== recorded) {
      const what = `this leader's digest in batch ${index} is ${recorded}, its journal gives ${own}`;
      return halt(new Error(`${what}: its memory is corrupt, it stops`));
    }
    this.#upheld = index;
    const words = "a standby folds the journal to another digest: compare its version and its disk";
    log.error(words, { standby: who, index, digest: own });
  }
}
