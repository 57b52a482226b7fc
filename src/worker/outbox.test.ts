import { expect, test } from "vitest";
import { limits } from "../protocol/limits.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import {
  encodeOutcomes,
  encodeStored,
  type OutcomeItem,
  storedBit,
} from "../protocol/outcome-block.ts";
import { endsIn, jobOf, namesIn, rangeOf, startOf, World } from "./agent.fixture.ts";

const hashOf = (letter: string): string => letter.repeat(64);
const [a, b] = [hashOf("a"), hashOf("b")];

function stored(task: number, hash: string): OutcomeItem {
  const value = encodeStored({ hash, size: 100_000, encoding: "json" });
  return { task, attempt: 1, code: storedBit, micros: 1, logBytes: 0, value };
}

/** An agent that runs tasks 0 … count - 1 of job 1 in term 1. */
function running(count: number): World {
  const world = new World({ amounts: { cpu: count * 1_000 } });
  lead(world, 1);
  world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, count)));
  world.turn();
  for (const slot of world.slots) slot.begin();
  return world;
}

function lead(world: World, term: number): void {
  world.tell(term, { kind: "lead", term });
  world.turn();
}

const last = <T>(list: readonly T[]): T => {
  const one = list.at(-1);
  if (one === undefined) throw new Error("there is none");
  return one;
};

test("a report waits until its leader has what it names; those behind it wait too", () => {
  const world = running(3);
  const [first, second, third] = world.slots;
  first?.end(stored(0, a));
  world.turn();
  second?.finish();
  world.turn();
  third?.end(stored(2, b));
  world.turn();
  expect(world.reports()).toEqual([]);
  expect(world.results.asked).toEqual([a, b]);
  world.results.brought(b);
  expect(world.reports()).toEqual([]);
  world.results.brought(a);
  expect(endsIn(world.reports())).toEqual(["1/0#1 128", "1/1#1 0", "1/2#1 128"]);
  expect(world.reports().map(({ n }) => n)).toEqual([1, 2, 3]);
});

test("a new leader is asked; the registration names as held what waits, and the reports follow once", () => {
  const world = running(2);
  const [first, second] = world.slots;
  first?.finish();
  world.turn();
  world.results.had.add(a);
  second?.end(stored(1, a));
  world.turn();
  expect(endsIn(world.reports())).toEqual(["1/0#1 0", "1/1#1 128"]);

  lead(world, 2);
  const { reports, held } = last(world.registrations());
  expect(endsIn(reports)).toEqual(["1/0#1 0"]);
  expect(namesIn(held)).toEqual(["1/1#1"]);
  expect(world.results.asked).toEqual([a]);
  const sent = world.reports().length;
  world.results.brought(a);
  world.turn();
  expect(endsIn(world.reports().slice(sent))).toEqual(["1/1#1 128"]);
});

test("the same leader on a new connection is asked anew", () => {
  const world = running(1);
  world.results.had.add(a);
  world.slots[0]?.end(stored(0, a));
  world.turn();
  world.agent.closed(1);
  world.tell(2, { kind: "lead", term: 1 });
  world.turn();
  expect(last(world.registrations()).reports).toEqual([]);
  expect(world.results.asked).toEqual([a]);
});

test("bytes are forgotten when the outcome that names them is recorded, a command's outputs too", () => {
  const world = running(2);
  for (const hash of [a, b]) world.results.had.add(hash);
  const [first, second] = world.slots;
  first?.end(stored(0, a));
  world.turn();
  second?.end({ ...stored(1, a), payloads: [b] });
  world.turn();
  expect(last(last(world.reports()).blocks).payloads).toEqual([b]);
  expect(world.results.forgotten).toEqual([]);
  world.tell(1, { kind: "recorded", term: 1, n: 1 });
  expect(world.results.forgotten).toEqual([a]);
  world.tell(1, { kind: "recorded", term: 1, n: 2 });
  expect(world.results.forgotten).toEqual([a, a, b]);
});

test("what a verdict calls recorded is not waited for", () => {
  const world = running(2);
  world.results.had.add(a);
  world.slots[0]?.end(stored(0, a));
  world.turn();
  world.slots[1]?.finish();
  world.turn();
  lead(world, 2);
  const sent = world.reports().length;
  world.tell(2, { kind: "verdict", term: 2, kill: [], recorded: 1 });
  expect(endsIn(world.reports().slice(sent))).toEqual(["1/1#1 0"]);
});

const inherited: WorkerReport = {
  kind: "report",
  n: 1,
  blocks: [{ job: 1, bytes: encodeOutcomes([stored(0, a)]), payloads: [b] }],
  returned: [],
};

test("a new incarnation registers when the leader has what its predecessor's ends name", () => {
  const world = new World({ predecessor: [inherited] });
  lead(world, 1);
  expect(world.registrations()).toEqual([]);
  expect(world.results.asked).toEqual([a, b]);
  world.results.brought(a);
  expect(world.registrations()).toEqual([]);
  world.results.brought(b);
  expect(endsIn(last(world.registrations()).reports)).toEqual(["1/0#1 128"]);
});

test("it does not wait for ever: what takes long follows as a report", () => {
  const world = new World({ predecessor: [inherited] });
  lead(world, 1);
  world.clock.pass(5_000);
  expect(last(world.registrations()).reports).toEqual([]);
  for (const hash of [a, b]) world.results.brought(hash);
  expect(world.registrations()).toHaveLength(1);
  expect(endsIn(world.reports())).toEqual(["1/0#1 128"]);
});

test("a leader that goes before the registration is not registered with", () => {
  const world = new World({ predecessor: [inherited] });
  lead(world, 1);
  world.agent.closed(1);
  world.clock.pass(10_000);
  expect(world.sent).toEqual([]);
});

test("kept bytes count towards the spool's limit: at 80 % nothing new is started, and nothing given back", () => {
  const world = new World();
  lead(world, 1);
  world.results.bytes = 0.9 * limits.spoolBytesMax;
  world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
  world.turn();
  expect([world.slots.length, world.agent.held, world.reports()]).toEqual([0, 1, []]);
  world.results.bytes = 0;
  world.tell(1, { kind: "recorded", term: 1, n: 0 });
  world.turn();
  expect(world.slots).toHaveLength(1);
});

test("a worker that leaves waits for its results to be recorded, without a leader too", () => {
  const world = running(1);
  world.results.had.add(a);
  world.agent.leave("told to leave", 0);
  world.slots[0]?.end(stored(0, a));
  world.turn();
  world.agent.closed(1);
  world.clock.pass(600_000);
  expect(world.exit).toBeUndefined();
  lead(world, 2);
  world.results.brought(a);
  world.turn();
  world.tell(2, { kind: "recorded", term: 2, n: 1 });
  expect(world.exit).toBe("told to leave");
});

test("to the deadline of its drain: then they stay in the spool", () => {
  const world = running(1);
  world.results.had.add(a);
  world.agent.leave("told to leave", 60_000);
  world.slots[0]?.end(stored(0, a));
  world.turn();
  world.agent.closed(1);
  world.clock.pass(50_000);
  expect(world.exit).toBeUndefined();
  world.clock.pass(20_000);
  expect(world.exit).toBe("told to leave; 1 reports stay in the spool");
  expect(endsIn(world.spooled)).toEqual(["1/0#1 128"]);
});
