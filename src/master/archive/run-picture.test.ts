import { expect, test } from "vitest";
import type { Ends } from "./run-columns.ts";
import { spansOf } from "./run-picture.ts";

/** One attempt of a second after the other on each worker. */
function crowded(workers: number, seconds: number): Ends {
  return {
    each(take) {
      for (let worker = 1; worker <= workers; worker++) {
        for (let i = 0; i < seconds; i++) {
          const code = i === 7 ? 1 : 0;
          take(`w${worker}`, i, 1, (i + 1) * 1_000, (i + 2) * 1_000, code, true);
        }
      }
    },
  };
}

test("a picture of many workers has wider cells, and loses neither run time nor failures", () => {
  const query = { from: 1_000, to: 41_000, spansMax: 10, cells: 400 };
  const { cells } = spansOf(crowded(1_000, 40), query);
  expect(cells?.ms).toBe(1_000);
  expect(cells?.cell.length).toBe(40_000);
  expect(cells?.busyMs.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(40_000_000, 0);
  expect(cells?.code.filter((code) => code === 1).length).toBe(1_000);
  const few = spansOf(crowded(2, 40), query);
  expect(few.cells?.ms).toBe(100);
});
