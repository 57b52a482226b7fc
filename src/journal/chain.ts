// The checks that tie one batch to the one before it. Engines use them when they read, masters when
// they tail: a break is found by whoever meets it first.

import { JournalHalt } from "./halt.ts";
import type { EncodedBatch } from "./batch.ts";
import type { Head, StoredBatch } from "./journal.ts";

const restore = "Stop this master, keep a copy of the file, and restore from another master";

/** The head that a batch makes once it is stored. */
export function headOf({ index, term, hash, batchId }: StoredBatch | EncodedBatch): Head {
  return { index, term, hash, batchId };
}

/** Throws unless `batch` is the one that follows `previous` in this journal. */
export function checkNext(journalId: string, previous: Head, batch: StoredBatch): void {
  if (batch.journalId !== journalId) throw foreignJournal(journalId, batch.journalId);
  if (batch.index !== previous.index + 1) throw gap(previous.index + 1, batch.index);
  if (batch.previousHash !== previous.hash) throw brokenChain(batch.index);
  if (batch.term < previous.term) {
    throw new JournalHalt("broken_chain", {
      what: `the batch at index ${batch.index} has term ${batch.term} after ${previous.term}`,
      why: "terms never fall, so an old leader wrote past its fence",
      todo: restore,
    });
  }
}

/** What is a bug or damage rather than a lost race when `append` finds this head (E8). */
export function checkExtends(journalId: string, head: Head, batch: EncodedBatch): void {
  if (batch.journalId !== journalId) throw foreignJournal(journalId, batch.journalId);
  if (head.index < batch.index - 1) throw headWentBack(head.index, batch.index - 1);
  const next = head.index === batch.index - 1 && head.term <= batch.term;
  if (next && head.hash !== batch.previousHash) throw brokenChain(batch.index);
}

export function checkExpected(expected: number, batch: EncodedBatch): void {
  if (batch.index !== expected + 1) {
    throw new TypeError(`a batch of index ${batch.index} cannot be appended after ${expected}`);
  }
}

export function gap(wanted: number, found: number | undefined): JournalHalt {
  return new JournalHalt("gap", {
    what: `index ${wanted} is missing from the journal`,
    why: found === undefined ? "it is below the head" : `index ${found} stands where it should be`,
    todo: restore,
  });
}

export function trimmedAway(wanted: number, trimmed: number): JournalHalt {
  return new JournalHalt("trimmed", {
    what: `index ${wanted} was trimmed away`,
    why: `this journal begins at index ${trimmed + 1}`,
    todo: "Load a snapshot and go on from there",
  });
}

export function brokenChain(index: number): JournalHalt {
  return new JournalHalt("broken_chain", {
    what: `the batch at index ${index} does not continue index ${index - 1}`,
    why: "the hash it names is not the hash of the batch before it",
    todo: restore,
  });
}

export function foreignJournal(own: string, found: string): JournalHalt {
  return new JournalHalt("foreign_journal", {
    what: `expected journal ${own} and found ${found}`,
    why: "batches of two journals must never mix",
    todo: "Point this master at its own journal, or at an empty one",
  });
}

export function headWentBack(found: number, seen: number): JournalHalt {
  return new JournalHalt("head_went_back", {
    what: `the journal ends at index ${found} but index ${seen} was seen before`,
    why: "acknowledged decisions are gone, as after restoring an old copy",
    todo: "Do not start workers against it; restore the newest copy of the journal",
  });
}
