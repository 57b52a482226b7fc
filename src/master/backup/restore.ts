// A backup becomes a data directory of a new cluster: one that goes on where the old one was, under a journal id of
// its own. So workers of the old one, which may still run what it had ordered, are refused (their hello names the old
// journal), and the old one, should it come back, can never mix with the new.
//
//   T1  The directory is new, or nothing is done; what fails leaves nothing behind.
//   T2  The journal is made last: without it a master would begin anew, with it all else is there.
//   T3  It is verified by loading it as a master does.

import { createReadStream, existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { createDigestMemory, digest } from "../../core/digest.ts";
import { decodeState, encodeState } from "../../core/snapshot.ts";
import type { State } from "../../core/state.ts";
import { encodeBatch, newBatchId, newJournalId } from "../../journal/batch.ts";
import { JournalHalt } from "../../journal/halt.ts";
import type { StoredBatch } from "../../journal/journal.ts";
import { openJournal } from "../../journal/engines.ts";
import { beginSqliteJournal } from "../../journal/sqlite-begin.ts";
import { silentLog } from "../../lib/log.ts";
import { makeDir } from "../../lib/make-dir.ts";
import { mastersDir } from "../../lib/master-addresses.ts";
import { openPayloadStore } from "../../payloads/payload-store.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { giveArchive } from "../archive/archive-owner.ts";
import { openArchive } from "../archive/sqlite-archive.ts";
import { ground } from "../ground.ts";
import { encodeSnapshot, decodeSnapshot } from "../snapshot-state.ts";
import { latestUsable, writeSnapshot } from "../snapshots/snapshots.ts";
import type { BackupEnd } from "./backup.ts";
import { foldAll } from "./fold.ts";
import { unpack } from "./pack.ts";

export interface RestoreOptions {
  readonly file: string;
  readonly dataDir: string;
  /** Of the master that is to start there first. */
  readonly id: string;
  readonly onStep?: (what: string) => void;
}

export interface Restored {
  readonly from: BackupEnd;
  readonly journalId: string;
  readonly jobs: number;
}

export async function restore(options: RestoreOptions): Promise<Restored> {
  const { dataDir, id } = options;
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new SkeinError("conflict", `${dataDir} is not empty.`, {
      hint: "Name a directory that does not exist: nothing is ever restored over anything.",
    });
  }
  makeDir(dataDir, 0o700);
  try {
    return await restoreTo(options, join(mastersDir(dataDir), id));
  } catch (error) {
    for (const name of await readdir(dataDir)) {
      await rm(join(dataDir, name), { recursive: true, force: true }); // T1
    }
    throw error;
  }
}

async function restoreTo(options: RestoreOptions, own: string): Promise<Restored> {
  const { file, dataDir, onStep = () => {} } = options;
  const parts = join(dataDir, "parts");
  onStep("files");
  const from = checkEnd(await unpack(file, parts), file);
  onStep("state");
  const journalId = newJournalId();
  await mkdir(own, { recursive: true, mode: 0o700 });
  const path = join(own, "archive.db");
  await rename(join(parts, "archive.db"), path);
  giveArchive(path, { from: from.journalId, to: journalId });
  const snapshot = join(parts, "snapshot.skein");
  const archive = await openArchive({ path, journalId });
  try {
    const { state, last } = await foldAll({
      snapshot: existsSync(snapshot) ? snapshot : undefined,
      history: join(parts, "history"),
      journalId: from.journalId,
      archive,
    });
    await archive.flush();
    if (last.index !== from.index || archive.added !== from.index) throw incomplete(from, last);
    onStep("payloads");
    await putPayloads(join(parts, "payloads"), join(own, "payloads"));
    await rm(parts, { recursive: true });
    onStep("journal");
    await keepSnapshot(renamed(state, journalId), join(own, "snapshots"));
    beginSqliteJournal(join(dataDir, "journal.db"), firstBatch(last, journalId));
  } finally {
    await archive[Symbol.asyncDispose]();
  }
  onStep("check");
  return { from, journalId, jobs: await verified(dataDir, own) };
}

function checkEnd(end: unknown, file: string): BackupEnd {
  const { format } = (end ?? {}) as Partial<BackupEnd>;
  if (format === 1) return end as BackupEnd; // its hash was right: it is what backup.ts wrote
  throw new SkeinError("data_unusable", `The backup ${file} is of format ${String(format)}.`, {
    hint: "Use the version of Skein that made it, or a newer one.",
  });
}

function incomplete({ index }: BackupEnd, last: StoredBatch): SkeinError {
  const message = `The backup is of batch ${index}, what it holds ends at ${last.index}.`;
  return new SkeinError("data_unusable", message, { hint: "Use another backup." });
}

/** The same state in another journal, which nobody leads, and whose masters are yet to come. */
function renamed(state: State, journalId: string): State {
  const encoded = encodeState(state) as Record<string, never>; // it encodes an object
  const { index } = state;
  const begun = { snapshotIndex: index, trimIndex: index };
  return decodeState({ ...encoded, journalId, leader: null, masters: [], ...begun });
}

async function keepSnapshot(state: State, dir: string): Promise<void> {
  const { journalId, index, term, time, wall } = state;
  const header = { journalId, index, term, time, wall };
  const sum = digest(state, createDigestMemory());
  await writeSnapshot(dir, { ...header, digest: sum, bytes: encodeSnapshot(state) });
}

function firstBatch(last: StoredBatch, journalId: string) {
  const { hash: _, ...batch } = last;
  return encodeBatch({ ...batch, journalId, batchId: newBatchId() });
}

async function putPayloads(from: string, to: string): Promise<void> {
  const store = await openPayloadStore({ dir: to });
  const hashes = existsSync(from) ? await readdir(from) : [];
  for (const hash of hashes) {
    await store.put(hash, createReadStream(join(from, hash)), { maxBytes: limits.payloadBytesMax });
  }
}

/** T3: returns the jobs in its state. */
async function verified(dataDir: string, own: string): Promise<number> {
  await using journal = await openJournal(`sqlite:${join(dataDir, "journal.db")}`);
  const { journalId } = journal;
  await journal.verify();
  await using archive = await openArchive({ path: join(own, "archive.db"), journalId });
  const { state, doubts } = await ground({
    journal,
    archive,
    history: { added: Infinity } as never, // a new one begins with the first master
    log: silentLog,
    incarnation: "",
    snapshot: async (indexMax) => {
      const { found } = await latestUsable(join(own, "snapshots"), { journalId, indexMax });
      return found && decodeSnapshot(found.snapshot);
    },
  });
  if (doubts > 0) {
    throw new JournalHalt("corrupt", {
      what: `the digest in batch ${doubts} of the backup is of another state`,
      why: "whoever wrote it had a corrupt memory, or the backup is damaged",
      todo: "restore an older backup, and keep this one to report it",
    });
  }
  return state.jobs.size;
}
