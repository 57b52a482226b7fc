// What a worker pushes of what its attempts print: POST /v1/worker-logs, a run of pieces (docs/logs.md). Big endian:
//
//   1 flags    1: the log ends here. 2: it was pushed before, perhaps. 4, 8: stdout, stderr are in the middle of a line
//   1 length of the job's id, then the id
//   4 task     4 attempt     8 from (position in the log)     8 at (wall time of the first record; 0: unknown)
//   4 length   4 CRC-32 of the bytes     bytes: whole log records

import { SkeinError } from "./errors.ts";
import { jobIdPattern } from "./ids.ts";
import { limits } from "./limits.ts";
import { logHeadBytes, logStreams, markAt, recordSize } from "./log-record.ts";

export const pieceFlags = { ends: 1, again: 2, midStdout: 4, midStderr: 8 } as const;

export interface LogPiece {
  readonly flags: number;
  readonly job: string;
  readonly task: number;
  readonly attempt: number;
  readonly from: number;
  readonly at: number;
  readonly crc: number;
  readonly bytes: Uint8Array;
}

/** Where many logs wait one piece holds at most this, so that each has its part of a body. */
export const pieceBytesMax = 256 * 1024;
/** One record, as a worker writes them: a piece can always end at one. */
export const recordBytesMax = 64 * 1024;
const fixedBytes = 34;

export function pieceBytes(piece: Pick<LogPiece, "job" | "bytes">): number {
  return fixedBytes + piece.job.length + piece.bytes.length;
}

/** CRC-32 as zlib has it; this layer has no runtime of its own. */
export type Crc32 = (bytes: Uint8Array) => number;

export function encodePiece(piece: Omit<LogPiece, "crc">, crc32: Crc32): Uint8Array {
  const { job, bytes } = piece;
  const out = new Uint8Array(pieceBytes(piece));
  const view = new DataView(out.buffer);
  out[0] = piece.flags;
  out[1] = job.length;
  for (let i = 0; i < job.length; i++) out[2 + i] = job.charCodeAt(i);
  const fields = 2 + job.length;
  view.setUint32(fields, piece.task);
  view.setUint32(fields + 4, piece.attempt);
  view.setFloat64(fields + 8, piece.from);
  view.setFloat64(fields + 16, piece.at);
  view.setUint32(fields + 24, bytes.length);
  view.setUint32(fields + 28, crc32(bytes));
  out.set(bytes, fields + 32);
  return out;
}

/** @throws SkeinError `invalid` when these are no pieces, or their bytes are not what was sent. */
export function decodePieces(body: Uint8Array, crc32: Crc32): LogPiece[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const pieces: LogPiece[] = [];
  let at = 0;
  while (at < body.length) {
    const fields = at + 2 + (body[at + 1] ?? 0);
    const head = fields + 32;
    if (head > body.length) throw invalid("it ends within a piece");
    const end = head + view.getUint32(fields + 24);
    if (end > body.length) throw invalid("it ends within a piece");
    const piece: LogPiece = {
      flags: body[at] ?? 0,
      job: String.fromCharCode(...body.subarray(at + 2, fields)),
      task: view.getUint32(fields),
      attempt: view.getUint32(fields + 4),
      from: view.getFloat64(fields + 8),
      at: view.getFloat64(fields + 16),
      crc: view.getUint32(fields + 28),
      bytes: body.subarray(head, end),
    };
    check(piece, crc32);
    pieces.push(piece);
    at = end;
  }
  return pieces;
}

function check({ job, from, at, crc, bytes }: LogPiece, crc32: Crc32): void {
  if (!jobIdPattern.test(job)) throw invalid("it names a job that is none");
  const sane = Number.isSafeInteger(from) && from >= 0 && from + bytes.length <= positionMax;
  if (!sane || !Number.isFinite(at)) throw invalid("a piece has an impossible position or time");
  if (crc32(bytes) !== crc) throw invalid("the CRC of a piece is not that of its bytes");
}

/** Marks and heads of records come to what was printed; more than this is no log. */
const positionMax = limits.logBytesMax * 16;

function invalid(why: string): SkeinError {
  return new SkeinError("invalid", `The body is no run of pieces of logs: ${why}.`);
}

/** Where a log is: what a piece that begins there has to say of what is before it. */
export interface LogPlace {
  readonly at: number;
  readonly midStdout: boolean;
  readonly midStderr: boolean;
}

export const logStart: LogPlace = { at: 0, midStdout: false, midStderr: false };

export interface Cut {
  /** Bytes of whole records. */
  readonly length: number;
  /** Time of the first record. */
  readonly at: number;
  /** The place behind them. */
  readonly after: LogPlace;
}

/** As many whole records as fit into `room`. */
export function cutRecords(bytes: Uint8Array, room: number, before: LogPlace): Cut {
  let { at, midStdout, midStderr } = before;
  let length = 0;
  let first: number | undefined;
  for (;;) {
    const size = recordSize(bytes, length);
    const end = length + (size ?? 0);
    if (size === undefined || end > bytes.length || end > room) break;
    at = markAt(bytes, length) ?? at;
    first ??= at;
    if (size > logHeadBytes) {
      const mid = bytes[end - 1] !== 0x0a;
      if (bytes[length] === logStreams.stdout) midStdout = mid;
      else if (bytes[length] === logStreams.stderr) midStderr = mid;
    }
    length = end;
  }
  return { length, at: first ?? at, after: { at, midStdout, midStderr } };
}

export function placeFlags({ midStdout, midStderr }: LogPlace): number {
  return (midStdout ? pieceFlags.midStdout : 0) | (midStderr ? pieceFlags.midStderr : 0);
}
