// One batch of a leader on its way into the journal, until it is known what became of it (J3). Synchronous, with
// ports. A candidate's batch goes its own way: candidacy.ts.

import type { EncodedBatch } from "../journal/batch.ts";
import type { StoredBatch } from "../journal/journal.ts";
import type { LoopPorts } from "./loop-ports.ts";

/** What became of it; called once, unless the loop lets go of it first. */
export interface AppendEvents {
  durable(): void;
  /** Nothing was stored, nor will be. */
  refused(code: string, why: string): void;
  /** Its place is taken: another leads in this term. */
  deposed(term: number): void;
  /** Its place is trimmed: others have long gone on, and what stood there nobody can say. */
  overrun(): void;
  /** Another's batch of no higher term stands there, which cannot be. */
  forked(found: StoredBatch): void;
  /** It is still not known; may come again. */
  unknown(): void;
}

export class Appender {
  readonly #ports: Pick<LoopPorts, "clock" | "append" | "read">;
  #current: object | null = null;

  constructor(ports: Pick<LoopPorts, "clock" | "append" | "read">) {
    this.#ports = ports;
  }

  send(batch: EncodedBatch, events: AppendEvents): void {
    const flight = {
      batch,
      events,
      tries: 0,
      /** The answer to an append of it was lost: it may be stored, or come to be so. */
      unsure: false,
    };
    this.#current = flight;
    this.#append(flight);
  }

  /** Whatever becomes of it, nobody wants to know any more. */
  letGo(): void {
    this.#current = null;
  }

  #append(flight: Flight): void {
    flight.tries++;
    const { batch, events } = flight;
    this.#ports.append(batch.index - 1, batch, (result) => {
      if (this.#current !== flight) return;
      if (result.kind === "appended") this.#end(() => events.durable());
      else if (result.kind !== "refused" || flight.unsure) {
        // What is refused now stored nothing, but the one whose answer was lost still may: the batch stays the same.
        flight.unsure ||= result.kind === "unknown";
        this.#resolve(flight);
      } else this.#end(() => events.refused(result.code, result.why));
    });
  }

  #resolve(flight: Flight): void {
    const { batch, events } = flight;
    this.#ports.read(batch.index, (found) => {
      if (this.#current !== flight) return;
      if (found === "trimmed") this.#end(() => events.overrun());
      else if (found instanceof Error || found === undefined) this.#again(flight, found);
      else if (found.batchId === batch.batchId) this.#end(() => events.durable());
      else if (found.term > batch.term) this.#end(() => events.deposed(found.term));
      else this.#end(() => events.forked(found));
    });
  }

  /** The place is empty: the identical batch again; or nobody could say: the question again. */
  #again(flight: Flight, found: Error | undefined): void {
    flight.events.unknown();
    const waitMs = Math.min(againMsMax, 10 * 2 ** Math.min(flight.tries, 7));
    this.#ports.clock.after(waitMs, () => {
      if (this.#current !== flight) return;
      if (found === undefined) this.#append(flight);
      else this.#resolve(flight);
    });
  }

  #end(tell: () => void): void {
    this.#current = null;
    tell();
  }
}

interface Flight {
  readonly batch: EncodedBatch;
  readonly events: AppendEvents;
  tries: number;
  unsure: boolean;
}

const againMsMax = 1_000;
