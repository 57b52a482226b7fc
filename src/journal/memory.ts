// The reference engine: a journal in an array. It is the contract in its shortest form, and what
// tests and the one-process cluster run on. It keeps nothing beyond the process.
//
// A `MemoryStore` is the disk, a journal is one master's connection to it: several journals on one
// store race as several masters on one engine do. Latency and faults belong to the connection.

import { delay } from "../lib/abort.ts";
import { checkJournalId, decodeBatch, newJournalId, type EncodedBatch } from "./batch.ts";
import { checkExpected, checkExtends, checkNext, gap, headOf, trimmedAway } from "./chain.ts";
import { foreignJournal, headWentBack } from "./chain.ts";
import { JournalHalt } from "./halt.ts";
import { emptyHead, readBytesDefault, type RefusalCode } from "./journal.ts";
import type { AppendResult, Head, Journal, JournalUsage, StoredBatch } from "./journal.ts";

export interface MemoryJournalOptions {
  /** Of a new store: its id. Of an old one: what it must be. */
  readonly journalId?: string;
  /** What several journals share; a store of its own unless given. */
  readonly store?: MemoryStore;
  readonly batchBytesMax?: number;
  readonly bytesMax?: number;
  readonly latencyMs?: number;
}

/** What happens to the next append instead of what it asked for. */
export type MemoryFault =
  /** It is not stored, and nobody says so. */
  | { readonly kind: "lose" }
  /** It is stored, and nobody says so. */
  | { readonly kind: "lose_answer" }
  | { readonly kind: "refuse"; readonly code: RefusalCode }
  /** The disk fails under it: this journal halts. */
  | { readonly kind: "fail" };

export class MemoryStore {
  readonly journalId: string;
  /** The first one stands at index `trimmed` + 1. */
  readonly batches: EncodedBatch[] = [];
  head: Head = emptyHead;
  trimmed = 0;
  bytes = 0;
  /** Called after every append, by whichever journal. */
  readonly followers = new Set<() => void>();

  constructor(journalId: string = newJournalId()) {
    checkJournalId(journalId);
    this.journalId = journalId;
  }
}

export async function openMemoryJournal(
  options: MemoryJournalOptions = {},
): Promise<MemoryJournal> {
  const store = options.store ?? new MemoryStore(options.journalId);
  if (options.journalId !== undefined && options.journalId !== store.journalId) {
    throw foreignJournal(options.journalId, store.journalId);
  }
  return new MemoryJournal(store, options);
}

export class MemoryJournal implements Journal {
  readonly engine = "memory";
  readonly journalId: string;
  readonly batchBytesMax: number;
  readonly inlineBytesMax = 16 * 1024;
  /** For tests: how long every call takes, half of it before and half after it does its work. */
  latencyMs: number;
  /** For tests: each append takes the first one. */
  readonly faults: MemoryFault[] = [];
  readonly #store: MemoryStore;
  readonly #bytesMax: number;
  readonly #follows = new Set<() => void>();
  #seen: number;
  #stopped: JournalHalt | undefined;

  constructor(store: MemoryStore, options: MemoryJournalOptions) {
    this.#store = store;
    this.journalId = store.journalId;
    this.batchBytesMax = options.batchBytesMax ?? 4 * 1024 * 1024;
    this.#bytesMax = options.bytesMax ?? Number.MAX_SAFE_INTEGER;
    this.latencyMs = options.latencyMs ?? 0;
    this.#seen = store.head.index;
  }

  async append(expected: number, batch: EncodedBatch): Promise<AppendResult> {
    checkExpected(expected, batch);
    return this.#after(() => {
      const fault = this.faults.shift();
      if (!fault) return this.#append(batch);
      if (fault.kind === "refuse") return refused(fault.code, "a test wants it refused");
      if (fault.kind === "fail") throw this.#stop(diskFailed());
      if (fault.kind === "lose_answer") this.#append(batch);
      return { kind: "unknown", cause: new Error("the answer was lost") };
    });
  }

  read(index: number): Promise<StoredBatch | undefined> {
    return this.#after(() => {
      const { trimmed, head } = this.#store;
      return index <= trimmed || index > head.index ? undefined : this.#at(index);
    });
  }

  readAfter(index: number, limitBytes: number = readBytesDefault): Promise<StoredBatch[]> {
    return this.#after(() => this.#readAfter(index, limitBytes));
  }

  head(): Promise<Head> {
    return this.#after(() => {
      const { head } = this.#store;
      if (head.index < this.#seen) throw headWentBack(head.index, this.#seen);
      this.#seen = head.index;
      return head;
    });
  }

  trimmed(): Promise<number> {
    return this.#after(() => this.#store.trimmed);
  }

  trim(below: number): Promise<void> {
    return this.#after(() => {
      const store = this.#store;
      const count = Math.min(below, store.head.index) - 1 - store.trimmed;
      if (count <= 0) return;
      for (const { bytes } of store.batches.splice(0, count)) store.bytes -= bytes.length;
      store.trimmed += count;
    });
  }

  usage(): Promise<JournalUsage> {
    const { bytes } = this.#store;
    return this.#after(() => ({
      bytes,
      bytesMax: this.#bytesMax,
      diskFree: Number.MAX_SAFE_INTEGER,
    }));
  }

  async verify(from?: number): Promise<void> {
    const { head, trimmed } = this.#store;
    let last = Math.max((from ?? 1) - 1, trimmed);
    while (last < head.index) {
      const batches = await this.readAfter(last);
      last = batches.at(-1)?.index ?? head.index;
    }
  }

  follow(ring: () => void): () => void {
    // Its own function: two that follow with the same one are two.
    const own = () => queueMicrotask(() => this.#follows.has(own) && ring());
    this.#follows.add(own);
    this.#store.followers.add(own);
    return () => {
      this.#follows.delete(own);
      this.#store.followers.delete(own);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const own of this.#follows) this.#store.followers.delete(own);
    this.#follows.clear();
    this.#stopped ??= new JournalHalt("engine_failed", {
      what: "the journal is closed",
      why: "its owner closed it",
      todo: "Open it again",
    });
  }

  #append(batch: EncodedBatch): AppendResult {
    const store = this.#store;
    const size = batch.bytes.length;
    if (size > this.batchBytesMax) {
      return refused("too_large", `${size} bytes are more than ${this.batchBytesMax}`);
    }
    checkExtends(store.journalId, store.head, batch);
    if (store.head.index !== batch.index - 1 || store.head.term > batch.term) {
      return { kind: "conflict" };
    }
    if (store.bytes + size > this.#bytesMax) {
      return refused("no_space", `the quota of ${this.#bytesMax} bytes is used up`);
    }
    store.batches.push(batch);
    store.bytes += size;
    store.head = headOf(batch);
    this.#seen = batch.index;
    for (const ring of store.followers) ring();
    return { kind: "appended" };
  }

  #readAfter(index: number, limitBytes: number): StoredBatch[] {
    const { batches, trimmed, head, journalId } = this.#store;
    if (index < trimmed) throw trimmedAway(index + 1, trimmed);
    const before = batches[index - trimmed - 1];
    let previous = before ? headOf(before) : undefined;
    const found: StoredBatch[] = [];
    let size = 0;
    for (let next = index + 1; next <= head.index; next++) {
      const batch = this.#at(next);
      size += batch.bytes.length;
      if (found.length > 0 && size > limitBytes) break;
      // The oldest kept batch continues one that is gone: its link is taken on trust.
      previous ??= index === 0 ? emptyHead : { ...emptyHead, index, hash: batch.previousHash };
      checkNext(journalId, previous, batch);
      found.push(batch);
      previous = headOf(batch);
    }
    return found;
  }

  /** The batch at an index that must exist. */
  #at(index: number): StoredBatch {
    const stored = this.#store.batches[index - this.#store.trimmed - 1];
    if (!stored) throw gap(index, undefined);
    return decodeBatch(stored.bytes, index);
  }

  /** Does the work at one moment in the middle of the latency. */
  async #after<T>(work: () => T): Promise<T> {
    if (this.latencyMs > 0) await delay(this.latencyMs / 2);
    else await Promise.resolve();
    if (this.#stopped) throw this.#stopped;
    const result = work();
    if (this.latencyMs > 0) await delay(this.latencyMs / 2);
    return result;
  }

  #stop(halt: JournalHalt): JournalHalt {
    this.#stopped = halt;
    return halt;
  }
}

function refused(code: RefusalCode, why: string): AppendResult {
  return { kind: "refused", code, why };
}

function diskFailed(): JournalHalt {
  return new JournalHalt("fsync_failed", {
    what: "the append could not be made durable",
    why: "a test wants the disk to fail",
    todo: "Open the journal again and verify it",
  });
}
