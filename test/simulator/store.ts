// What the journal's engine has stored: real bytes, chained and checked. One for all masters; each has a connection
// of its own to it (journal.ts), where things go wrong. Nothing but the fence of J2 decides what is stored.

import { decodeBatch } from "../../src/journal/batch.ts";
import type { EncodedBatch } from "../../src/journal/batch.ts";
import { checkExtends, checkNext, gap, headOf, trimmedAway } from "../../src/journal/chain.ts";
import { emptyHead } from "../../src/journal/journal.ts";
import type { AppendResult, Head, StoredBatch } from "../../src/journal/journal.ts";
import type { World } from "./world.ts";

/** The engine's content as one connection sees it; damaged ones differ (damage.ts). */
export interface View {
  readonly head: Head;
  readonly trimmed: number;
  bytes(index: number): Uint8Array | undefined;
  /** `by`: whose batch it is. */
  append(batch: EncodedBatch, by: string): AppendResult;
}

export class SimStore implements View {
  readonly journalId = "simulated-journal-01";
  head: Head = emptyHead;
  trimmed = 0;
  /** Nothing is done for anybody until then. */
  stalledUntil = 0;
  readonly #batches = new Map<number, Uint8Array>();
  readonly #storedAt: number[] = [0];
  readonly #followers = new Set<() => void>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  bytes(index: number): Uint8Array | undefined {
    return this.#batches.get(index);
  }

  append(batch: EncodedBatch, by: string): AppendResult {
    checkExtends(this.journalId, this.head, batch);
    const { index, term } = this.head;
    if (index !== batch.index - 1 || term > batch.term) return { kind: "conflict" };
    const bytes = Uint8Array.from(batch.bytes);
    const stored = decodeBatch(bytes);
    checkNext(this.journalId, this.head, stored);
    this.#batches.set(stored.index, bytes);
    this.#storedAt[stored.index] = this.#world.timeline.now;
    this.head = headOf(stored);
    this.#world.committed(stored, by);
    for (const ring of this.#followers) ring();
    return { kind: "appended" };
  }

  trim(below: number): void {
    const until = Math.min(below - 1, this.head.index - 1);
    if (until <= this.trimmed) return;
    for (let index = this.trimmed + 1; index <= until; index++) this.#batches.delete(index);
    this.trimmed = until;
    this.#world.trimmed(until);
  }

  /** Calls `ring` at every append until what it returns is called. */
  follow(ring: () => void): () => void {
    this.#followers.add(ring);
    return () => void this.#followers.delete(ring);
  }

  /** Index of the last batch that was stored `ms` ago. */
  indexBefore(ms: number): number {
    const until = this.#world.timeline.now - ms;
    let index = this.head.index;
    while (index > 0 && (this.#storedAt[index] ?? 0) > until) index--;
    return index;
  }

  storedAt(index: number): number {
    return this.#storedAt[index] ?? 0;
  }
}

export function batchAt(view: View, index: number): StoredBatch | undefined {
  if (index <= view.trimmed || index > view.head.index) return undefined;
  const bytes = view.bytes(index);
  if (!bytes) throw gap(index, undefined);
  return decodeBatch(bytes, index);
}

/** The batches behind `index` up to `last`, checked as engines check them. */
export function* batchesAfter(
  view: View,
  journalId: string,
  index: number,
  last = view.head.index,
): Generator<StoredBatch> {
  if (index < view.trimmed) throw trimmedAway(index + 1, view.trimmed);
  const before = batchAt(view, index);
  let previous = before && headOf(before);
  for (let next = index + 1; next <= last; next++) {
    const batch = batchAt(view, next);
    if (!batch) throw gap(next, undefined);
    // The oldest kept batch continues one that is gone: its link is taken on trust.
    previous ??= index === 0 ? emptyHead : { ...emptyHead, index, hash: batch.previousHash };
    checkNext(journalId, previous, batch);
    yield batch;
    previous = headOf(batch);
  }
}
