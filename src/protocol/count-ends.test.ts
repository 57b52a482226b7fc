import { expect, test } from "vitest";
import { countEnds, encodeOutcomes } from "./outcome-block.ts";

const value = Buffer.from("1");
const block = (count: number, codeOf: (i: number) => number) =>
  encodeOutcomes(
    Array.from({ length: count }, (_, i) => {
      return {
        task: i * 300,
        attempt: 1 + (i % 2),
        code: codeOf(i),
        micros: i * 100,
        logBytes: 0,
        value,
      };
    }),
  );

function ends(bytes: Uint8Array) {
  const seen: (readonly [code: number, micros: number, times: number])[] = [];
  countEnds(bytes, (...end) => void seen.push(end));
  return seen;
}

test("a block of few is counted one by one", () => {
  expect(ends(block(3, () => 0))).toEqual([
    [0, 0, 1],
    [0, 100, 1],
    [0, 200, 1],
  ]);
});

test("of many that all succeeded some stand for all, and all are counted", () => {
  for (const count of [17, 100, 256]) {
    const seen = ends(block(count, () => 0));
    expect(seen).toHaveLength(16);
    expect(seen.reduce((sum, [, , times]) => sum + times, 0)).toBe(count);
  }
});

test("a block with failures is counted one by one, however many they are", () => {
  const seen = ends(block(100, (i) => (i % 3 === 0 ? 1 : 0)));
  expect(seen).toHaveLength(100);
  expect(seen.filter(([code]) => code === 1)).toHaveLength(34);
  expect(seen[99]).toEqual([1, 9_900, 1]);
});
