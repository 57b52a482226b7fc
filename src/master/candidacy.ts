// How a follower stands for election: its `elected` goes to the journal, and the journal decides (L2).
//
//   C1. Nothing is applied here. What stands at the contested index is followed like any other batch, one's
//       own `elected` included; so it does not matter by which way, or how late, it is found.
//   C2. As long as that index is empty the identical batch is appended again, never another: the one whose
//       answer was lost may still land (J3). That holds over candidacies too.
//   C3. A withdrawn candidacy sends nothing more. What it has sent may land all the same.

import type { EncodedBatch } from "../journal/batch.ts";
import { decodeBatch } from "../journal/batch.ts";
import type { AppendResult, StoredBatch } from "../journal/journal.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";

export interface CandidacyPorts {
  readonly clock: Clock;
  readonly log: Log;
  append(expected: number, batch: EncodedBatch, done: (result: AppendResult) => void): void;
  look(done: () => void): void;
  /** Index of the batch that would come next. */
  next(): number;
  /** False while there is no sound state to stand on. */
  ready(): boolean;
  compose(): EncodedBatch;
  /** The journal has not answered for a lease. */
  stuck(): void;
  /** It is in the journal. */
  won(batch: StoredBatch): void;
}

const againMs = { first: 10, max: 1_000 };

export class Candidacy {
  readonly #ports: CandidacyPorts;
  #stands = false;
  #batch: EncodedBatch | null = null;
  /** When the first append of the batch began, by this process's clock. */
  #since = 0;
  #onItsWay = false;
  /** The answer to one of its appends was lost. */
  #unsure = false;
  #tries = 0;

  constructor(ports: CandidacyPorts) {
    this.#ports = ports;
  }

  get stands(): boolean {
    return this.#stands;
  }

  /** When the append of the batch that is out began: a lease counts from there (L3). */
  get since(): number {
    return this.#batch === null ? this.#ports.clock.now() : this.#since;
  }

  stand(): void {
    this.#stands = true;
    this.go();
  }

  withdraw(): void {
    this.#stands = false;
  }

  /** The state has moved on: what was tried at or below this index is decided. */
  followed(index: number): void {
    if (this.#batch === null || this.#batch.index > index) return;
    this.#batch = null;
    this.#unsure = false;
    this.#tries = 0;
  }

  go(): void {
    if (!this.#stands || this.#onItsWay || !this.#ports.ready()) return;
    if (this.#batch !== null && this.#batch.index < this.#ports.next())
      this.followed(this.#ports.next() - 1);
    if (this.#batch === null) {
      this.#batch = this.#ports.compose();
      this.#since = this.#ports.clock.now();
    }
    this.#append(this.#batch);
  }

  #append(batch: EncodedBatch): void {
    this.#onItsWay = true;
    this.#tries++;
    this.#ports.append(batch.index - 1, batch, (result) => {
      this.#onItsWay = false;
      if (result.kind === "appended") return this.#ports.won(decodeBatch(batch.bytes, batch.index));
      if (result.kind === "unknown") {
        this.#unsure ||= this.#batch === batch;
        if (this.#ports.clock.now() - this.#since > limits.leaseMs) this.#ports.stuck();
      }
      if (result.kind === "refused") {
        this.#ports.log.warn("the journal does not take the election", { why: result.why });
        if (this.#batch === batch && !this.#unsure) this.#batch = null;
      }
      // Whatever stands there is followed; if nothing does, it goes on (C2).
      this.#onItsWay = true;
      this.#ports.look(() => {
        const waitMs = Math.min(againMs.max, againMs.first * 2 ** Math.min(this.#tries, 7));
        this.#ports.clock.after(waitMs, () => {
          this.#onItsWay = false;
          this.go();
        });
      });
    });
  }
}
