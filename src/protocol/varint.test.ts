import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "./varint.ts";

const safe = fc.maxSafeNat();
const signed = fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 });

describe("varints", () => {
  it("every integer from 0 to 2^53 - 1 comes back", () => {
    fc.assert(
      fc.property(fc.array(safe), (values) => {
        const writer = new ByteWriter(1);
        for (const value of values) writer.varint(value);
        const reader = new ByteReader(writer.done());
        expect(values.map(() => reader.varint())).toEqual(values);
        expect(reader.left).toBe(0);
      }),
    );
  });

  it.each([
    [0, [0]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [300, [0xac, 0x02]],
    [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [Number.MAX_SAFE_INTEGER, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])("%d has the bytes of LEB128", (value, bytes) => {
    const writer = new ByteWriter();
    writer.varint(value);
    expect([...writer.done()]).toEqual(bytes);
  });

  it("signed integers come back, small ones as one byte", () => {
    fc.assert(
      fc.property(signed, (value) => {
        const writer = new ByteWriter();
        writer.zigzag(value);
        expect(new ByteReader(writer.done()).zigzag()).toBe(value);
      }),
    );
    const writer = new ByteWriter();
    for (const value of [0, -1, 1, -2, 63, -64]) writer.zigzag(value);
    expect([...writer.done()]).toEqual([0, 1, 2, 3, 126, 127]);
  });

  it("more than 53 bits are refused, and so is an end too early", () => {
    expect(() => new ByteReader(Uint8Array.of(...Array(9).fill(0x80), 1)).varint()).toThrow(
      RangeError,
    );
    const tooMuch = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10];
    expect(() => new ByteReader(Uint8Array.from(tooMuch)).varint()).toThrow(RangeError);
    expect(() => new ByteReader(Uint8Array.of(0x80)).varint()).toThrow(RangeError);
    expect(() => new ByteReader(Uint8Array.of(1, 2)).bytes(3)).toThrow(RangeError);
  });

  it("no value of more than 2^53 - 1 is ever read", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
        let value: number;
        try {
          value = new ByteReader(bytes).varint();
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          return;
        }
        expect(Number.isSafeInteger(value)).toBe(true);
      }),
    );
  });

  it("what was written is a copy: writing on does not change it", () => {
    const writer = new ByteWriter(2);
    writer.bytes(Uint8Array.of(1, 2));
    const before = writer.done();
    writer.byte(3);
    expect([...before]).toEqual([1, 2]);
    expect([...writer.done()]).toEqual([1, 2, 3]);
  });
});
