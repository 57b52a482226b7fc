// The cluster under virtual time: many seeds, each with faults of its own. `npm run sim -- --seed N --trace`
// tells the story of one.

import { describe, expect, it } from "vitest";
import { failureText, runSeed } from "./run.ts";

const seedsEach = 30;

describe("the simulator", () => {
  for (let group = 0; group < 8; group++) {
    const first = 1 + group * seedsEach;
    const last = first + seedsEach - 1;
    it(`finds nothing wrong in seeds ${first} to ${last}`, () => {
      for (let seed = first; seed <= last; seed++) {
        const result = runSeed(seed);
        if (result.failure) throw new Error(failureText(result));
        expect(result.batches).toBeGreaterThan(0);
      }
    }, 120_000);
  }

  it("does the same twice for the same seed, and something else for another", () => {
    const hashes = [11, 12, 13].map((seed) => runSeed(seed).traceHash);
    expect([11, 12, 13].map((seed) => runSeed(seed).traceHash)).toEqual(hashes);
    expect(new Set(hashes).size).toBe(3);
  }, 60_000);

  it("meets every kind of fault profile, and explains tasks that do not run", () => {
    const results = Array.from({ length: 20 }, (_, i) => runSeed(5_001 + i));
    const profiles = new Set(results.map(({ profile }) => profile));
    expect([...profiles].toSorted()).toEqual([
      "everything",
      "master only",
      "quiet",
      "short silence",
    ]);
    expect(results.reduce((sum, { explained }) => sum + explained, 0)).toBeGreaterThan(1_000);
    expect(results.map(({ failure }) => failure?.message)).toEqual(results.map(() => undefined));
  }, 120_000);
});
