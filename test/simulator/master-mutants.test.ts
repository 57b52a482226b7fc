// The mutation gate, second half: bugs in what makes several masters one.

import { describe } from "vitest";
import { masterMutants } from "./master-mutants.ts";
import { mutantTests } from "./mutant-tests.ts";

describe("the simulator notices that", () => {
  mutantTests(masterMutants);
});
