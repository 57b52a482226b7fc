// As much of protobuf as etcd's messages need: varints and length-delimited fields, by hand.
//
// A message is written as a list of fields and read as a list of fields; what their numbers mean
// stands in `messages.ts`. Numbers are bigints when read, since etcd's ids use all 64 bits.

const varintType = 0;
const bytesType = 2;

/** A field that is zero or empty is the same as one that is absent, and is left out. */
export function numberField(field: number, value: number | bigint): Buffer {
  if (value === 0 || value === 0n) return nothing;
  return Buffer.concat([varint((field << 3) | varintType), varint(value)]);
}

export function bytesField(field: number, value: Uint8Array | string): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  if (bytes.length === 0) return nothing;
  return Buffer.concat([varint((field << 3) | bytesType), varint(bytes.length), bytes]);
}

/** A message inside a message; it is there even if it is empty. */
export function messageField(field: number, ...parts: readonly Uint8Array[]): Buffer {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([varint((field << 3) | bytesType), varint(size), ...parts]);
}

export interface Field {
  readonly field: number;
  /** 0n unless it is a varint. */
  readonly value: bigint;
  /** Empty unless it is length-delimited; a view of what was read. */
  readonly bytes: Buffer;
}

/** The fields of a message in their order. Throws where the bytes are not a message. */
export function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const number = (): bigint => {
    const [value, next] = readVarint(message, at);
    at = next;
    return value;
  };
  while (at < message.length) {
    const tag = Number(number());
    const field = tag >>> 3;
    const type = tag & 7;
    if (type === varintType) fields.push({ field, value: number(), bytes: nothing });
    else {
      const size = type === bytesType ? Number(number()) : (fixedSizes.get(type) ?? -1);
      if (size < 0 || at + size > message.length) throw cut(message);
      fields.push({ field, value: 0n, bytes: message.subarray(at, at + size) });
      at += size;
    }
  }
  return fields;
}

const nothing: Buffer = Buffer.alloc(0);
/** Types that etcd does not use today: skipped over as bytes. */
const fixedSizes: ReadonlyMap<number, number> = new Map([
  [1, 8],
  [5, 4],
]);

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function readVarint(bytes: Buffer, start: number): readonly [value: bigint, next: number] {
  let small = 0;
  for (let at = start; at < start + 4; at++) {
    const byte = bytes[at];
    if (byte === undefined) throw cut(bytes);
    small |= (byte & 0x7f) << (7 * (at - start));
    if (byte < 0x80) return [BigInt(small), at + 1];
  }
  let value = BigInt(small);
  for (let at = start + 4; at < start + 10; at++) {
    const byte = bytes[at];
    if (byte === undefined) throw cut(bytes);
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - start));
    if (byte < 0x80) return [BigInt.asUintN(64, value), at + 1];
  }
  throw cut(bytes);
}

function cut(bytes: Buffer): Error {
  return new Error(`${bytes.length} bytes are not a protobuf message`);
}
