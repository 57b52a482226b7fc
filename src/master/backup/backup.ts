// A backup of a running cluster, taken from any master without stopping it: its newest snapshot, its archive as of
// now, its history, and the payloads that the state at the end of that history names. It is verified by folding.
//
// The order matters: the archive is never behind the snapshot, and the history never behind the archive.

import { mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { delay } from "../../lib/abort.ts";
import { version } from "../../lib/version.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { openArchive } from "../archive/sqlite-archive.ts";
import type { HistoryFile } from "../peer-files.ts";
import { getFromPeer, openFromPeer, peerFilePaths } from "../peer-http.ts";
import { readSnapshot } from "../snapshots/snapshots.ts";
import { foldAll } from "./fold.ts";
import { pack } from "./pack.ts";

export interface BackupOptions {
  readonly file: string;
  /** Of masters: the first takes the files; payloads come from whoever has them. */
  readonly addresses: readonly string[];
  readonly token: string;
  readonly journalId: string;
  readonly onStep?: (what: string) => void;
}

/** What a backup says of itself, at its end. */
export interface BackupEnd {
  readonly format: 1;
  readonly journalId: string;
  readonly index: number;
  readonly term: number;
  readonly wall: number;
  readonly version: string;
  readonly payloads: number;
  /** Hashes of payloads that no master had. */
  readonly lacks: readonly string[];
}

export interface BackedUp extends BackupEnd {
  readonly bytes: number;
}

/** Making the copy of the archive may take as long as writing it does. */
const archiveBeginMs = 10 * 60_000;
const historyTries = 100;
const historyMs = 100;

export async function backUp(options: BackupOptions): Promise<BackedUp> {
  const work = `${options.file}.parts`;
  await rm(work, { recursive: true, force: true });
  await mkdir(join(work, "history"), { recursive: true, mode: 0o700 });
  try {
    return await collect(options, work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function collect(options: BackupOptions, work: string): Promise<BackedUp> {
  const { journalId, onStep = () => {} } = options;
  const files = new Map<string, string>();
  onStep("state");
  const snapshot = join(work, "snapshot.skein");
  const hasSnapshot = await fetchTo(options, peerFilePaths.snapshot, snapshot);
  if (hasSnapshot) files.set("snapshot.skein", snapshot);
  onStep("archive");
  const path = join(work, "archive.db");
  await fetchTo(options, peerFilePaths.archive, path, archiveBeginMs);
  const archive = await openArchive({ path, journalId });
  const { added } = archive;
  await archive[Symbol.asyncDispose]();
  files.set("archive.db", path);
  onStep("history");
  const from = hasSnapshot ? (await readSnapshot(snapshot)).index : 1;
  for (const name of await takeHistory(options, join(work, "history"), from, added)) {
    files.set(`history/${name}`, join(work, "history", name));
  }
  const { state, last } = await foldAll({
    snapshot: hasSnapshot ? snapshot : undefined,
    history: join(work, "history"),
    journalId,
  });
  onStep("payloads");
  const lacks = await takePayloads(
    options,
    [...state.payloads.keys()],
    join(work, "payloads"),
    files,
  );
  const { index, term, wall } = last;
  const payloads = state.payloads.size - lacks.length;
  const end = { format: 1, journalId, index, term, wall, version, payloads, lacks } as const;
  return { ...end, bytes: await pack(options.file, files, end) };
}

/** Segments that hold what follows the snapshot, up to what the archive has. */
async function takeHistory(
  options: BackupOptions,
  folder: string,
  from: number,
  upTo: number,
): Promise<string[]> {
  for (let tries = 0; tries < historyTries; tries++) {
    const listed = (await historyOf(options)).filter(({ last }) => last >= from);
    // One that is sealed while it is copied is asked for by a name that is gone: all are listed anew.
    if ((listed.at(-1)?.last ?? 0) >= upTo && (await takeSegments(options, folder, listed))) {
      return listed.map(({ name }) => name);
    }
    await delay(historyMs);
  }
  throw new SkeinError("stalled", `The master's history does not reach batch ${upTo}.`);
}

async function takeSegments(
  options: BackupOptions,
  folder: string,
  listed: readonly HistoryFile[],
): Promise<boolean> {
  await rm(folder, { recursive: true, force: true });
  for (const { name } of listed) {
    const path = `${peerFilePaths.history}/${name}`;
    if (!(await fetchTo(options, path, join(folder, name)))) return false;
  }
  return true;
}

async function historyOf({ addresses, token }: BackupOptions): Promise<readonly HistoryFile[]> {
  const body = await openFromPeer(addresses[0] ?? "", peerFilePaths.history, { token });
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece as Uint8Array); // a stream without an encoding
  const { files } = JSON.parse(Buffer.concat(pieces).toString()) as { files: HistoryFile[] };
  const safe = files.filter(({ name }) => /^[\d-]+\.(gz|plain)$/.test(name));
  return safe.toSorted((a, b) => a.first - b.first);
}

async function takePayloads(
  options: BackupOptions,
  hashes: readonly string[],
  folder: string,
  files: Map<string, string>,
): Promise<string[]> {
  const lacks: string[] = [];
  for (const hash of hashes) {
    const path = join(folder, hash);
    let found = false;
    for (const address of options.addresses) {
      found = await fetchTo({ ...options, addresses: [address] }, `/v1/payloads/${hash}`, path);
      if (found) break;
    }
    if (found) files.set(`payloads/${hash}`, path);
    else lacks.push(hash);
  }
  return lacks;
}

/** False when the master has no such file; rejects when it is cut. */
async function fetchTo(
  { addresses, token }: BackupOptions,
  path: string,
  to: string,
  beginMs?: number,
): Promise<boolean> {
  const get = { token, ...(beginMs === undefined ? {} : { beginMs }) };
  const { status, headers, body } = await getFromPeer(addresses[0] ?? "", path, get);
  if (status !== 200) {
    body.on("error", () => {}); // what is left of it matters no more
    body.destroy();
    if (status === 404 || status === 503) return false;
    throw new SkeinError("unreachable", `${addresses[0]} answered ${path} with ${status}.`);
  }
  await mkdir(dirname(to), { recursive: true });
  const handle = await open(to, "w", 0o600);
  try {
    let bytes = 0;
    for await (const piece of body) {
      await handle.appendFile(piece as Uint8Array);
      bytes += (piece as Uint8Array).length;
    }
    if (bytes === Number(headers["content-length"] ?? bytes)) return true;
    throw new SkeinError("unreachable", `${path} was cut after ${bytes} bytes.`);
  } finally {
    await handle.close();
  }
}
