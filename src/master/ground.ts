// The ground a master starts from: the state at the journal's head. From the newest usable snapshot and every
// batch after it, which also feeds the archive what it lacks (A2, A4).

import { createState } from "../core/state.ts";
import type { State } from "../core/state.ts";
import { JournalHalt } from "../journal/halt.ts";
import type { Journal } from "../journal/journal.ts";
import { zeroHash } from "../journal/journal.ts";
import type { Log } from "../lib/log.ts";
import type { Archive } from "./archive/archive.ts";
import { feedArchive } from "./feed.ts";
import type { History } from "./history/history.ts";
import type { Grounded } from "./loop-ports.ts";
import { DigestWitness, foldBatch } from "./replay.ts";
import type { Difference } from "./replay.ts";

export interface GroundOptions {
  readonly journal: Journal;
  readonly archive: Archive;
  readonly history: History;
  readonly log: Log;
  /** The newest usable snapshot up to an index, if there is one. */
  readonly snapshot: (indexMax: number) => Promise<State | undefined>;
  /** Of the master that asks. A last digest that differs is no halt unless it is alone, or wrote it itself (L10). */
  readonly incarnation: string;
}

export async function ground(options: GroundOptions): Promise<Grounded> {
  for (;;) {
    const before = await options.journal.trimmed();
    try {
      return await groundOnce(options, before);
    } catch (error) {
      // A trim under the reader is no halt: there is a newer snapshot then, here or with another master.
      const overtaken = error instanceof JournalHalt && error.kind === "trimmed";
      if (!overtaken || (await options.journal.trimmed()) <= before) throw error;
      options.log.info("the journal was trimmed while it was read; starting over", { before });
    }
  }
}

async function groundOnce(options: GroundOptions, trimmed: number): Promise<Grounded> {
  const { journal, archive, history, log } = options;
  // From where the archive ends, so that it is fed all it lacks; else from the newest there is.
  let loaded = await options.snapshot(archive.added);
  if ((loaded?.index ?? 0) < trimmed) loaded = await options.snapshot(Infinity);
  const state = loaded ?? createState(journal.journalId);
  if (state.index < trimmed) {
    throw new JournalHalt("trimmed", {
      what: `the journal begins at batch ${trimmed + 1}, the newest usable snapshot is at ${state.index}`,
      why: "what lies between them is not here any more",
      todo: "restore a newer snapshot into the data directory, or restore from a backup",
    });
  }
  const from = state.index;
  // What is gone before the archive had it, it lacks for ever, and says so (A6).
  if (archive.added < from) {
    const [first, last] = [archive.added + 1, from];
    log.warn("the archive lacks what was recorded before the snapshot", { first, last });
    archive.skipTo(from);
  }
  const witness = new DigestWitness((difference) => {
    log.error("the journal's digest is not what folding it gives", { ...difference });
  });
  let hash = zeroHash;
  for (;;) {
    // A leader whose batch was refused goes on from here: that must be its own last one, not what a reader behind
    // the head would show. And the head's hash is this state's only if it is the head's.
    const head = await journal.head();
    checkHead(head.index, "snapshot is at", from);
    checkHead(head.index, "archive is at", archive.added);
    if (hash === zeroHash && head.index === state.index) hash = head.hash;
    if (head.index <= state.index) break;
    for (const batch of await journal.readAfter(state.index)) {
      hash = batch.hash;
      if (batch.index > history.added) history.add(batch.index, batch.wall, batch.encoded);
      foldBatch(state, batch, witness.check, (effects) => {
        if (batch.index <= archive.added) return;
        feedArchive(state, { index: batch.index, wall: batch.wall, effects }, archive);
      });
    }
  }
  log.info("state is at the head of the journal", {
    index: state.index,
    term: state.term,
    jobs: state.jobs.size,
    snapshot: from,
  });
  const { last } = witness;
  // Others can say who is right; alone, nobody can, and nobody else wrote what a leader wrote. The last digest is of
  // the term that is on, since an election carries one.
  const own = state.leader?.incarnation === options.incarnation;
  if (last && (own || state.masters.size < 2)) throw contradicted(last);
  return { state, hash, doubts: last?.index ?? 0 };
}

function contradicted({ index, own, recorded }: Difference): JournalHalt {
  return new JournalHalt("corrupt", {
    what: `the state before batch ${index} has digest ${own}, the journal says ${recorded}`,
    why: "replaying must give the same state everywhere",
    todo: "keep all files and report this; do not delete the journal",
  });
}

/** What was durable once must be in the journal still, or under a snapshot of it (J5). */
function checkHead(head: number, what: string, index: number): void {
  if (head >= index) return;
  throw new JournalHalt("head_went_back", {
    what: `the journal ends at batch ${head}, the ${what} ${index}`,
    why: "the journal has lost what was acknowledged",
    todo: "restore the journal file that belongs to this data directory",
  });
}
