// A journal of one place, answered by the test: what a candidate or a leader appends there, and what is found there.

import { decodeBatch, encodeBatch, newBatchId } from "../journal/batch.ts";
import type { EncodedBatch } from "../journal/batch.ts";
import type { AppendResult, StoredBatch } from "../journal/journal.ts";
import { HandClock } from "../lib/hand-clock.fixture.ts";

export const unknown: AppendResult = { kind: "unknown", cause: new Error("no answer") };
export const refused: AppendResult = { kind: "refused", code: "no_space", why: "full" };

export function batchAt(index: number, term: number): EncodedBatch {
  return encodeBatch({
    journalId: "test",
    index,
    term,
    batchId: newBatchId(),
    previousHash: "0".repeat(64),
    format: 1,
    time: 0,
    wall: 0,
    bytes: Buffer.from("entries"),
  });
}

export function stored(batch: EncodedBatch): StoredBatch {
  return decodeBatch(batch.bytes, batch.index);
}

/** Appends and reads that wait for the test's answer, one at a time. */
export class OnePlace {
  readonly clock = new HandClock();
  /** Ids of what was appended, in order. */
  readonly appended: string[] = [];
  #append: ((result: AppendResult) => void) | undefined;

  readonly append = (
    _expected: number,
    batch: EncodedBatch,
    done: (result: AppendResult) => void,
  ): void => {
    if (this.#append) throw new Error("a second append while one is in flight");
    this.appended.push(batch.batchId);
    this.#append = done;
  };

  get inFlight(): boolean {
    return this.#append !== undefined;
  }

  answer(result: AppendResult): void {
    const done = this.#append;
    if (!done) throw new Error("nothing is in flight");
    this.#append = undefined;
    done(result);
  }
}
