// What the test files of mutants share: vitest runs the files at the same time.

import { expect, it } from "vitest";
import type { Mutant } from "./mutants.ts";
import { huntMutant } from "./mutate.ts";

const seedsMax = 250;
const limitMs = 120_000;

/** Each must be noticed within so many seeds. */
export function mutantTests(mutants: readonly Mutant[]): void {
  for (const mutant of mutants) {
    it(
      mutant.name,
      async () => {
        const verdict = await huntMutant(mutant, seedsMax, limitMs);
        expect(verdict).toHaveProperty("caught.message");
      },
      limitMs + 30_000,
    );
  }
}
