// What the test files of seeds share: vitest runs the files at the same time.

import { expect, it } from "vitest";
import { failureText, runSeed } from "./run.ts";

const seedsEach = 29;
const groups = 9;
/** Seeds of one file. */
export const seedsPerFile = seedsEach * groups;

export function seedGroups(file: number): void {
  for (let group = 0; group < groups; group++) {
    const first = 1 + file * seedsPerFile + group * seedsEach;
    const last = first + seedsEach - 1;
    it(`finds nothing wrong in seeds ${first} to ${last}`, () => {
      for (let seed = first; seed <= last; seed++) {
        const result = runSeed(seed);
        if (result.failure) throw new Error(failureText(result));
        expect(result.batches).toBeGreaterThan(0);
      }
    }, 180_000);
  }
}
