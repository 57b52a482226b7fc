// Batches that continue a journal, for tests and benchmarks of the engines.

import { setTimeout as sleep } from "node:timers/promises";
import { encodeBatch, newBatchId, type EncodedBatch } from "./batch.ts";
import { headOf } from "./chain.ts";
import type { Head, Journal } from "./journal.ts";
import { EngineUnavailable } from "./unavailable.ts";

export function nextBatch(journal: Journal, head: Head, size = 100): EncodedBatch {
  return encodeBatch({
    journalId: journal.journalId,
    index: head.index + 1,
    term: 1,
    batchId: newBatchId(),
    previousHash: head.hash,
    format: 1,
    time: 0,
    wall: 0,
    bytes: Buffer.alloc(size, head.index),
  });
}

/** Asks again while the engine is away, as the contract says; any other error is one. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof EngineUnavailable)) throw error;
      await sleep(20);
    }
  }
}

/** Appends until something other than `appended` is answered, at most `count` times. */
export async function fill(journal: Journal, { count = 1000, size = 100 } = {}) {
  let head = await patiently(() => journal.head());
  for (let done = 0; done < count; done++) {
    const batch = nextBatch(journal, head, size);
    const result = await journal.append(head.index, batch);
    if (result.kind !== "appended") return { head, result };
    head = headOf(batch);
  }
  return { head, result: { kind: "appended" as const } };
}
