import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBatch, encodeBatch, newBatchId, newJournalId } from "./batch.ts";
import { zeroHash, type Batch } from "./journal.ts";

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const hexOf = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((array) => Buffer.from(array).toString("hex"));
const batches: fc.Arbitrary<Batch> = fc.record({
  journalId: fc.string({ minLength: 1, maxLength: 16, unit: "grapheme" }).filter((id) => {
    return Buffer.byteLength(id) <= 64;
  }),
  index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  term: count,
  batchId: hexOf(16),
  previousHash: hexOf(32),
  format: fc.integer({ min: 0, max: 0xffff }),
  time: count,
  wall: count,
  bytes: fc.uint8Array({ maxLength: 500 }),
});

const plain: Batch = {
  journalId: newJournalId(),
  index: 1,
  term: 1,
  batchId: newBatchId(),
  previousHash: zeroHash,
  format: 1,
  time: 2,
  wall: 3,
  bytes: Buffer.from("entries"),
};

describe("a batch as bytes", () => {
  it("decodes to what was encoded (B1)", () => {
    fc.assert(
      fc.property(batches, (batch) => {
        const encoded = encodeBatch(batch);
        const { bytes, encoded: whole, ...stored } = decodeBatch(encoded.bytes);
        const { bytes: given, ...header } = batch;
        expect(stored).toEqual({ ...header, hash: encoded.hash });
        expect(Buffer.compare(bytes, given)).toBe(0);
        expect(Buffer.compare(whole, encoded.bytes)).toBe(0);
      }),
    );
  });

  it("notices every single flipped bit (B1)", () => {
    fc.assert(
      fc.property(batches, fc.nat(), (batch, where) => {
        const bytes = Buffer.from(encodeBatch(batch).bytes);
        const bit = where % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => decodeBatch(bytes)).toThrow(/CRC|shorter/);
      }),
    );
  });

  it("notices that it was cut short", () => {
    const { bytes } = encodeBatch(plain);
    for (const length of [0, 3, 40, 88, 100, bytes.length - 1]) {
      expect(() => decodeBatch(bytes.subarray(0, length))).toThrow(/corrupt|CRC|shorter/);
    }
  });

  it("has a header of at most 110 bytes with the ids that we make", () => {
    expect(encodeBatch(plain).bytes.length - plain.bytes.length).toBeLessThanOrEqual(110);
  });

  it("has its own hash for every change (B2)", () => {
    const changed = [{ index: 2 }, { term: 2 }, { time: 9 }, { bytes: Buffer.from("Entries") }];
    const hashes = [{}, ...changed].map((change) => encodeBatch({ ...plain, ...change }).hash);
    expect(new Set(hashes).size).toBe(5);
  });

  it("copies nothing when it is decoded (B3)", () => {
    const { bytes } = encodeBatch(plain);
    const decoded = decodeBatch(bytes);
    expect(decoded.bytes.buffer).toBe(bytes.buffer);
    expect(decoded.encoded.buffer).toBe(bytes.buffer);
  });

  it("refuses a header that could not be stored as it is", () => {
    const wrong = [
      { index: 0 },
      { index: 1.5 },
      { term: -1 },
      { time: Number.NaN },
      { format: 70_000 },
      { batchId: "x" },
      { previousHash: "" },
      { journalId: "" },
      { journalId: "\ud800" },
      { journalId: "x".repeat(65) },
    ];
    for (const change of wrong) {
      expect(() => encodeBatch({ ...plain, ...change })).toThrow(TypeError);
    }
  });

  it("is recognised by its first bytes: what is not a batch is corrupt", () => {
    expect(() => decodeBatch(Buffer.alloc(200))).toThrow(/Check the disk/);
  });
});
