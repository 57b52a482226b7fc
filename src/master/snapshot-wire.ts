// What the snapshot thread is asked and answers (A4).

import type { StoredBatch } from "../journal/journal.ts";

export type SnapshotAsk =
  /** Start from this file's state, or from nothing. */
  | {
      readonly kind: "begin";
      readonly dir: string;
      readonly journalId: string;
      readonly from: string | null;
    }
  /** The state, encoded: go on from there. */
  | { readonly kind: "give"; readonly bytes: Uint8Array }
  /** Contiguous batches. Answered with `folded`, so that few are under way at a time. */
  | { readonly kind: "fold"; readonly batches: readonly StoredBatch[] }
  /** Answered with the digest of what is folded by now. */
  | { readonly kind: "digest" }
  /** Write, load again, compare. Answered with `done`. */
  | { readonly kind: "finish" };

export type SnapshotAnswer =
  | { readonly kind: "folded"; readonly index: number }
  | {
      readonly kind: "done";
      readonly index: number;
      readonly digest: string;
      readonly file: string;
    }
  | { readonly kind: "digest"; readonly digest: string }
  | { readonly kind: "failed"; readonly why: string };
