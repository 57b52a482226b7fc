import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRecord, formatPosition, parsePosition, RecordReader } from "./outcome-stream.ts";
import type { OutcomeRecord } from "./outcome-stream.ts";

const at = fc.record({ index: fc.nat(10 ** 15 - 1), n: fc.nat(10 ** 9 - 1) });
const record: fc.Arbitrary<OutcomeRecord> = fc.oneof(
  fc.record({
    kind: fc.constant("block" as const),
    at,
    block: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ kind: fc.constant("end" as const), at, state: fc.constantFrom(4, 5, 6) }),
  fc.record({ kind: fc.constant("pulse" as const) }),
);

/** Cuts bytes at the given places, wherever they fall. */
function chunks(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  const sorted = places.toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, i) => bytes.slice(sorted[i], end));
}

describe("the outcome stream", () => {
  it("records come back however the network cuts them", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), fc.array(fc.nat()), (records, cuts) => {
        const bytes = Uint8Array.from(records.flatMap((one) => [...encodeRecord(one)]));
        const reader = new RecordReader();
        const found = chunks(bytes, cuts).flatMap((chunk) => reader.push(chunk));
        expect(found).toEqual(records);
        expect(reader.idle).toBe(true);
      }),
    );
  });

  it("one that is cut by the end of the stream is not idle", () => {
    const whole = encodeRecord({ kind: "end", at: { index: 3, n: 1 }, state: 4 });
    const reader = new RecordReader();
    expect(reader.push(whole.subarray(0, 2))).toEqual([]);
    expect(reader.idle).toBe(false);
  });

  it("a record of a kind that is not known is an error", () => {
    expect(() => new RecordReader().push(Uint8Array.of(9))).toThrow(RangeError);
  });

  it("positions read as they are written, and nothing else does", () => {
    fc.assert(
      fc.property(at, (one) => {
        expect(parsePosition(formatPosition(one))).toEqual(one);
      }),
    );
    for (const text of ["", "1", "1.", ".1", "1.2.3", "-1.0", "1.2 ", "1e3.0"]) {
      expect(parsePosition(text)).toBeUndefined();
    }
  });
});
