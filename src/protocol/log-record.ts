// Captured output of an attempt, as stored by the worker and as sent by GET …/logs:
// records of 1 byte stream (1 stdout, 2 stderr), 4 bytes length (big endian), bytes.

export const logStreams = { stdout: 1, stderr: 2 } as const;

export interface LogRecord {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

export function encodeLogRecord(stream: "stdout" | "stderr", bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(5 + bytes.length);
  record[0] = logStreams[stream];
  new DataView(record.buffer).setUint32(1, bytes.length);
  record.set(bytes, 5);
  return record;
}

/** Cuts records out of chunks as they arrive. */
export class LogRecordReader {
  #rest: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): LogRecord[] {
    const all = new Uint8Array(this.#rest.length + chunk.length);
    all.set(this.#rest);
    all.set(chunk, this.#rest.length);
    const view = new DataView(all.buffer);
    const records: LogRecord[] = [];
    let offset = 0;
    while (offset + 5 <= all.length) {
      const end = offset + 5 + view.getUint32(offset + 1);
      if (end > all.length) break;
      const stream = all[offset] === logStreams.stderr ? "stderr" : "stdout";
      records.push({ stream, bytes: all.subarray(offset + 5, end) });
      offset = end;
    }
    this.#rest = all.slice(offset);
    return records;
  }
}
