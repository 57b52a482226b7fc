// Appenders that race for every index and settle what they do not know as masters do (J3).

import { setTimeout as sleep } from "node:timers/promises";
import type { EncodedBatch } from "../../src/journal/batch.ts";
import { nextBatch, patiently } from "../../src/journal/batches.fixture.ts";
import type { Journal, StoredBatch } from "../../src/journal/journal.ts";

export class Race {
  /** By index, every batch that somebody was told is stored; more than one would be a lost fence. */
  readonly won = new Map<number, string[]>();
  /** How often a verdict had to be found by reading. */
  unknowns = 0;
  #ended = false;
  readonly #appenders: readonly Promise<void>[];

  constructor(journals: readonly Journal[]) {
    this.#appenders = journals.map((journal) => this.#append(journal));
  }

  /** Rejects with whatever an appender met that is not to be met. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#appenders);
  }

  async #append(journal: Journal): Promise<void> {
    while (!this.#ended) {
      const head = await patiently(() => journal.head());
      const batch = nextBatch(journal, head);
      if (await this.#settle(journal, batch)) {
        this.won.set(batch.index, [...(this.won.get(batch.index) ?? []), batch.batchId]);
      }
      await sleep(1);
    }
  }

  /** Whether the batch is stored: sent again, identical, until that is known. */
  async #settle(journal: Journal, batch: EncodedBatch): Promise<boolean> {
    for (;;) {
      const result = await journal.append(batch.index - 1, batch);
      if (result.kind === "appended") return true;
      if (result.kind === "refused") throw new Error(`refused: ${result.why}`);
      if (result.kind === "unknown") this.unknowns++;
      const stored = await patiently(() => journal.read(batch.index));
      if (stored) return stored.batchId === batch.batchId;
    }
  }
}

export async function readAll(journal: Journal): Promise<StoredBatch[]> {
  const all: StoredBatch[] = [];
  for (;;) {
    const more = await patiently(() => journal.readAfter(all.at(-1)?.index ?? 0));
    if (more.length === 0) return all;
    all.push(...more);
  }
}
