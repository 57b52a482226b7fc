// The mutation gate: the simulator must notice bugs that were put in by hand.

import { describe, expect, it } from "vitest";
import { mutantTests } from "./mutant-tests.ts";
import { mutants } from "./mutants.ts";
import { huntMutant } from "./mutate.ts";

describe("the simulator notices", () => {
  mutantTests(mutants);

  it("nothing when nothing was changed", async () => {
    const { caught } = await huntMutant({ name: "none", patches: [] }, 20, 60_000);
    expect(caught).toBeUndefined();
  }, 90_000);

  it("and a mutant whose text is gone is a failure", async () => {
    const patches = [{ file: "src/core/tasks.ts", find: "no such text", replace: "" }];
    await expect(huntMutant({ name: "stale", patches }, 1, 10_000)).rejects.toThrow("up to date");
  });
});
