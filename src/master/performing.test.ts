import { expect, it } from "vitest";
import { createState } from "../core/state.ts";
import { createLog } from "../lib/log.ts";
import { noBatch } from "./loop-ports.ts";
import { perform } from "./performing.ts";
import type { Performer } from "./performing.ts";

it("logs what the journal's engine says anew after a trim, once", async () => {
  const lines: string[] = [];
  const state = createState("journal");
  let notes = ["A member is old."];
  const journal = {
    get notes() {
      return notes;
    },
    async trim(below: number) {
      notes = ["A member is old.", ...(below < 10 ? ["Nothing was freed."] : [])];
    },
  };
  const wired = {
    kept: { journal },
    log: createLog({ write: (line) => void lines.push(line) }),
    loop: { leads: true, peek: (look: (seen: typeof state) => void) => look(state) },
    leadership: { applied() {} },
    sessions: { perform() {} },
  } as unknown as Performer;
  const halts: Error[] = [];
  for (const below of [5, 6, 10, 11]) {
    const effects = [{ kind: "trim", below } as const];
    perform(wired, { ...noBatch, index: below, wall: 0, effects }, (why) => void halts.push(why));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("Nothing was freed.");
  expect(halts).toEqual([]);
});
