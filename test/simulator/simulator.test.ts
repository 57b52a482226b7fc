// The cluster under virtual time: many seeds, each with faults of its own. `npm run sim -- --seed N --trace`
// tells the story of one.

import { describe, expect, it } from "vitest";
import { runSeed } from "./run.ts";
import { seedGroups } from "./seeds.ts";

describe("the simulator", () => {
  seedGroups(0);

  it("does the same twice for the same seed, and something else for another", () => {
    const hashes = [11, 12, 13].map((seed) => runSeed(seed).traceHash);
    expect([11, 12, 13].map((seed) => runSeed(seed).traceHash)).toEqual(hashes);
    expect(new Set(hashes).size).toBe(3);
  }, 60_000);
});
