// Unsigned LEB128 integers up to 2^53 - 1, and zigzag for signed ones.

export class ByteWriter {
  #bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  varint(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.length++] = rest;
  }

  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.length++] = value;
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
  }

  /** What was written, as a copy of its own. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  #room(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
      scale *= 0x80;
      if (scale > 2 ** 49) throw new RangeError("a varint is longer than 53 bits");
    }
  }

  /** Past so many varints, whatever they say. */
  skip(varints: number): void {
    const bytes = this.#bytes;
    let at = this.offset;
    for (let left = varints; left > 0; at++) {
      if (at >= bytes.length) throw new RangeError("a block ends too early");
      if ((bytes[at] ?? 0) < 0x80) left--;
    }
    this.offset = at;
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  byte(): number {
    const byte = this.#bytes[this.offset];
    if (byte === undefined) throw new RangeError("a block ends too early");
    this.offset++;
    return byte;
  }

  bytes(count: number): Uint8Array {
    const end = this.offset + count;
    if (end > this.#bytes.length) throw new RangeError("a block ends too early");
    const view = this.#bytes.subarray(this.offset, end);
    this.offset = end;
    return view;
  }

  get left(): number {
    return this.#bytes.length - this.offset;
  }
}
