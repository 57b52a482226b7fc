import { beforeEach, expect, test } from "vitest";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { limits } from "../protocol/limits.ts";
import type { Standby } from "./peer-ports.ts";
import { PayloadSpread } from "./payload-spread.ts";

let clock: HandClock;
let live: Standby[];
let asked: string[];
let index: number;
let spread: PayloadSpread;

beforeEach(() => {
  clock = new HandClock();
  live = [];
  asked = [];
  index = 10;
  const fetch = (id: string, hashes: readonly string[], after: number) => {
    asked.push(`${id} ${hashes.join()} after ${after}`);
    return true;
  };
  spread = new PayloadSpread({ clock, peers: { live: () => live, fetch }, index: () => index });
});

function standby(id: string): Standby {
  const has = { applied: 10, watermark: 0, snapshot: 0, doubts: 0 };
  const about = { version: "1", levels: [1, 1] as const, clockMs: 0, addresses: [] };
  return { id, incarnation: `${id}1`, ...about, ...has };
}

/** What became of it: looked at after all that is under way. */
async function outcome(promise: Promise<void>): Promise<string> {
  let said = "waits";
  promise.then(
    () => (said = "done"),
    (error: { code: string }) => (said = error.code),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return said;
}

test("a master alone has enough copies", async () => {
  expect(await outcome(spread.spread(["a"]))).toBe("done");
  expect(asked).toEqual([]);
});

test("with standbys one of them must have it, whichever is first; then it is known", async () => {
  const [b, c] = (live = [standby("b"), standby("c")]);
  const spreading = spread.spread(["x", "y"]);
  expect(asked).toEqual(["b x,y after 10", "c x,y after 10"]);
  spread.had(b as Standby, ["x"], 10);
  clock.pass(1);
  expect(await outcome(spreading)).toBe("waits");
  spread.had(c as Standby, ["y"], 10);
  clock.pass(1);
  expect(await outcome(spreading)).toBe("done");
  expect(spread.areSpread(["x"])).toBe(true);
  expect(await outcome(spread.spread(["x", "y"]))).toBe("done");
  expect(asked).toHaveLength(2);
});

test("a standby that says nothing is asked again, and in the end the request is told to come back", async () => {
  live = [standby("b")];
  const spreading = spread.spread(["x"]);
  clock.pass(limits.payloadSpreadMs - 100);
  expect(await outcome(spreading)).toBe("waits");
  expect(asked.length).toBeGreaterThan(3);
  clock.pass(200);
  expect(await outcome(spreading)).toBe("stalled");
});

test("when the last standby ceases to live one copy is enough", async () => {
  live = [standby("b")];
  const spreading = spread.spread(["x"]);
  live = [];
  clock.pass(200);
  expect(await outcome(spreading)).toBe("done");
});

test("a copy on a standby that lives no more counts no more", async () => {
  const [b] = (live = [standby("b")]);
  spread.had(b as Standby, ["x"], 10);
  expect(spread.areSpread(["x"])).toBe(true);
  live = [standby("c")];
  expect(spread.areSpread(["x"])).toBe(false);
});

test("what was freed and stored anew is asked for after the entry that freed it", async () => {
  const [b] = (live = [standby("b")]);
  spread.had(b as Standby, ["x"], 10);
  spread.freed(12, ["x"]);
  expect(spread.areSpread(["x"])).toBe(false);
  const spreading = spread.spread(["x"]);
  expect(asked).toEqual(["b x after 12"]);
  // This was said of the bytes that are deleted with entry 12.
  spread.had(b as Standby, ["x"], 11);
  clock.pass(1);
  expect(await outcome(spreading)).toBe("waits");
  expect(asked).toEqual(["b x after 12", "b x after 12"]);
  spread.had(b as Standby, ["x"], 12);
  clock.pass(1);
  expect(await outcome(spreading)).toBe("done");
});
