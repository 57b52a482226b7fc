// Captured output of an attempt, as stored by the worker and as sent by GET …/logs: records of 1 byte kind, 4 bytes
// length (big endian), bytes.
//
//   1 stdout, 2 stderr    what was printed
//   3 time                8 bytes: what follows was printed at this wall time of the worker, in ms, or later
//   4 missing             8 bytes: the position to go on from; then a sentence. In answers only, never in a log:
//                         it says what the log had here, or may have had, and nobody has any more (docs/logs.md)
//   5, 6 picked           stdout, stderr, of a search: 8 bytes: the position to go on from; then lines. In answers only

export const logStreams = { stdout: 1, stderr: 2 } as const;
const time = 3;
const missing = 4;
const picked = { stdout: 5, stderr: 6 } as const;
export const logHeadBytes = 5;

export interface LogRecord {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** As it was read. */
export interface FoundRecord extends LogRecord {
  /** Wall time of the worker, if it was told. */
  readonly at: number | undefined;
  /** The position after it. */
  readonly end: number;
  /** It was not printed: `bytes` say what is not here. */
  readonly missing: boolean;
}

export function encodeLogRecord(stream: "stdout" | "stderr", bytes: Uint8Array): Uint8Array {
  const record = head(logStreams[stream], bytes.length);
  record.set(bytes, logHeadBytes);
  return record;
}

export function encodeLogTime(wall: number): Uint8Array {
  const record = head(time, 8);
  viewOf(record).setFloat64(logHeadBytes, wall);
  return record;
}

/** `next`: where the log goes on, or how far it goes. */
export function encodeLogMissing(next: number, sentence: Uint8Array): Uint8Array {
  return placed(missing, next, sentence);
}

/** Lines that were looked for; `next`: where a search goes on. */
export function encodeLogPicked(
  stream: "stdout" | "stderr",
  next: number,
  lines: Uint8Array,
): Uint8Array {
  return placed(picked[stream], next, lines);
}

function placed(kind: number, next: number, bytes: Uint8Array): Uint8Array {
  const record = head(kind, 8 + bytes.length);
  viewOf(record).setFloat64(logHeadBytes, next);
  record.set(bytes, logHeadBytes + 8);
  return record;
}

function head(kind: number, length: number): Uint8Array {
  const record = new Uint8Array(logHeadBytes + length);
  record[0] = kind;
  viewOf(record).setUint32(1, length);
  return record;
}

/** Cuts records out of chunks as they arrive. */
export class LogRecordReader {
  #rest: Uint8Array = new Uint8Array(0);
  #position: number;
  #at: number | undefined;

  constructor(from = 0) {
    this.#position = from;
  }

  /** After the last whole record. */
  get position(): number {
    return this.#position;
  }

  /** No record is half read. */
  get idle(): boolean {
    return this.#rest.length === 0;
  }

  push(chunk: Uint8Array): FoundRecord[] {
    let all = chunk;
    if (this.#rest.length > 0) {
      all = new Uint8Array(this.#rest.length + chunk.length);
      all.set(this.#rest);
      all.set(chunk, this.#rest.length);
    }
    const records: FoundRecord[] = [];
    let offset = 0;
    for (;;) {
      const size = recordSize(all, offset);
      if (size === undefined || offset + size > all.length) break;
      this.#take(all.subarray(offset, offset + size), records);
      offset += size;
    }
    this.#rest = all.slice(offset);
    return records;
  }

  #take(record: Uint8Array, into: FoundRecord[]): void {
    this.#position += record.length;
    const kind = record[0];
    if (kind === time) {
      if (record.length >= logHeadBytes + 8) this.#at = viewOf(record).getFloat64(logHeadBytes);
      return;
    }
    const isPlaced = (kind ?? 0) >= missing && record.length >= logHeadBytes + 8;
    if (isPlaced) this.#position = viewOf(record).getFloat64(logHeadBytes);
    into.push({
      stream: kind === logStreams.stdout || kind === picked.stdout ? "stdout" : "stderr",
      bytes: record.subarray(isPlaced ? logHeadBytes + 8 : logHeadBytes),
      at: this.#at,
      end: this.#position,
      missing: kind === missing,
    });
  }
}

/** Of the record that begins here; undefined when that is not known yet. */
export function recordSize(bytes: Uint8Array, offset: number): number | undefined {
  if (offset + logHeadBytes > bytes.length) return undefined;
  return logHeadBytes + viewOf(bytes).getUint32(offset + 1);
}

/** The wall time that a record at this place marks, if it is a mark. */
export function markAt(bytes: Uint8Array, offset: number): number | undefined {
  if (bytes[offset] !== time || offset + logHeadBytes + 8 > bytes.length) return undefined;
  return viewOf(bytes).getFloat64(offset + logHeadBytes);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
