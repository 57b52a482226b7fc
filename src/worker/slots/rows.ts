// Ends of attempts on their way from a slot's main thread to the worker: rows in shared memory.
//
//   row     u32 seq, u8 code, f64 micros, u32 length, value (little endian)
//
// The main thread writes rows and sends them in batches. If user code holds that thread (a busy loop, a
// long synchronous task), the slot's other thread sees rows that nobody sends, and sends a copy (see
// slot-thread.ts). So a row is never late, and hardly ever lost with its process; the worker ignores a row it
// has seen. A batch is immutable until `epoch` changes: a copy is whole if the epoch is the same after it.

export const rowHeaderBytes = 17;

/** Indexes of the shared Int32Array in front of the rows. */
export const cell = {
  /** The attempt that runs; 0 when none does. */
  seq: 0,
  /** What it does: see `phase`. */
  phase: 1,
  /** Changes whenever rows are sent. */
  epoch: 2,
  /** Bytes of rows that were not sent. */
  pending: 3,
  /** 1 while the other thread looks. */
  awake: 4,
  /** Process group of the command that runs; 0 when none does. */
  group: 5,
} as const;

export const phase = { run: 0, load: 1, setup: 2 } as const;

export const cellBytes = 64;
export const rowBytesMax = 192 * 1024;

export interface Row {
  readonly seq: number;
  readonly code: number;
  readonly micros: number;
  readonly value: Uint8Array;
}

/** Values are views into `bytes`. */
export function readRows(bytes: Uint8Array): Row[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rows: Row[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const start = offset + rowHeaderBytes;
    const end = start + view.getUint32(offset + 13, true);
    rows.push({
      seq: view.getUint32(offset, true),
      code: view.getUint8(offset + 4),
      micros: view.getFloat64(offset + 5, true),
      value: bytes.subarray(start, end),
    });
    offset = end;
  }
  return rows;
}

/** The writing end, in the slot's main thread. */
export class RowBuffer {
  readonly shared = new SharedArrayBuffer(cellBytes + rowBytesMax);
  readonly cells = new Int32Array(this.shared, 0, cellBytes / 4);
  readonly #view = new DataView(this.shared, cellBytes);
  readonly #bytes = Buffer.from(this.shared, cellBytes, rowBytesMax);
  #length = 0;
  count = 0;

  /** Whether a value of so many UTF-16 units fits for sure. */
  fits(units: number): boolean {
    return this.#length + rowHeaderBytes + units * 3 <= rowBytesMax;
  }

  add(seq: number, code: number, micros: number, value: string): void {
    const view = this.#view;
    const offset = this.#length;
    const start = offset + rowHeaderBytes;
    view.setUint32(offset, seq, true);
    view.setUint8(offset + 4, code);
    view.setFloat64(offset + 5, micros, true);
    const length = this.#write(value, start);
    view.setUint32(offset + 13, length, true);
    this.#length = start + length;
    this.count++;
    Atomics.store(this.cells, cell.pending, this.#length);
  }

  /** The rows, as a copy; they are gone from here. */
  take(): Uint8Array {
    const copy = new Uint8Array(this.#length);
    copy.set(this.#bytes.subarray(0, this.#length));
    Atomics.add(this.cells, cell.epoch, 1);
    Atomics.store(this.cells, cell.pending, 0);
    this.#length = 0;
    this.count = 0;
    return copy;
  }

  /** Short ASCII, the usual result, is faster by hand than through Buffer. */
  #write(value: string, start: number): number {
    const bytes = this.#bytes;
    if (value.length > 48) return bytes.write(value, start, "utf8");
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 127) return bytes.write(value, start, "utf8");
      bytes[start + i] = unit;
    }
    return value.length;
  }
}
