// The file of a golden journal: encoded batches as the engines store them, each after its length (4 bytes, big
// endian). Beside it stands a JSON file with what replaying it must give.

import { decodeBatch } from "../../src/journal/batch.ts";
import { checkNext, headOf } from "../../src/journal/chain.ts";
import { emptyHead } from "../../src/journal/journal.ts";
import type { StoredBatch } from "../../src/journal/journal.ts";
import type { EntryKind } from "../../src/core/entry.ts";
import { createState } from "../../src/core/state.ts";
import { decodeEntries } from "../../src/master/codec.ts";
import { createDigestCheck, foldBatch } from "../../src/master/replay.ts";
import { digestOf } from "../simulator/check-state.ts";
import { showState } from "../scenarios/show.ts";

export interface Outcome {
  readonly batches: number;
  readonly entries: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly digest: string;
  /** The state as people read it: what a difference in the digest is about. */
  readonly state: readonly string[];
}

/** A new kind of entry must be listed here, and then told by a new golden journal. */
const kinds: Readonly<Record<EntryKind, true>> = {
  elected: true,
  renewed: true,
  resigned: true,
  masterJoined: true,
  masterLeft: true,
  featureLevel: true,
  digest: true,
  jobCreated: true,
  partAdded: true,
  jobClosed: true,
  jobStopping: true,
  swept: true,
  woken: true,
  retired: true,
  forgotten: true,
  assigned: true,
  outcomes: true,
  attemptFailed: true,
  released: true,
  unassigned: true,
  reported: true,
  workerRegistered: true,
  workerChanged: true,
  workerLost: true,
  workerForgotten: true,
  braked: true,
  reserved: true,
  queueSet: true,
  keysForgotten: true,
  payloadsFreed: true,
  snapshotTaken: true,
  trimmed: true,
};

export function untold(outcome: Outcome): string[] {
  return Object.keys(kinds).filter((kind) => !Object.hasOwn(outcome.kinds, kind));
}

export function packBatches(batches: readonly Uint8Array[]): Uint8Array {
  const packed = new Uint8Array(batches.reduce((sum, bytes) => sum + 4 + bytes.length, 0));
  const view = new DataView(packed.buffer);
  let offset = 0;
  for (const bytes of batches) {
    view.setUint32(offset, bytes.length);
    packed.set(bytes, offset + 4);
    offset += 4 + bytes.length;
  }
  return packed;
}

/** Batches of one journal, checked as a master checks them: format, CRC, chain. */
export function unpackBatches(packed: Uint8Array): StoredBatch[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const batches: StoredBatch[] = [];
  let head = emptyHead;
  for (let offset = 0; offset < packed.length;) {
    const end = offset + 4 + view.getUint32(offset);
    const batch = decodeBatch(packed.subarray(offset + 4, end));
    checkNext(batches[0]?.journalId ?? batch.journalId, head, batch);
    head = headOf(batch);
    batches.push(batch);
    offset = end;
  }
  return batches;
}

/** Folds all of it; every digest that the journal holds must be the state's own (L10). */
export function replay(batches: readonly StoredBatch[]): Outcome {
  const state = createState(batches[0]?.journalId ?? "");
  const check = createDigestCheck((index, own, recorded) => {
    throw new Error(`before batch ${index} the state's digest is ${own}, recorded is ${recorded}`);
  });
  const counts = new Map<string, number>();
  for (const batch of batches) {
    foldBatch(state, batch, check);
    for (const { kind } of decodeEntries(batch.bytes, batch.format)) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  const names = { job: (number: number) => `#${number}`, worker: (number: number) => `#${number}` };
  return {
    batches: batches.length,
    entries: [...counts.values()].reduce((sum, count) => sum + count, 0),
    kinds: Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    digest: digestOf(state),
    state: showState(state, names),
  };
}
