// Snapshot files (A4): the state at one index, as bytes that mean nothing here.
//
//     magic   8 bytes "SKEINSN1"
//     u32     length of the header (big-endian)
//     header  JSON: journalId, index, term, time, wall, digest
//     bytes   the state
//     hash    32 bytes: SHA-256 of everything before it
//
// The hash stands at the end, so that a snapshot can be written while it is made, and a file that
// was cut anywhere does not verify.
//
//   S1  A file has its final name only once it is complete and fsynced; so has its folder.
//   S2  What `readSnapshot` gives was verified; the newest that verifies is the one to use.
//   S3  Damaged files are reported, and not counted among those kept: two good ones stay, always.

import { createHash, type Hash } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { diskTrouble, StoreTrouble } from "../archive/trouble.ts";

export interface SnapshotHeader {
  readonly journalId: string;
  /** The state holds all batches up to this one. */
  readonly index: number;
  readonly term: number;
  readonly time: number;
  readonly wall: number;
  /** Of the state (L10), as the fold knows it. */
  readonly digest: string;
}

export interface SnapshotDraft extends SnapshotHeader {
  /** In one piece, or as it is made. */
  readonly bytes: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface SnapshotFile {
  readonly file: string;
  readonly index: number;
  readonly size: number;
}

export interface WrittenSnapshot extends SnapshotFile {
  /** SHA-256 of the file without its last 32 bytes, in hex: what the journal notes. */
  readonly hash: string;
}

export interface Snapshot extends SnapshotHeader {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

export interface Usable {
  readonly found: { readonly file: SnapshotFile; readonly snapshot: Snapshot } | undefined;
  /** Newer ones that cannot be used, and why. */
  readonly problems: readonly StoreTrouble[];
}

const magic = Buffer.from("SKEINSN1");
const hashBytes = 32;
const headerBytesMax = 64 * 1024;
const sliceBytes = 1024 * 1024;
const namePattern = /^snapshot-(\d{16})\.skein$/;
const keepDefault = 2;

/** Durable when it resolves. Keeps the newest two; `keep` says otherwise. */
export async function writeSnapshot(
  dir: string,
  draft: SnapshotDraft,
  { keep = keepDefault }: { keep?: number } = {},
): Promise<WrittenSnapshot> {
  const name = snapshotName(draft.index);
  const unfinished = join(dir, `${name}.${process.pid}.unfinished`);
  try {
    await mkdir(dir, { recursive: true });
    const handle = await open(unfinished, "w");
    const written = await writeAll(handle, draft);
    const file = join(dir, name);
    await rename(unfinished, file);
    await syncFolder(dir);
    await pruneSnapshots(dir, { keep });
    return { file, index: draft.index, ...written };
  } catch (cause) {
    // Best effort: what is left over is removed by the next `pruneSnapshots` in any case.
    await rm(unfinished, { force: true }).catch(() => {});
    throw diskTrouble(cause, `Snapshot ${draft.index} cannot be written to ${dir}`);
  }
}

async function writeAll(
  handle: FileHandle,
  { bytes, ...header }: SnapshotDraft,
): Promise<{ hash: string; size: number }> {
  try {
    return await writeParts(handle, prefixOf(header), bytes);
  } finally {
    await handle.close();
  }
}

async function writeParts(
  handle: FileHandle,
  prefix: Uint8Array,
  bytes: SnapshotDraft["bytes"],
): Promise<{ hash: string; size: number }> {
  const hasher = createHash("sha256");
  let size = 0;
  const put = async (chunk: Uint8Array) => {
    hasher.update(chunk);
    size += chunk.length;
    await handle.appendFile(chunk);
  };
  await put(prefix);
  for await (const chunk of bytes instanceof Uint8Array ? [bytes] : bytes) {
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      await put(chunk.subarray(at, at + sliceBytes));
    }
  }
  const hash = hasher.digest();
  await handle.appendFile(hash);
  await handle.sync();
  return { hash: hash.toString("hex"), size: size + hashBytes };
}

function prefixOf(header: SnapshotHeader): Uint8Array {
  const { journalId, index, term, time, wall, digest } = header;
  const json = Buffer.from(JSON.stringify({ journalId, index, term, time, wall, digest }));
  const prefix = Buffer.alloc(magic.length + 4);
  magic.copy(prefix);
  prefix.writeUInt32BE(json.length, magic.length);
  return Buffer.concat([prefix, json]);
}

/** The whole, verified (S2); throws StoreTrouble: corrupt, version, gone, or failed. */
export async function readSnapshot(file: string): Promise<Snapshot> {
  const handle = await open(file, "r").catch((cause: unknown) => {
    throw openTrouble(cause, file);
  });
  try {
    const { size } = await handle.stat();
    if (size < magic.length + 4 + hashBytes) throw corrupt(file, `it has only ${size} bytes`);
    const all = Buffer.allocUnsafeSlow(size);
    const hasher = createHash("sha256");
    await fill(handle, all, hasher);
    const hash = hasher.digest();
    if (!all.subarray(0, magic.length).equals(magic)) throw unknownKind(file, all);
    if (!hash.equals(all.subarray(size - hashBytes))) {
      throw corrupt(file, "its hash is not that of its bytes");
    }
    return { ...parse(file, all), hash: hash.toString("hex") };
  } catch (cause) {
    throw diskTrouble(cause, `Snapshot ${basename(file)} cannot be read`);
  } finally {
    await handle.close();
  }
}

/** In slices, hashed as they come, so that a loop that reads a snapshot is not stopped by it. */
async function fill(handle: FileHandle, all: Buffer, hasher: Hash): Promise<void> {
  const hashed = all.length - hashBytes;
  for (let at = 0; at < all.length;) {
    const { bytesRead } = await handle.read(all, at, Math.min(sliceBytes, all.length - at), at);
    if (bytesRead === 0) return; // cut while we read: the hash will not fit
    hasher.update(all.subarray(Math.min(at, hashed), Math.min(at + bytesRead, hashed)));
    at += bytesRead;
  }
}

function parse(file: string, all: Buffer): SnapshotHeader & { bytes: Uint8Array } {
  const length = all.readUInt32BE(magic.length);
  const start = magic.length + 4;
  if (length > headerBytesMax || start + length + hashBytes > all.length) {
    throw corrupt(file, `its header claims ${length} bytes`);
  }
  // Verified by the hash: it is what `prefixOf` wrote.
  const header = JSON.parse(all.toString("utf8", start, start + length)) as SnapshotHeader;
  return { ...header, bytes: all.subarray(start + length, all.length - hashBytes) };
}

/** By their names only, newest first; a folder that is not there has none. */
export async function listSnapshots(dir: string): Promise<SnapshotFile[]> {
  const files: SnapshotFile[] = [];
  for (const name of await namesIn(dir)) {
    const index = Number(namePattern.exec(name)?.[1] ?? 0);
    if (index === 0) continue;
    const file = join(dir, name);
    const size = await stat(file).then(
      (found) => found.size,
      () => undefined, // pruned a moment ago
    );
    if (size !== undefined) files.push({ file, index, size });
  }
  return files.sort((a, b) => b.index - a.index);
}

/** The newest that verifies, is of this journal, and does not pass `indexMax`. */
export async function latestUsable(
  dir: string,
  { journalId, indexMax = Infinity }: { journalId?: string; indexMax?: number } = {},
): Promise<Usable> {
  const problems: StoreTrouble[] = [];
  for (const file of await listSnapshots(dir)) {
    if (file.index > indexMax) continue;
    try {
      const snapshot = await readSnapshot(file.file);
      checkHeader(file, snapshot, journalId);
      return { found: { file, snapshot }, problems };
    } catch (cause) {
      problems.push(diskTrouble(cause, `Snapshot ${file.index} cannot be used`));
    }
  }
  return { found: undefined, problems };
}

function checkHeader(file: SnapshotFile, snapshot: Snapshot, journalId?: string): void {
  if (snapshot.index !== file.index) {
    throw corrupt(file.file, `it is of index ${snapshot.index}`);
  }
  if (journalId === undefined || snapshot.journalId === journalId) return;
  throw new StoreTrouble("foreign", {
    what: `Snapshot ${basename(file.file)} is not used`,
    why: `it is of journal ${snapshot.journalId}, not of ${journalId}`,
    todo: "Give this master its own data directory",
  });
}

/** Removes what is older than the newest `keep` that verify (S3), and what a crash left over. */
async function pruneSnapshots(
  dir: string,
  { keep = keepDefault }: { keep?: number } = {},
): Promise<void> {
  for (const name of await namesIn(dir)) {
    // Only of other processes: one of ours may be being written.
    const [, owner] = /\.(\d+)\.unfinished$/.exec(name) ?? [];
    if (owner !== undefined && owner !== String(process.pid)) await rm(join(dir, name));
  }
  let kept = 0;
  for (const { file } of await listSnapshots(dir)) {
    if (kept < keep) kept += (await isSound(file)) ? 1 : 0;
    else await rm(file, { force: true });
  }
}

async function isSound(file: string): Promise<boolean> {
  return readSnapshot(file).then(
    () => true,
    () => false,
  );
}

export function snapshotName(index: number): string {
  return `snapshot-${String(index).padStart(16, "0")}.skein`;
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw diskTrouble(cause, `The snapshots in ${dir} cannot be listed`);
  }
}

export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function corrupt(file: string, why: string): StoreTrouble {
  return new StoreTrouble("corrupt", {
    what: `Snapshot ${basename(file)} is damaged`,
    why,
    todo: "Check the disk; an older snapshot and the journal, or another master, have the state",
  });
}

function unknownKind(file: string, all: Buffer): StoreTrouble {
  const start = all.toString("latin1", 0, magic.length);
  if (!/^SKEINSN\d$/.test(start)) return corrupt(file, "it does not begin as a snapshot does");
  return new StoreTrouble("version", {
    what: `Snapshot ${basename(file)} is not read`,
    why: `its format ${start} is not ${magic.toString()}`,
    todo: "Run the version of Skein that wrote it, or a newer one",
  });
}

function openTrouble(cause: unknown, file: string): StoreTrouble {
  const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
  if (!missing) return diskTrouble(cause, `Snapshot ${basename(file)} cannot be read`);
  return new StoreTrouble("gone", {
    what: `Snapshot ${basename(file)} is not here`,
    why: "it was pruned, or never copied to this master",
    todo: "Use a newer one",
    cause,
  });
}
