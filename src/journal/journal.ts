// The journal: the ordered, durable, fenced record of every decision of a cluster.
//
// This file is the contract that every engine keeps. `memory.ts` is its reference, `conformance.ts`
// its proof, `engines.ts` the list of who keeps it.
//
//     trimmed() = 2            readAfter(4)             head().index = 7
//          │                ┌──────┴───────┐                  │
//      ─ ─ ┴ ─ ─ ┬─────┬─────┬─────┬─────┬─────┐ ─ ─ ─ ─
//       1     2  │  3  │  4  │  5  │  6  │  7  │  8  ◀── append(7, batch of index 8)
//      ─ ─ ─ ─ ─ ┴─────┴─────┴─────┴─────┴─────┘ ─ ─ ─ ─
//       gone        each holds the hash of the one before it
//
// It owns: order, the fence, durability, and that bytes come back as they were given.
// It does not own: what the bytes mean, who leads, when to trim, retries of any kind (J6).
//
// What an engine promises:
// E1  Indexes are contiguous from 1. The caller chooses the index; the engine only says yes or no.
// E2  `append` compares in one atomic step: head index = `expected` **and** head term ≤ the batch's
//     term. Of all who try one index exactly one gets `appended`.
// E3  `appended` is answered after the batch is durable, never before (P1).
// E4  `refused` promises that nothing was stored nor ever will be. `conflict` promises that this
//     call stored nothing. `unknown` promises nothing: read the index and see (J3).
// E5  What is stored is never changed; it only disappears from the front, by `trim`. The head is
//     never trimmed, so the last hash and term are always known.
// E6  The same batch may be given to `append` again; the bytes given are never changed or detached.
// E7  Damage is never skipped or repaired: it is thrown as a `JournalHalt` (J5). `append` rejects
//     with nothing else, and after a halt of kind `fsync_failed` or `engine_failed` the journal
//     answers nothing more: close it, open it again, `verify`, start over.
// E8  A `expected` above the head means that the journal lost what its caller has seen: that is a
//     halt (`head_went_back`), not a conflict. So is a batch whose `previousHash` is not the
//     head's hash (`broken_chain`) or whose journal id is another (`foreign_journal`).
// E9  Reads, verification, checkpoints and trims do not hold up appends by more than a slice.
// E10 Every call ends. What the engine cannot answer now (it is away, or slow) rejects with
//     `EngineUnavailable`, and with `unknown` for `append`: that is no halt. Nothing is tried again
//     inside (J6): ask again after a pause.

import type { EncodedBatch } from "./batch.ts";

export interface BatchHeader {
  readonly journalId: string;
  /** From 1. */
  readonly index: number;
  /** The number of the leadership that wrote it. */
  readonly term: number;
  /** 32 hex digits, chosen by the writer: how it knows its own batch again. */
  readonly batchId: string;
  /** 64 hex digits: the hash of the batch before it, zeros at index 1. */
  readonly previousHash: string;
  /** The version of the encoding of the entries; opaque here. */
  readonly format: number;
  /** Cluster time in ms (T1). */
  readonly time: number;
  /** Wall clock in ms since 1970 (T1). */
  readonly wall: number;
}

export interface Batch extends BatchHeader {
  /** The entries, opaque here. */
  readonly bytes: Uint8Array;
}

export interface StoredBatch extends Batch {
  /** The encoded batch as it is stored, of which `bytes` is a part. */
  readonly encoded: Uint8Array;
  /** SHA-256 of `encoded`, in hex. */
  readonly hash: string;
}

export type RefusalCode = "too_large" | "no_space" | "forbidden";

export type AppendResult =
  | { readonly kind: "appended" }
  | { readonly kind: "conflict" }
  | { readonly kind: "refused"; readonly why: string; readonly code: RefusalCode }
  | { readonly kind: "unknown"; readonly cause: Error };

/** The last batch in short; index 0 of an empty journal. */
export interface Head {
  readonly index: number;
  readonly term: number;
  readonly hash: string;
  readonly batchId: string;
}

/** For J7: submits are refused long before one of these is used up. */
export interface JournalUsage {
  /** What the journal occupies now; space that trims freed for reuse is not counted. */
  readonly bytes: number;
  /** Where the engine itself refuses: its quota. */
  readonly bytesMax: number;
  /** What the disk below still has. */
  readonly diskFree: number;
}

export interface Journal extends AsyncDisposable {
  readonly journalId: string;
  readonly engine: string;
  /** The largest encoded batch that is accepted. */
  readonly batchBytesMax: number;
  /** The largest payload that should stand inline in an entry (A1). */
  readonly inlineBytesMax: number;
  /** Stores a batch at `expected` + 1 if that is next and no newer term has written (E2). */
  append(expected: number, batch: EncodedBatch): Promise<AppendResult>;
  /** The batch at an index, or undefined above the head and below the trim point. */
  read(index: number): Promise<StoredBatch | undefined>;
  /**
   * The batches from `index` + 1, contiguous and checked, at least one if there is one, about
   * `limitBytes` in all. Throws the halt `trimmed` if `index` + 1 is below the trim point.
   */
  readAfter(index: number, limitBytes?: number): Promise<StoredBatch[]>;
  head(): Promise<Head>;
  /** The highest index that was trimmed away, 0 if none. */
  trimmed(): Promise<number>;
  /** Drops every index < `below`, in slices, and never the head. */
  trim(below: number): Promise<void>;
  usage(): Promise<JournalUsage>;
  /** What whoever runs the engine should know now, found when it was opened or by the last trim: whole sentences. */
  readonly notes?: readonly string[];
  /** Of an engine with members of its own, of which a majority must live: how many there are. */
  members?(): number | undefined;
  /** Walks the chain from `from` (default: the oldest kept); throws the halt that fits. */
  verify(from?: number): Promise<void>;
  /**
   * Rings when the journal may have grown, whoever wrote. It may ring in vain and it may miss:
   * whoever follows also looks by itself now and then. Returns a function that ends it. Missing where
   * nobody else writes, or nothing tells.
   */
  follow?(ring: () => void): () => void;
  /**
   * Pids of the processes that keep all others from appending, by the word of the kernel; undefined where it does
   * not tell. Missing where no process of this machine could.
   */
  lockedBy?(): readonly number[] | undefined;
}

/** The hash before the first batch. */
export const zeroHash = "0".repeat(64);

export const emptyHead: Head = { index: 0, term: 0, hash: zeroHash, batchId: "0".repeat(32) };

/** What `readAfter` returns at once unless told otherwise. */
export const readBytesDefault = 4 * 1024 * 1024;
