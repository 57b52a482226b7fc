import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeBatch } from "../batch.ts";
import { headOf } from "../chain.ts";
import { decodeHead, encodeHead, JournalKeys } from "./keys.ts";
import { fieldsOf } from "./protobuf.ts";

const keys = new JournalKeys("/skein/");

/** What etcd does with a compare of values: byte by byte, and a prefix is less. */
function holds(compare: Buffer, stored: Buffer): boolean {
  const fields = fieldsOf(compare);
  const result = fields.find(({ field }) => field === 1)?.value ?? 0n;
  const given = fields.find(({ field }) => field === 7)?.bytes ?? Buffer.alloc(0);
  const order = stored.compare(given);
  return result === 1n ? order === 1 : result === 2n ? order === -1 : order === 0;
}

const count = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.maxSafeInteger().map(Math.abs));
const hash = fc.constantFrom("0".repeat(64), "f".repeat(64), "7".repeat(64));

describe("the fence in etcd's compares", () => {
  it("holds exactly for the expected index, its hash, and no higher term", () => {
    fc.assert(
      fc.property(count, hash, count, fc.constantFrom(-1, 0, 1), hash, count, (...given) => {
        const [index, headHash, headTerm, shift, previousHash, term] = given;
        const expected = Math.min(Math.max(0, index + shift), Number.MAX_SAFE_INTEGER - 1);
        const batch = encodeBatch({
          journalId: "j",
          index: expected + 1,
          term: Math.min(term, Number.MAX_SAFE_INTEGER - 1),
          batchId: "a".repeat(32),
          previousHash,
          format: 1,
          time: 0,
          wall: 0,
          bytes: Buffer.alloc(0),
        });
        const head = { index, hash: headHash, term: headTerm, batchId: "f".repeat(32) };
        const stored = encodeHead(head);
        const fence = keys.fence(batch).every((one) => holds(one, stored));
        expect(fence).toBe(
          index === expected && headHash === previousHash && headTerm <= batch.term,
        );
        expect(decodeHead(stored)).toEqual(head);
        expect(decodeHead(encodeHead(headOf(batch)))).toEqual(headOf(batch));
      }),
    );
  });
});

describe("the keys of a journal", () => {
  it("stand in the order of their indexes, inside the prefix", () => {
    const [from, end] = keys.all;
    const all = [1, 2, 9, 10, 99_999, 2 ** 40, Number.MAX_SAFE_INTEGER].map((at) => keys.batch(at));
    expect(all.toSorted()).toEqual(all);
    for (const key of [...all, keys.head, keys.journal]) expect(from < key && key < end).toBe(true);
    expect(keys.indexOf(Buffer.from(keys.batch(2 ** 40)))).toBe(2 ** 40);
  });

  it("are refused where the head is something else", () => {
    expect(() => decodeHead(Buffer.from("hello"))).toThrow(/5 bytes instead of 64/);
  });
});
