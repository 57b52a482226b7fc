import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeOutcomes, decodeStored, encodeOutcomes } from "./outcome-block.ts";
import { encodeStored, outcomeItem, storedBit } from "./outcome-block.ts";
import type { OutcomeItem } from "./outcome-block.ts";

const item: fc.Arbitrary<OutcomeItem> = fc.record({
  task: fc.nat(9_999_999),
  attempt: fc.nat(65_535),
  code: fc.nat(255),
  micros: fc.nat(10 ** 12),
  logBytes: fc.nat(2 ** 30),
  value: fc.uint8Array({ maxLength: 200 }),
});

const itemsOf = (block: Uint8Array): OutcomeItem[] => {
  const columns = decodeOutcomes(block);
  return Array.from({ length: columns.count }, (_, i) => outcomeItem(columns, i));
};

describe("outcome blocks", () => {
  it("items come back as they were given, in any order of tasks", () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), (items) => {
        expect(itemsOf(encodeOutcomes(items))).toEqual(items);
      }),
    );
  });

  it("what most outcomes are costs a few bytes each: 256 successes without a value", () => {
    const value = new Uint8Array(0);
    const items = Array.from({ length: 256 }, (_, task) => {
      return { task, attempt: 1, code: 0, micros: 100, logBytes: 0, value };
    });
    expect(encodeOutcomes(items).length).toBe(2 + 256 + 2 + 1 + 256 + 1 + 256);
  });

  it("run times are rounded to whole microseconds and never negative", () => {
    const value = new Uint8Array(0);
    const of = (micros: number) => ({ task: 0, attempt: 1, code: 0, micros, logBytes: 0, value });
    expect(itemsOf(encodeOutcomes([of(1.6)]))[0]?.micros).toBe(2);
    expect(itemsOf(encodeOutcomes([of(-3)]))[0]?.micros).toBe(0);
  });

  it("any cut, and any byte too many, is a RangeError", () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 5 }), fc.nat(), (items, seed) => {
        const block = encodeOutcomes(items);
        expect(() => decodeOutcomes(block.subarray(0, seed % block.length))).toThrow(RangeError);
        expect(() => decodeOutcomes(Uint8Array.of(...block, 0))).toThrow(RangeError);
      }),
    );
  });

  it("bytes of any kind are a block or a RangeError, and cost no memory that they do not fill", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          expect(decodeOutcomes(bytes).count).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe("stored values", () => {
  it("hash, size and encoding come back", () => {
    const hash = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => Buffer.from(bytes).toString("hex"));
    const encoding = fc.constantFrom("json" as const, "bytes" as const);
    fc.assert(
      fc.property(hash, fc.maxSafeNat(), encoding, (h, size, e) => {
        const stored = { hash: h, size, encoding: e };
        expect(decodeStored(encodeStored(stored))).toEqual(stored);
      }),
    );
  });

  it("one that is cut is a RangeError", () => {
    const value = encodeStored({ hash: "ab".repeat(32), size: 300, encoding: "bytes" });
    for (let end = 32; end < value.length; end++) {
      expect(() => decodeStored(value.subarray(0, end))).toThrow(RangeError);
    }
  });

  it("the bit that says stored is none of an end reason's", () => {
    expect(storedBit).toBe(0x80);
  });
});
