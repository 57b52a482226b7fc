// The mutation gate: the simulator must notice bugs that were put in by hand.

import { describe, expect, it } from "vitest";
import { mutants } from "./mutants.ts";
import { huntMutant } from "./mutate.ts";

const seedsMax = 200;
const atOnce = 2;

describe("the simulator notices", () => {
  for (let i = 0; i < mutants.length; i += atOnce) {
    const group = mutants.slice(i, i + atOnce);
    it(
      group.map(({ name }) => name).join("; and "),
      async () => {
        const verdicts = await Promise.all(
          group.map((mutant) => huntMutant(mutant, seedsMax, 60_000)),
        );
        expect(verdicts.filter(({ caught }) => !caught)).toEqual([]);
      },
      90_000,
    );
  }

  it("nothing when nothing was changed", async () => {
    const { caught } = await huntMutant({ name: "none", patches: [] }, 40, 60_000);
    expect(caught).toBeUndefined();
  });

  it("and a mutant whose text is gone is a failure", async () => {
    const patches = [{ file: "src/core/tasks.ts", find: "no such text", replace: "" }];
    await expect(huntMutant({ name: "stale", patches }, 1, 10_000)).rejects.toThrow("up to date");
  });
});
