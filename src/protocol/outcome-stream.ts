// The body of GET /v1/jobs/{job}/outcomes as application/vnd.skein.outcomes: records one after the other.
//
//   kind byte   1 block: varint index, varint n, varint length, an outcome block (see outcome-block.ts)
//               2 end:   varint index, varint n, state byte (4 succeeded, 5 failed, 6 cancelled)
//               3 pulse: nothing (the stream lives)
//
// index.n is the position to go on from. A task stands in exactly one block of its job's stream.

import { ByteReader, ByteWriter } from "./varint.ts";

export interface Position {
  readonly index: number;
  readonly n: number;
}

export type OutcomeRecord =
  | { readonly kind: "block"; readonly at: Position; readonly block: Uint8Array }
  | { readonly kind: "end"; readonly at: Position; readonly state: number }
  | { readonly kind: "pulse" };

export function encodeRecord(record: OutcomeRecord): Uint8Array {
  const writer = new ByteWriter(record.kind === "block" ? record.block.length + 32 : 32);
  if (record.kind === "pulse") {
    writer.byte(3);
    return writer.done();
  }
  writer.byte(record.kind === "block" ? 1 : 2);
  writer.varint(record.at.index);
  writer.varint(record.at.n);
  if (record.kind === "end") writer.byte(record.state);
  else {
    writer.varint(record.block.length);
    writer.bytes(record.block);
  }
  return writer.done();
}

/** Cuts records out of chunks as they arrive. */
export class RecordReader {
  #rest: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): OutcomeRecord[] {
    this.#rest = this.#rest.length === 0 ? chunk : joined(this.#rest, chunk);
    const records: OutcomeRecord[] = [];
    for (;;) {
      const reader = new ByteReader(this.#rest);
      const record = readRecord(reader);
      if (!record) return records;
      records.push(record);
      this.#rest = this.#rest.subarray(reader.offset);
    }
  }

  get idle(): boolean {
    return this.#rest.length === 0;
  }
}

/** One record, or undefined when it is not all there yet. */
function readRecord(reader: ByteReader): OutcomeRecord | undefined {
  if (reader.left === 0) return undefined;
  const kind = reader.byte();
  if (kind === 3) return { kind: "pulse" };
  if (kind !== 1 && kind !== 2) throw new RangeError(`unknown outcome record ${kind}`);
  try {
    const at = { index: reader.varint(), n: reader.varint() };
    if (kind === 2) return { kind: "end", at, state: reader.byte() };
    const length = reader.varint();
    return { kind: "block", at, block: reader.bytes(length) };
  } catch (error) {
    if (error instanceof RangeError && error.message === "a block ends too early") return undefined;
    throw error;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

export function formatPosition(at: Position): string {
  return `${at.index}.${at.n}`;
}

export function parsePosition(text: string): Position | undefined {
  const match = /^(\d{1,15})\.(\d{1,9})$/.exec(text);
  return match ? { index: Number(match[1]), n: Number(match[2]) } : undefined;
}
