// Outcomes of one job's attempts as columns in one run of bytes. Made by the worker, kept verbatim in
// the journal and the archive, and read by the SDK (W11): nobody between slot and client parses a result.
//
//   varint count
//   tasks     first number, then zigzag differences
//   attempts  mode 0 + one varint for all, or mode 1 + a varint each
//   codes     mode 0 (all succeeded inline), or mode 1 + a byte each: end reason, high bit = value is stored
//   micros    a varint each: run time in microseconds
//   logs      mode 0 (nothing printed), or mode 1 + a varint each: bytes of captured output
//   lengths   a varint each, then all values one after the other
//
// A value is JSON without a line end, or (stored) 32 bytes of hash, a varint size and an encoding byte.

import { ByteReader, ByteWriter } from "./varint.ts";

export const storedBit = 0x80;

export interface OutcomeItem {
  readonly task: number;
  readonly attempt: number;
  /** An end reason's code; `storedBit` added when the value is a stored payload. */
  readonly code: number;
  readonly micros: number;
  readonly logBytes: number;
  readonly value: Uint8Array;
  /** Stored payloads that the value names inside; not in the block's bytes. Only the worker knows. */
  readonly payloads?: readonly string[];
}

export interface OutcomeColumns {
  readonly count: number;
  readonly tasks: Uint32Array;
  readonly attempts: Uint32Array;
  readonly codes: Uint8Array;
  readonly micros: Float64Array;
  readonly logs: Float64Array;
  /** count + 1 offsets into `bytes`. */
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

export function encodeOutcomes(items: readonly OutcomeItem[]): Uint8Array {
  const writer = new ByteWriter(32 + items.length * 16);
  writer.varint(items.length);
  let previous = 0;
  for (const item of items) {
    writer.zigzag(item.task - previous);
    previous = item.task;
  }
  writeColumn(writer, items, (item) => item.attempt);
  if (items.every((item) => item.code === 0)) writer.byte(0);
  else {
    writer.byte(1);
    for (const item of items) writer.byte(item.code);
  }
  for (const item of items) writer.varint(Math.max(0, Math.round(item.micros)));
  if (items.every((item) => item.logBytes === 0)) writer.byte(0);
  else {
    writer.byte(1);
    for (const item of items) writer.varint(item.logBytes);
  }
  for (const item of items) writer.varint(item.value.length);
  for (const item of items) writer.bytes(item.value);
  return writer.done();
}

function writeColumn(
  writer: ByteWriter,
  items: readonly OutcomeItem[],
  pick: (item: OutcomeItem) => number,
): void {
  const first = items[0] === undefined ? 0 : pick(items[0]);
  if (items.every((item) => pick(item) === first)) {
    writer.byte(0);
    writer.varint(first);
    return;
  }
  writer.byte(1);
  for (const item of items) writer.varint(pick(item));
}

/** Reads a block's columns; throws RangeError when the bytes are not a block. */
export function decodeOutcomes(block: Uint8Array): OutcomeColumns {
  const reader = new ByteReader(block);
  const count = reader.varint();
  if (count > block.length) throw new RangeError("a block claims more outcomes than it has bytes");
  const tasks = new Uint32Array(count);
  let task = 0;
  for (let i = 0; i < count; i++) tasks[i] = task += reader.zigzag();
  const attempts = new Uint32Array(count);
  if (reader.byte() === 0) attempts.fill(reader.varint());
  else for (let i = 0; i < count; i++) attempts[i] = reader.varint();
  const codes = new Uint8Array(count);
  if (reader.byte() !== 0) for (let i = 0; i < count; i++) codes[i] = reader.byte();
  const micros = new Float64Array(count);
  for (let i = 0; i < count; i++) micros[i] = reader.varint();
  const logs = new Float64Array(count);
  if (reader.byte() !== 0) for (let i = 0; i < count; i++) logs[i] = reader.varint();
  const offsets = new Uint32Array(count + 1);
  let offset = 0;
  for (let i = 0; i < count; i++) {
    offset += reader.varint();
    offsets[i + 1] = offset;
  }
  const bytes = reader.bytes(offset);
  if (reader.left > 0) throw new RangeError("a block has bytes after its end");
  return { count, tasks, attempts, codes, micros, logs, offsets, bytes };
}

/** Hashes of the stored values in a block; cheap where there are none. Throws RangeError like decoding. */
export function storedHashes(block: Uint8Array): string[] {
  if (!mayHoldStored(block)) return [];
  const columns = decodeOutcomes(block);
  const hashes: string[] = [];
  for (let i = 0; i < columns.count; i++) {
    if (((columns.codes[i] ?? 0) & storedBit) === 0) continue;
    hashes.push(decodeStored(outcomeItem(columns, i).value).hash);
  }
  return hashes;
}

/** False when the block says that all of its values are inline. */
function mayHoldStored(block: Uint8Array): boolean {
  const { hasCodes } = atCodes(block);
  return hasCodes;
}

/**
 * How the attempts of a block ended and after how long, without its other columns: for who only counts them. Where
 * all succeeded inline and are many, some stand for all: `times` says for how many.
 */
export function countEnds(
  block: Uint8Array,
  see: (code: number, micros: number, times: number) => void,
): void {
  const { reader, count, hasCodes } = atCodes(block);
  if (hasCodes) {
    const codes = reader.bytes(count);
    for (let i = 0; i < count; i++) see(codes[i] ?? 0, reader.varint(), 1);
    return;
  }
  const shown = Math.min(count, endsShown);
  for (let i = 0, left = count; i < shown; i++) {
    const times = Math.floor(left / (shown - i));
    left -= times;
    see(0, reader.varint(), times);
  }
}

const endsShown = 16;

/** A reader that stands before the codes. */
function atCodes(block: Uint8Array): { reader: ByteReader; count: number; hasCodes: boolean } {
  const reader = new ByteReader(block);
  const count = reader.varint();
  reader.skip(count);
  reader.skip(reader.byte() === 0 ? 1 : count);
  return { reader, count, hasCodes: reader.byte() !== 0 };
}

export function outcomeItem(columns: OutcomeColumns, i: number): OutcomeItem {
  return {
    task: columns.tasks[i] ?? 0,
    attempt: columns.attempts[i] ?? 0,
    code: columns.codes[i] ?? 0,
    micros: columns.micros[i] ?? 0,
    logBytes: columns.logs[i] ?? 0,
    value: columns.bytes.subarray(columns.offsets[i] ?? 0, columns.offsets[i + 1] ?? 0),
  };
}

// ── stored values ────────────────────────────────────────────────────────────────────────

const hexDigits = "0123456789abcdef";

/** The value bytes of a stored payload. */
export function encodeStored(stored: {
  hash: string;
  size: number;
  encoding: "json" | "bytes";
}): Uint8Array {
  const writer = new ByteWriter(48);
  for (let i = 0; i < 64; i += 2) writer.byte(Number.parseInt(stored.hash.slice(i, i + 2), 16));
  writer.varint(stored.size);
  writer.byte(stored.encoding === "json" ? 0 : 1);
  return writer.done();
}

export function decodeStored(value: Uint8Array): {
  hash: string;
  size: number;
  encoding: "json" | "bytes";
} {
  let hash = "";
  for (const byte of value.subarray(0, 32)) {
    hash += `${hexDigits[byte >> 4] ?? ""}${hexDigits[byte & 15] ?? ""}`;
  }
  const reader = new ByteReader(value, 32);
  const size = reader.varint();
  return { hash, size, encoding: reader.byte() === 0 ? "json" : "bytes" };
}
