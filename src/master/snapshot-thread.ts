// The thread that makes snapshots (A4): folds the last snapshot and the batches after it, writes the file,
// loads it again and compares. The leader's loop only hands over bytes.

import { parentPort } from "node:worker_threads";
import { createDigestMemory, digest } from "../core/digest.ts";
import { createState } from "../core/state.ts";
import type { State } from "../core/state.ts";
import { DigestWitness, foldBatch } from "./replay.ts";
import { decodeSnapshot, decodeWhole, encodeSnapshot } from "./snapshot-state.ts";
import type { SnapshotAnswer, SnapshotAsk } from "./snapshot-wire.ts";
import { readSnapshot, writeSnapshot } from "./snapshots/snapshots.ts";

let dir = "";
let state: State = createState("");

const witness = new DigestWitness();

parentPort?.on("message", (ask: SnapshotAsk) => {
  handle(ask).then(
    (answer) => answer && parentPort?.postMessage(answer),
    (error: unknown) => {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      parentPort?.postMessage({ kind: "failed", why } satisfies SnapshotAnswer);
    },
  );
});

async function handle(ask: SnapshotAsk): Promise<SnapshotAnswer | undefined> {
  if (ask.kind === "begin") {
    dir = ask.dir;
    state =
      ask.from === null ? createState(ask.journalId) : decodeSnapshot(await readSnapshot(ask.from));
    return { kind: "folded", index: state.index };
  }
  if (ask.kind === "give") {
    state = decodeWhole(ask.bytes);
    return { kind: "folded", index: state.index };
  }
  if (ask.kind === "fold") {
    for (const batch of ask.batches) {
      if (batch.index > state.index) foldBatch(state, batch, witness.check);
    }
    return { kind: "folded", index: state.index };
  }
  if (ask.kind === "digest") return { kind: "digest", digest: digestOfAll() };
  return finish();
}

async function finish(): Promise<SnapshotAnswer> {
  const { journalId, index, term, time, wall } = state;
  if (witness.last) {
    const { index: at, own: found, recorded } = witness.last;
    throw new Error(`digest ${found} before batch ${at}, the journal says ${recorded}`);
  }
  const own = digestOfAll();
  const bytes = encodeSnapshot(state);
  const written = await writeSnapshot(dir, {
    journalId,
    index,
    term,
    time,
    wall,
    digest: own,
    bytes,
  });
  decodeSnapshot(await readSnapshot(written.file));
  return { kind: "done", index, digest: own, file: written.file };
}

/** A digest from scratch: everything counts as touched. */
function digestOfAll(): string {
  for (const number of state.jobs.keys()) state.touched.jobs.add(number);
  for (const number of state.workers.keys()) state.touched.workers.add(number);
  return digest(state, createDigestMemory());
}
