// A batch as bytes. The same bytes are what engines store, what the chain hashes and what history
// copies, so a batch is encoded once in its life.
//
//      0  u32  CRC-32 of everything after it
//      4  u8   0x4b   ("K": these bytes are a batch)
//      5  u8   version of this header, 1
//      6  u16  format of the entries
//      8  u64  index        16 u64 term        24 u64 time        32 u64 wall
//     40  16   batch id
//     56  32   hash of the previous batch
//     88  u8   length n of the journal id, then its n bytes of UTF-8
//     89+n     the entries, to the end
//
// All numbers are big-endian. With the ids that we make (20 characters) a header has 109 bytes.
//
// B1  decode(encode(b)) = b, and any single flipped bit is noticed (CRC).
// B2  The hash covers every byte, the CRC included: equal hashes are equal batches.
// B3  Decoding copies nothing: entries are a view of what was given.

import { hash as digest, randomBytes, randomInt } from "node:crypto";
import { crc32 } from "node:zlib";
import { JournalHalt } from "./halt.ts";
import type { Batch, BatchHeader, StoredBatch } from "./journal.ts";

export interface EncodedBatch {
  readonly bytes: Uint8Array;
  readonly journalId: string;
  readonly index: number;
  readonly term: number;
  readonly batchId: string;
  readonly previousHash: string;
  /** SHA-256 of `bytes`, in hex. */
  readonly hash: string;
}

const magic = 0x4b;
const headerVersion = 1;
const fixedBytes = 89;
const journalIdBytesMax = 64;
const twoTo32 = 0x1_0000_0000;

export function encodeBatch(batch: Batch): EncodedBatch {
  checkHeader(batch);
  const { journalId, index, term, batchId, previousHash } = batch;
  const idBytes = Buffer.byteLength(journalId);
  // Its own memory, not a slice of Node's pool: posting it to a thread copies the whole buffer.
  const bytes = Buffer.allocUnsafeSlow(fixedBytes + idBytes + batch.bytes.byteLength);
  bytes[4] = magic;
  bytes[5] = headerVersion;
  bytes.writeUInt16BE(batch.format, 6);
  writeU64(bytes, index, 8);
  writeU64(bytes, term, 16);
  writeU64(bytes, batch.time, 24);
  writeU64(bytes, batch.wall, 32);
  bytes.write(batchId, 40, "hex");
  bytes.write(previousHash, 56, "hex");
  bytes[88] = idBytes;
  bytes.write(journalId, fixedBytes, "utf8");
  bytes.set(batch.bytes, fixedBytes + idBytes);
  bytes.writeUInt32BE(crc32(bytes.subarray(4)), 0);
  return { bytes, journalId, index, term, batchId, previousHash, hash: hashOf(bytes) };
}

/**
 * Checks CRC and format, and computes the hash. The chain is checked by `chain.ts`. `index`: where it was found,
 * for the message.
 */
export function decodeBatch(given: Uint8Array, index?: number): StoredBatch {
  const bytes = asBuffer(given);
  checkBytes(bytes, index === undefined ? "a stored batch" : `batch ${index}`);
  return decodeChecked(bytes, hashOf(bytes));
}

/** Decodes bytes that another thread of ours has already checked and hashed. */
export function decodeChecked(bytes: Uint8Array, hash: string): StoredBatch {
  const entries = bytes.subarray(fixedBytes + (bytes[88] ?? 0));
  return { ...decodeHeader(bytes), bytes: entries, encoded: bytes, hash };
}

/** The header alone, of bytes that `encodeBatch` made; nothing is checked. */
export function decodeHeader(given: Uint8Array): BatchHeader {
  const bytes = asBuffer(given);
  return {
    journalId: bytes.toString("utf8", fixedBytes, fixedBytes + (bytes[88] ?? 0)),
    index: readU64(bytes, 8),
    term: readU64(bytes, 16),
    batchId: bytes.toString("hex", 40, 56),
    previousHash: bytes.toString("hex", 56, 88),
    format: bytes.readUInt16BE(6),
    time: readU64(bytes, 24),
    wall: readU64(bytes, 32),
  };
}

export function newBatchId(): string {
  return randomBytes(16).toString("hex");
}

const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** 100 bits of chance in 20 characters that people can read to each other. */
export function newJournalId(): string {
  return Array.from({ length: 20 }, () => idAlphabet[randomInt(32)]).join("");
}

/** Throws a TypeError where an id could not be stored as it is. */
export function checkJournalId(journalId: string): void {
  const length = Buffer.byteLength(journalId);
  if (length === 0 || length > journalIdBytesMax || /\p{Surrogate}/u.test(journalId)) {
    throw new TypeError(`a journal id has 1 to ${journalIdBytesMax} bytes of UTF-8`);
  }
}

/** A wrong header is a bug of the caller, not damage: a TypeError, before anything is stored. */
function checkHeader(batch: BatchHeader): void {
  checkJournalId(batch.journalId);
  if (!isCount(batch.index) || batch.index === 0) throw wrong("index", batch.index);
  if (!isCount(batch.term)) throw wrong("term", batch.term);
  if (!isCount(batch.time)) throw wrong("time", batch.time);
  if (!isCount(batch.wall)) throw wrong("wall", batch.wall);
  if (!isCount(batch.format) || batch.format > 0xffff) throw wrong("format", batch.format);
  if (!/^[0-9a-f]{32}$/.test(batch.batchId)) throw wrong("batchId", batch.batchId);
  if (!/^[0-9a-f]{64}$/.test(batch.previousHash)) throw wrong("previousHash", batch.previousHash);
}

function checkBytes(bytes: Buffer, name: string): void {
  if (bytes.length < fixedBytes || bytes.length < fixedBytes + (bytes[88] ?? 0)) {
    throw corrupt(`${name} of ${bytes.length} bytes`, "it is shorter than its header");
  }
  if (bytes.readUInt32BE(0) !== crc32(bytes.subarray(4))) {
    throw corrupt(`${name} of ${bytes.length} bytes`, "its CRC does not match its bytes");
  }
  if (bytes[4] !== magic || bytes[5] !== headerVersion) {
    throw corrupt(
      `${name} with header ${bytes[4]}/${bytes[5]}`,
      `this version reads ${magic}/${headerVersion}`,
    );
  }
}

function corrupt(what: string, why: string): JournalHalt {
  return new JournalHalt("corrupt", {
    what,
    why,
    todo: "Check the disk, then restore this journal from another master or a backup",
  });
}

function wrong(field: string, value: unknown): TypeError {
  return new TypeError(`a batch cannot have ${field} ${JSON.stringify(value)}`);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function hashOf(bytes: Buffer): string {
  return digest("sha256", bytes, "hex");
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / twoTo32), at);
  bytes.writeUInt32BE(value % twoTo32, at + 4);
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * twoTo32 + bytes.readUInt32BE(at + 4);
}
