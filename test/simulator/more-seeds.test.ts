// The other half of the seeds, and whether they meet what they are there for.

import { describe, expect, it } from "vitest";
import { runSeed } from "./run.ts";
import { seedGroups } from "./seeds.ts";

describe("the simulator", () => {
  seedGroups(1);

  it("meets every kind of fault, elections, damaged journals, and explains tasks that do not run", () => {
    const results = Array.from({ length: 40 }, (_, i) => runSeed(5_001 + i));
    expect(results.map(({ failure }) => failure?.message)).toEqual(results.map(() => undefined));
    const profiles = new Set(results.map(({ profile }) => profile));
    expect([...profiles].toSorted()).toEqual([
      "everything",
      "master only",
      "quiet",
      "short silence",
    ]);
    const sum = (of: (result: (typeof results)[number]) => number) =>
      results.reduce((all, result) => all + of(result), 0);
    expect(sum(({ explained }) => explained)).toBeGreaterThan(1_000);
    expect(sum(({ terms }) => terms)).toBeGreaterThan(100);
    expect(sum(({ reads }) => reads)).toBeGreaterThan(1_000);
    expect(sum(({ staleOrders }) => staleOrders)).toBeGreaterThan(0);
    expect(sum(({ damaged }) => Number(damaged))).toBeGreaterThan(0);
  }, 180_000);
});
