// The state at the end of what a backup holds: its snapshot, and every batch of its history after that.

import { createState } from "../../core/state.ts";
import type { State } from "../../core/state.ts";
import { decodeBatch } from "../../journal/batch.ts";
import { checkNext, headOf } from "../../journal/chain.ts";
import type { StoredBatch } from "../../journal/journal.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { Archive } from "../archive/archive.ts";
import { feedArchive } from "../feed.ts";
import { listSegments } from "../history/history-folder.ts";
import { readSegment } from "../history/segment.ts";
import { DigestWitness, foldBatch } from "../replay.ts";
import { decodeSnapshot } from "../snapshot-state.ts";
import { readSnapshot } from "../snapshots/snapshots.ts";

export interface Folded {
  readonly state: State;
  /** The batch it stands at. */
  readonly last: StoredBatch;
}

export interface FoldOptions {
  readonly snapshot: string | undefined;
  readonly history: string;
  readonly journalId: string;
  /** Fed with what it lacks. */
  readonly archive?: Archive;
}

/** Every batch is checked: its bytes, its place, its chain, and the digests in it. */
export async function foldAll(options: FoldOptions): Promise<Folded> {
  const { journalId, archive } = options;
  const state =
    options.snapshot === undefined
      ? createState(journalId)
      : decodeSnapshot(await readSnapshot(options.snapshot));
  if (state.journalId !== journalId) throw unusable(`its snapshot is of ${state.journalId}`);
  const witness = new DigestWitness();
  let last: StoredBatch | undefined;
  for await (const batch of batchesIn(options.history, journalId)) {
    if (batch.index <= state.index) last = batch;
    if (batch.index <= state.index) continue;
    foldBatch(state, batch, witness.check, (effects) => {
      if (!archive || batch.index <= archive.added) return;
      feedArchive(state, { index: batch.index, wall: batch.wall, effects }, archive);
    });
    last = batch;
  }
  if (witness.last) {
    const { index, own, recorded } = witness.last;
    throw unusable(`the state before batch ${index} has digest ${own}, not ${recorded}`);
  }
  if (last?.index === state.index) return { state, last };
  throw unusable(`its state is at batch ${state.index}, its history ends at ${last?.index ?? 0}`);
}

async function* batchesIn(folder: string, journalId: string): AsyncGenerator<StoredBatch> {
  let before: StoredBatch | undefined;
  for (const segment of await listSegments(folder)) {
    for (const { bytes } of await readSegment(segment)) {
      const batch = decodeBatch(bytes);
      if (before && batch.index <= before.index) continue; // a segment that was sealed meanwhile
      // What was pruned or lost long ago makes a gap; what follows the snapshot is checked again when folded.
      if (before?.index === batch.index - 1) checkNext(journalId, headOf(before), batch);
      before = batch;
      yield batch;
    }
  }
}

function unusable(why: string): SkeinError {
  return new SkeinError("data_unusable", `This backup holds no sound state: ${why}.`, {
    hint: "Make a new one, or use an older one.",
  });
}
