// Segments of history on disk: records one after the other, plain while they grow, gzip once
// sealed.
//
//     record   u32 length n, u32 CRC-32 of what follows, u64 index, u64 wall, n bytes (big-endian)
//     plain    <first>.plain
//     sealed   <first>-<last>-<wall least>-<wall most>.gz
//
// The name of a sealed segment tells what is in it, so that opening a history of gigabytes reads no
// more than its last segment.

import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32, gunzip, gzip } from "node:zlib";
import { StoreTrouble } from "../archive/trouble.ts";

export interface HistoryRecord {
  readonly index: number;
  readonly wall: number;
  /** The batch, as it was encoded. */
  readonly bytes: Uint8Array;
}

export interface Segment {
  readonly file: string;
  readonly sealed: boolean;
  readonly first: number;
  readonly last: number;
  readonly wallMin: number;
  readonly wallMax: number;
  /** Of the file, as far as it is written. */
  readonly bytes: number;
}

export const headerBytes = 24;
const twoTo32 = 0x1_0000_0000;
const zip = promisify(gzip);
const unzip = promisify(gunzip);
/** Of output: fewer turns through the loop than the 16 KiB that zlib takes by default. */
const chunkSize = 512 * 1024;

export function recordHeader({ index, wall, bytes }: HistoryRecord): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32BE(bytes.length, 0);
  writeU64(header, index, 8);
  writeU64(header, wall, 16);
  header.writeUInt32BE(crc32(bytes, crc32(header.subarray(8))), 4);
  return header;
}

export interface Scan {
  readonly records: HistoryRecord[];
  /** Where the last whole record ends. */
  readonly length: number;
}

/** All records up to the first that is cut, damaged, or not the next. */
export function scanRecords(raw: Uint8Array): Scan {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const records: HistoryRecord[] = [];
  let length = 0;
  while (length + headerBytes <= bytes.length) {
    const end = length + headerBytes + bytes.readUInt32BE(length);
    if (end > bytes.length) break;
    if (crc32(bytes.subarray(length + 8, end)) !== bytes.readUInt32BE(length + 4)) break;
    const index = readU64(bytes, length + 8);
    const before = records.at(-1);
    if (before && index !== before.index + 1) break;
    const wall = readU64(bytes, length + 16);
    records.push({ index, wall, bytes: raw.subarray(length + headerBytes, end) });
    length = end;
  }
  return { records, length };
}

/** What a segment that holds these has in its name; undefined when there are none. */
export function spanOf(
  records: readonly HistoryRecord[],
): Omit<Segment, "file" | "sealed" | "bytes"> | undefined {
  const [first] = records;
  const last = records.at(-1);
  if (!first || !last) return undefined;
  let wallMin = first.wall;
  let wallMax = first.wall;
  for (const { wall } of records) {
    wallMin = Math.min(wallMin, wall);
    wallMax = Math.max(wallMax, wall);
  }
  return { first: first.index, last: last.index, wallMin, wallMax };
}

const plainPattern = /^(\d{16})\.plain$/;
const sealedPattern = /^(\d{16})-(\d{16})-(\d{1,16})-(\d{1,16})\.gz$/;

export function plainName(first: number): string {
  return `${padded(first)}.plain`;
}

export function isPlainName(name: string): boolean {
  return plainPattern.test(name);
}

export async function sealedFromName(dir: string, name: string): Promise<Segment | undefined> {
  const [, first, last, wallMin, wallMax] = sealedPattern.exec(name) ?? [];
  if (wallMax === undefined) return undefined;
  const file = join(dir, name);
  return {
    file,
    sealed: true,
    first: Number(first),
    last: Number(last),
    wallMin: Number(wallMin),
    wallMax: Number(wallMax),
    bytes: (await stat(file)).size,
  };
}

/** Compresses a plain segment; both are there until the sealed one is durable. */
export async function seal(dir: string, plain: Segment): Promise<Segment> {
  const { first, last, wallMin, wallMax } = plain;
  const packed = await zip(await readPlain(plain), { level: 1, chunkSize });
  const name = `${padded(first)}-${padded(last)}-${wallMin}-${wallMax}.gz`;
  const file = join(dir, name);
  const draft = `${file}.unfinished`;
  const handle = await open(draft, "w");
  try {
    await handle.writeFile(packed);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  await syncFolder(dir);
  await rm(plain.file, { force: true });
  return { ...plain, file, sealed: true, bytes: packed.length };
}

/** Throws what the file system throws, also when it is gone; StoreTrouble when it is damaged. */
export async function readSegment(segment: Segment): Promise<HistoryRecord[]> {
  const raw = segment.sealed ? await readSealed(segment) : await readPlain(segment);
  const { records, length } = scanRecords(raw);
  if (length === raw.length && records.at(-1)?.index === segment.last) return records;
  throw damaged(segment, `it holds whole records up to ${records.at(-1)?.index ?? "none"} only`);
}

async function readSealed(segment: Segment): Promise<Buffer> {
  const handle = await open(segment.file, "r");
  let packed: Buffer;
  try {
    packed = await handle.readFile();
  } finally {
    await handle.close();
  }
  try {
    return await unzip(packed, { chunkSize });
  } catch (cause) {
    throw damaged(segment, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

async function readPlain({ file, bytes }: Segment): Promise<Buffer> {
  const handle = await open(file, "r");
  try {
    const raw = Buffer.allocUnsafeSlow(bytes);
    let length = 0;
    while (length < bytes) {
      const { bytesRead } = await handle.read(raw, length, bytes - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return raw.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** Writes all of it at `position`; a write may take less than it is given. */
export async function writeAt(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const left = bytes.length - done;
    const { bytesWritten } = await handle.write(bytes, done, left, position + done);
    done += bytesWritten;
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

function damaged({ file }: Segment, why: string, cause?: unknown): StoreTrouble {
  return new StoreTrouble("corrupt", {
    what: `The segment of history ${file} is damaged`,
    why,
    todo: "Check the disk; copy this segment from another master, or remove it",
    cause,
  });
}

function padded(index: number): string {
  return String(index).padStart(16, "0");
}

function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / twoTo32), at);
  bytes.writeUInt32BE(value % twoTo32, at + 4);
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * twoTo32 + bytes.readUInt32BE(at + 4);
}
