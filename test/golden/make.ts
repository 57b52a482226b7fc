// Writes the golden journal of this release:  npx tsx test/golden/make.ts
//
// Run it once for every release, right before it is tagged, and commit what it writes. Journals of releases are
// never written anew: that an old one no longer replays is the very news this is for. Before the release its own
// may be replaced, when the story or the entries have changed:  npx tsx test/golden/make.ts --again

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Entry } from "../../src/core/entry.ts";
import { createState } from "../../src/core/state.ts";
import { openTurn } from "../../src/core/machine.ts";
import { emit } from "../../src/core/turn.ts";
import { decodeBatch, encodeBatch } from "../../src/journal/batch.ts";
import type { EncodedBatch } from "../../src/journal/batch.ts";
import { encodeEntries, entriesFormat } from "../../src/master/codec.ts";
import { createDigestCheck, foldBatch } from "../../src/master/replay.ts";
import { digestOf } from "../simulator/check-state.ts";
import { runScript } from "../scenarios/run-script.ts";
import { packBatches, replay, unpackBatches, untold } from "./golden.ts";

const folder = new URL(".", import.meta.url);
const manifest = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as { readonly version: string };
const journalFile = new URL(`${manifest.version}.journal`, folder);

if (existsSync(journalFile) && !process.argv.includes("--again")) {
  console.error(`${manifest.version}.journal is there already; see the top of this file`);
  process.exit(1);
}

const { world } = runScript(readFileSync(new URL("story.txt", folder), "utf8"));
const batches = [...world.journal.batches, ...fromElsewhere(world.journal.batches)];
const packed = packBatches(batches.map(({ bytes }) => bytes));
const outcome = replay(unpackBatches(packed));
const missing = untold(outcome);
if (missing.length > 0) throw new Error(`the story does not tell of ${missing.join(", ")}`);
writeFileSync(journalFile, packed);
const jsonFile = new URL(`${manifest.version}.json`, folder);
writeFileSync(jsonFile, `${JSON.stringify(outcome, null, 2)}\n`);
console.log(`${outcome.batches} batches, ${outcome.entries} entries, ${packed.length} bytes`);

/** Entries of masters among themselves, and those that nothing decides yet: one batch each. */
function fromElsewhere(before: readonly EncodedBatch[]): EncodedBatch[] {
  const last = before.at(-1);
  if (!last) throw new Error("the story is empty");
  const state = createState(last.journalId);
  const check = createDigestCheck(() => {});
  for (const { bytes } of before) foldBatch(state, decodeBatch(bytes), check);
  const addresses = ["http://m2"];
  const made: EncodedBatch[] = [];
  const add = (term: number, entry: Entry) => {
    const turn = openTurn(state, term, state.time + 500, state.wall + 500);
    emit(turn, entry);
    made.push(encodeTurn(made.at(-1) ?? last, turn));
  };
  const { term } = state;
  const lost = [...state.workers.values()].find((worker) => worker.state === "lost");
  add(term, { kind: "masterJoined", v: 1, id: "m2", incarnation: "1", addresses });
  add(term, { kind: "masterJoined", v: 1, id: "m3", incarnation: "1", addresses: [] });
  add(term, { kind: "masterLeft", v: 1, id: "m3" });
  add(term, { kind: "renewed", v: 1 });
  add(term, { kind: "featureLevel", v: 1, level: 1 });
  add(term, { kind: "workerForgotten", v: 1, worker: lost?.number ?? 0 });
  add(term, { kind: "resigned", v: 1, to: "m2", digest: digestOf(state) });
  const elected = { term: term + 1, id: "m2", incarnation: "1", addresses };
  add(term + 1, { kind: "elected", v: 1, ...elected, digest: digestOf(state) });
  return made;
}

function encodeTurn(previous: EncodedBatch, turn: ReturnType<typeof openTurn>): EncodedBatch {
  return encodeBatch({
    journalId: previous.journalId,
    index: turn.index,
    term: turn.term,
    batchId: `${turn.index}`.padStart(32, "0"),
    previousHash: previous.hash,
    format: entriesFormat,
    time: turn.time,
    wall: turn.wall,
    bytes: encodeEntries(turn.entries),
  });
}
