// A new master's ground (A6): when the journal begins after its own newest snapshot, it copies snapshot, archive and
// history from another master, before it opens any of them. What it cannot get it names.
//
//   U1. A file has its final name only once it is whole, verified and fsynced: a crash leaves what was there before.
//   U2. A snapshot is verified by loading it; an archive by opening it; a history cuts what is torn when it is opened.
//   U3. Only what is not here is copied: an archive or a history with something in it stays as it is, and says itself
//       what it lacks.

import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { delay } from "../lib/abort.ts";
import type { Journal } from "../journal/journal.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { openArchive } from "./archive/sqlite-archive.ts";
import { listSegments } from "./history/history-folder.ts";
import { openFromPeer, peerFilePaths } from "./peer-http.ts";
import { PeerDownload } from "./peer-download.ts";
import type { HistoryFile } from "./peer-files.ts";
import { decodeSnapshot } from "./snapshot-state.ts";
import { latestUsable, readSnapshot, snapshotName, syncFolder } from "./snapshots/snapshots.ts";

export interface CatchUpOptions {
  /** The master's own directory; nothing in it is open but the journal. */
  readonly dir: string;
  readonly journal: Pick<Journal, "journalId" | "trimmed">;
  /** Other masters; asked for anew in every round, since they may be starting too. */
  readonly addresses: () => readonly string[];
  readonly token: string;
  readonly log: Log;
  /** How long others are looked for. */
  readonly tryMs?: number | undefined;
}

export interface CaughtUp {
  /** Whether anything had to be copied. */
  readonly needed: boolean;
  /** What this master has not got, in words; also in its log. */
  readonly lacks: readonly string[];
}

const nothing: CaughtUp = { needed: false, lacks: [] };
const retryMs = 300;

/** Never rejects for want of another master: what follows from a lack is for ground.ts to say. */
export async function catchUp(options: CatchUpOptions): Promise<CaughtUp> {
  const { journal, log, dir } = options;
  const trimmed = await journal.trimmed();
  if (trimmed === 0) return nothing;
  if ((await newestSnapshot(options)) >= trimmed) return nothing;
  if (options.addresses().length === 0) return lacking(options, trimmed, ["the state"]);
  log.info("this master is new to its journal: it copies from another one", { trimmed });
  const lacks: string[] = [];
  const download = await PeerDownload.open(join(dir, "incoming"));
  try {
    const took = async (what: string, copy: (address: string) => Promise<void>) => {
      if (!(await fromAny(options, what, copy))) lacks.push(what);
    };
    await took("the state", (address) => takeSnapshot(options, download, address, trimmed));
    if (existsSync(archiveFile(dir))) {
      log.info("the archive that is here stays; it will say what it lacks", { dir });
    } else await took("the archive", (address) => takeArchive(options, download, address));
    await took("the history", (address) => takeHistory(options, download, address));
  } finally {
    await download.close();
  }
  return lacking(options, trimmed, lacks);
}

/** For a master that runs, and whose own snapshot is before the journal's beginning. Rejects when nobody has one. */
export async function copySnapshot(options: CatchUpOptions): Promise<void> {
  const trimmed = await options.journal.trimmed();
  const download = await PeerDownload.open(join(options.dir, "incoming"));
  try {
    const take = (address: string) => takeSnapshot(options, download, address, trimmed);
    if (await fromAny(options, "the state", take)) return;
  } finally {
    await download.close();
  }
  throw new Error(`no other master gave a snapshot at ${trimmed} or later`);
}

function lacking({ log }: CatchUpOptions, trimmed: number, lacks: readonly string[]): CaughtUp {
  for (const what of lacks) {
    log.warn("a new master could not copy what it needs", { what, before: trimmed + 1 });
  }
  return { needed: true, lacks };
}

async function newestSnapshot({ dir, journal }: CatchUpOptions): Promise<number> {
  const { journalId } = journal;
  const { found } = await latestUsable(join(dir, "snapshots"), { journalId });
  return found?.file.index ?? 0;
}

/** One master after the other, round after round. */
async function fromAny(
  { addresses, log, tryMs = limits.catchUpMs }: CatchUpOptions,
  what: string,
  copy: (address: string) => Promise<void>,
): Promise<boolean> {
  const until = performance.now() + tryMs;
  for (;;) {
    if (addresses().length === 0) return false;
    for (const address of addresses()) {
      try {
        await copy(address);
        log.info("copied from another master", { what, from: address });
        return true;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        log.warn("a copy from another master failed", { what, from: address, why });
      }
    }
    if (performance.now() >= until) return false;
    await delay(retryMs);
  }
}

// ── snapshot ─────────────────────────────────────────────────────────────────────────────

async function takeSnapshot(
  { dir, journal, token }: CatchUpOptions,
  download: PeerDownload,
  address: string,
  trimmed: number,
): Promise<void> {
  const file = await download.get(address, peerFilePaths.snapshot, { token, resume: true });
  const snapshot = await readSnapshot(file).catch(async (error: unknown) => {
    await download.discard(file); // or it would be gone on with
    throw error;
  });
  if (snapshot.journalId !== journal.journalId) {
    throw new Error(`its snapshot is of journal ${snapshot.journalId}`);
  }
  if (snapshot.index < trimmed) {
    throw new Error(`its snapshot is at ${snapshot.index}, the journal begins after ${trimmed}`);
  }
  decodeSnapshot(snapshot); // U2
  await keep(file, join(dir, "snapshots"), snapshotName(snapshot.index));
}

// ── archive ──────────────────────────────────────────────────────────────────────────────

function archiveFile(dir: string): string {
  return join(dir, "archive.db");
}

/** Making its copy may take the other master as long as writing it does. */
const archiveBeginMs = 10 * 60_000;

async function takeArchive(
  { dir, journal, token }: CatchUpOptions,
  download: PeerDownload,
  address: string,
): Promise<void> {
  const get = { token, resume: false, beginMs: archiveBeginMs };
  const path = await download.get(address, peerFilePaths.archive, get);
  // Says whether it is an archive, whole enough to be opened, and of this journal.
  const archive = await openArchive({ path, journalId: journal.journalId });
  await archive[Symbol.asyncDispose]();
  await keep(path, dir, "archive.db");
}

// ── history ──────────────────────────────────────────────────────────────────────────────

async function takeHistory(
  { dir, token }: CatchUpOptions,
  download: PeerDownload,
  address: string,
): Promise<void> {
  const folder = join(dir, "history");
  const own = await listSegments(folder);
  for (const { name, first, last } of await historyOf(address, token)) {
    if (own.some((segment) => segment.first <= last && segment.last >= first)) continue; // U3
    const path = `${peerFilePaths.history}/${name}`;
    const file = await download.get(address, path, { token, resume: true });
    await keep(file, folder, name);
  }
}

async function historyOf(address: string, token: string): Promise<readonly HistoryFile[]> {
  const body = await openFromPeer(address, peerFilePaths.history, { token });
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece as Uint8Array); // a stream without an encoding
  const { files } = JSON.parse(Buffer.concat(pieces).toString()) as { files?: unknown };
  if (!Array.isArray(files) || !files.every(isHistoryFile)) {
    throw new Error("its list of history files cannot be read");
  }
  return files;
}

/** The names are used as names of files here: nothing but what a segment is called. */
function isHistoryFile(file: unknown): file is HistoryFile {
  if (typeof file !== "object" || file === null || !("name" in file)) return false;
  const { name, first, last } = file as Partial<HistoryFile>;
  return /^[\d-]+\.(gz|plain)$/.test(String(name)) && Number(first) <= Number(last);
}

/** U1. */
async function keep(file: string, folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const to = join(folder, name);
  await rm(to, { force: true });
  await rename(file, to);
  await syncFolder(folder);
}
