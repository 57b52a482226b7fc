import { beforeEach, expect, test } from "vitest";
import { createLog } from "../lib/log.ts";
import { Disputes } from "./disputes.ts";
import type { Refolded } from "./disputes.ts";

const electedAt = 10;

let leads: boolean;
let live: { id: string; doubts: number }[];
let asked: number[];
let answer: (found: Refolded | Error) => void;
let halted: string;
let logged: string[];
let disputes: Disputes;

beforeEach(() => {
  [leads, live, asked, halted, logged] = [true, [], [], "", []];
  disputes = new Disputes({
    log: createLog({ level: "info", write: (line) => void logged.push(line) }),
    loop: () => ({ leads, electedIndex: electedAt }),
    live: () => live,
    refold(index, done) {
      asked.push(index);
      answer = done;
    },
    halt: (why) => (halted = why.message),
  });
});

function says(...doubts: readonly number[]): void {
  live = doubts.map((since, i) => ({ id: `m${i + 2}`, doubts: since }));
  disputes.heard();
}

test("one standby's doubt makes the leader fold its own journal; if that is not what it said, it stops", () => {
  says(12, 0);
  expect(asked).toEqual([12]);
  expect(halted).toBe("");
  answer({ own: "a", recorded: "b" });
  expect(halted).toContain("memory");
});

test("a leader whose own fold gives what it said goes on, and asks itself once", () => {
  says(12, 0);
  answer({ own: "a", recorded: "a" });
  says(12, 0);
  says(12);
  expect(asked).toEqual([12]);
  expect(halted).toBe("");
  expect(logged.join()).toContain("m2");
});

test("of two masters neither outvotes the other; of three, two do", () => {
  says(12);
  expect(halted).toBe("");
  says(12, 13);
  expect(halted).toContain("m2, m3");
});

test("doubts about what an earlier leader said are none about this one", () => {
  says(electedAt - 1, electedAt - 1);
  expect([asked, halted]).toEqual([[], ""]);
  says(electedAt, electedAt);
  expect(halted).not.toBe("");
});

test("what comes late, when it leads no more, changes nothing", () => {
  says(12, 0);
  leads = false;
  answer({ own: "a", recorded: "b" });
  says(12, 12);
  expect(halted).toBe("");
});

test("a fold that fails is tried again, and convicts nobody", () => {
  says(12, 0);
  answer(new Error("the disk is full"));
  says(12, 0);
  expect(asked).toEqual([12, 12]);
  expect(halted).toBe("");
});
