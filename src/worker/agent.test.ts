import { describe, expect, test } from "vitest";
import { limits } from "../protocol/limits.ts";
import type { MasterMessage } from "../protocol/messages.ts";
import {
  endsIn,
  jobOf,
  namesIn,
  rangeOf,
  startOf,
  World,
  type WorldOptions,
} from "./agent.fixture.ts";

const lead = (term: number): MasterMessage => ({ kind: "lead", term });
const recorded = (term: number, n: number): MasterMessage => ({ kind: "recorded", term, n });
const drain = (term: number, more: { on?: boolean; exit?: boolean; deadlineMs?: number } = {}) =>
  ({ kind: "drain", term, on: true, exit: false, deadlineMs: 0, ...more }) as const;

/** A world whose session 1 leads in term 1. */
function led(options: WorldOptions = {}): World {
  const world = new World(options);
  world.tell(1, lead(1));
  world.turn();
  return world;
}

describe("terms", () => {
  test("a worker registers when a master announces its term", () => {
    const world = led();
    expect(world.registrations()).toMatchObject([{ term: 1, held: [], started: [], reports: [] }]);
  });

  test("the same announcement twice registers once", () => {
    const world = led();
    world.tell(1, lead(1));
    expect(world.registrations()).toHaveLength(1);
  });

  test("an announcement of a lower term is ignored", () => {
    const world = led();
    world.tell(2, lead(3));
    world.tell(1, lead(2));
    expect(world.agent.leader).toBe(2);
    expect(world.registrations().map(({ term }) => term)).toEqual([1, 3]);
  });

  test("orders of an old leader are refused once a new term is taken", () => {
    const world = led();
    world.tell(2, lead(2));
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.tell(2, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.tell(1, startOf(2, [jobOf(1)], rangeOf(1, 0, 1)));
    expect(world.agent.held).toBe(0);
    world.tell(2, startOf(2, [jobOf(1)], rangeOf(1, 0, 1)));
    expect(world.agent.held).toBe(1);
  });

  test("the same leader on a new connection gets a full registration again", () => {
    const world = led();
    world.agent.closed(1);
    world.tell(5, lead(1));
    world.tell(1, lead(1));
    expect(world.agent.leader).toBe(5);
    expect(world.registrations()).toHaveLength(2);
  });

  test("a late word of a closed session's leader changes nothing while none leads", () => {
    const world = led();
    world.agent.closed(1);
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    expect(world.agent.held).toBe(0);
  });
});

describe("start at most once", () => {
  test("a re-sent attempt that waits or runs is not taken again", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 3)));
    world.turn();
    world.slots[0]?.begin();
    world.tell(1, startOf(1, [], rangeOf(1, 0, 4)));
    expect(world.agent.held).toBe(4);
    for (let i = 0; i < 8; i++) {
      for (const slot of world.alive) slot.finish();
      world.turn();
    }
    expect(world.starts).toEqual(["1/0#1", "1/1#1", "1/2#1", "1/3#1"]);
  });

  test("a re-sent attempt whose end is not recorded yet is not taken again", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.turn();
    world.slots[0]?.finish();
    world.turn();
    world.agent.closed(1);
    world.tell(2, lead(2), startOf(2, [jobOf(1)], rangeOf(1, 0, 1)));
    world.turn();
    expect(world.agent.held).toBe(0);
    expect(world.starts).toEqual(["1/0#1"]);
  });

  test("a higher attempt of the same task may come while the lower one still runs", () => {
    const world = led({ amounts: { cpu: 2_000 } });
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1, 1)));
    world.turn();
    world.slots[0]?.begin();
    world.tell(1, startOf(1, [], rangeOf(1, 0, 1, 3)));
    world.turn();
    world.slots[1]?.begin();
    expect(world.starts).toEqual(["1/0#1", "1/0#3"]);
  });

  test("lines that do not fit their range end the session, which registers anew", () => {
    const world = led();
    const range = { ...rangeOf(1, 0, 2), count: 3 };
    world.tell(1, startOf(1, [jobOf(1)], range));
    expect(world.closes).toHaveLength(1);
    expect(world.agent.held).toBe(0);
    world.tell(2, lead(1), startOf(1, [jobOf(1)], rangeOf(1, 0, 3)));
    expect(world.agent.held).toBe(3);
  });

  test("a job that was never described ends the session", () => {
    const world = led();
    world.tell(1, startOf(1, [], rangeOf(9, 0, 1)));
    expect(world.closes).toMatchObject([{ session: 1 }]);
  });
});

describe("registration", () => {
  test("it names what waits, what runs and what ended unrecorded, after a reconnect", () => {
    const world = led({ amounts: { cpu: 2_000 } });
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 10)));
    world.turn();
    world.slots[0]?.finish();
    world.slots[1]?.begin();
    world.agent.closed(1);
    world.clock.pass(60_000);
    world.tell(7, lead(2));
    const [, register] = world.registrations();
    expect(endsIn(register?.reports ?? [])).toEqual(["1/0#1 0"]);
    expect(register?.held).toContainEqual({ job: 1, first: 3, count: 7, attempt: 1 });
    expect(namesIn(register?.held ?? []).toSorted()).toEqual(
      Array.from({ length: 9 }, (_, i) => `1/${i + 1}#1`),
    );
    expect(namesIn(register?.started ?? [])).toContain("1/1#1");
  });

  test("a kill in the verdict ends what is held, wherever it is", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 3)));
    world.turn();
    world.slots[0]?.begin();
    world.agent.closed(1);
    world.tell(2, lead(2));
    const kill = [{ job: 1, first: 0, count: 2, attempt: 1 }];
    world.tell(2, { kind: "verdict", term: 2, kill, recorded: 0 });
    world.turn();
    expect(world.cancels).toMatchObject([{ task: 0, code: 35 }]);
    expect(endsIn(world.reports())).toEqual(["1/1#1 35"]);
    world.slots[0]?.finish();
    world.turn();
    expect(endsIn(world.reports())).toEqual(["1/1#1 35", "1/0#1 35"]);
  });

  test("reports beyond one frame follow it, and their attempts are named as held", () => {
    const big = new Uint8Array(400 * 1024);
    const predecessor = Array.from({ length: 30 }, (_, i) => ({
      kind: "report" as const,
      n: i + 1,
      blocks: [{ job: 1, bytes: big }],
      returned: [],
    }));
    const world = led({ predecessor });
    const inside = world.registrations()[0]?.reports ?? [];
    expect(inside.length).toBeGreaterThan(5);
    expect(inside.length).toBeLessThan(30);
    expect([...inside, ...world.reports()].map(({ n }) => n)).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
  });
});

describe("order and amounts", () => {
  test("attempts start in the order sent, and a large need is not overtaken", () => {
    const world = led({ amounts: { cpu: 2_000 } });
    world.tell(
      1,
      startOf(
        1,
        [jobOf(1), jobOf(2, { cpu: 2_000 }), jobOf(3)],
        rangeOf(1, 0, 1),
        rangeOf(2, 0, 1),
        rangeOf(3, 0, 1),
      ),
    );
    world.turn();
    for (const slot of world.alive) slot.begin();
    expect(world.starts).toEqual(["1/0#1"]);
    expect(world.agent.used.get("cpu")).toBe(1_000);
    for (let i = 0; i < 4; i++) {
      for (const slot of world.alive) slot.finish();
      world.turn();
    }
    expect(world.starts).toEqual(["1/0#1", "2/0#1", "3/0#1"]);
    expect(world.agent.used.get("cpu")).toBe(0);
  });

  test("a cancelled attempt holds its amounts until its slot reports the end", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1), rangeOf(1, 1, 1)));
    world.turn();
    world.slots[0]?.begin();
    const ranges = [{ job: 1, first: 0, count: 1, attempt: 1 }];
    world.tell(1, { kind: "cancel", term: 1, ranges, reason: 32 });
    world.turn();
    expect(world.starts).toEqual(["1/0#1"]);
    expect(world.agent.used.get("cpu")).toBe(1_000);
    world.slots[0]?.finish();
    world.turn();
    expect(endsIn(world.reports())).toEqual(["1/0#1 32"]);
  });

  test("a need that cannot be met here is given back", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1, { licence: 1_000 })], rangeOf(1, 0, 2)));
    world.turn();
    expect(world.reports()).toMatchObject([
      { n: 1, blocks: [], returned: [{ job: 1, first: 0, count: 2, attempt: 1 }] },
    ]);
  });

  test("short runs are given ahead, long ones one by one", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 5_000)));
    world.turn();
    const [slot] = world.slots;
    for (let i = 0; i < 12; i++) {
      slot?.finish(1_000, 0, 5);
      world.turn();
    }
    expect(slot?.queue.length).toBeGreaterThan(100);
    expect(slot?.queue.length).toBeLessThanOrEqual(512);
  });

  test("what waits behind a run that turns out long starts elsewhere", () => {
    const world = led({ amounts: { cpu: 2_000 } });
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 40)));
    world.turn();
    const [first, second] = world.slots;
    second?.begin();
    for (let i = 0; i < 3; i++) {
      first?.finish(100, 0, 5);
      world.turn();
    }
    first?.begin();
    expect(first?.queue.length).toBeGreaterThan(0);
    world.clock.pass(200);
    expect(first?.queue).toEqual([]);
    for (let i = 0; i < 100; i++) {
      second?.finish();
      world.turn();
    }
    expect(world.starts).toHaveLength(40);
    expect(new Set(world.starts).size).toBe(40);
  });

  test("an idle slot goes on with another job of the same bundle", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1), jobOf(2)], rangeOf(1, 0, 1), rangeOf(2, 0, 1)));
    world.turn();
    world.slots[0]?.finish();
    world.turn();
    world.slots[0]?.finish();
    world.turn();
    expect(world.slots).toHaveLength(1);
    expect(endsIn(world.reports())).toEqual(["1/0#1 0", "2/0#1 0"]);
  });

  test("an idle slot of another bundle makes room", () => {
    const world = led();
    const other = { ...jobOf(2), code: { kind: "function" as const, bundle: "b".repeat(64) } };
    world.tell(1, startOf(1, [jobOf(1), other], rangeOf(1, 0, 1), rangeOf(2, 0, 1)));
    world.turn();
    world.slots[0]?.finish();
    world.turn();
    expect(world.alive.map((slot) => slot.job.number)).toEqual([2]);
  });
});

describe("recall", () => {
  test("the last sent come back first, what runs does not", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1), jobOf(2)], rangeOf(1, 0, 4), rangeOf(2, 0, 2)));
    world.tell(1, startOf(1, [], rangeOf(1, 10, 2)));
    world.turn();
    world.slots[0]?.begin();
    world.tell(1, { kind: "recall", term: 1, job: 1, count: 3 });
    world.turn();
    const [report] = world.reports();
    expect(namesIn(report?.returned ?? []).toSorted()).toEqual(["1/10#1", "1/11#1", "1/3#1"]);
    world.tell(1, { kind: "recall", term: 1, job: 1, count: 100 });
    world.turn();
    expect(world.agent.held).toBe(3);
  });

  test("attempts ahead of a slot come back when it drops them", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 30)));
    world.turn();
    const [slot] = world.slots;
    for (let i = 0; i < 3; i++) {
      slot?.finish(100, 0, 5);
      world.turn();
    }
    slot?.begin();
    const held = world.agent.held;
    world.tell(1, { kind: "recall", term: 1, job: 1, count: held });
    world.turn();
    expect(world.agent.held).toBe(1);
    expect(world.reports().flatMap(({ returned }) => namesIn(returned))).toHaveLength(held - 1);
  });
});

describe("cancel", () => {
  test("an attempt that waits is reported cancelled and never starts", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 5)));
    world.turn();
    world.slots[0]?.begin();
    const ranges = [{ job: 1, first: 2, count: 2, attempt: 1 }];
    world.tell(1, { kind: "cancel", term: 1, ranges, reason: 34 });
    world.turn();
    expect(endsIn(world.reports())).toEqual(["1/2#1 34", "1/3#1 34"]);
    for (let i = 0; i < 5; i++) {
      world.slots[0]?.finish();
      world.turn();
    }
    expect(world.starts).toEqual(["1/0#1", "1/1#1", "1/4#1"]);
  });

  test("an attempt that never came is answered, and is not started afterwards", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    const ranges = [{ job: 1, first: 7, count: 1, attempt: 2 }];
    world.tell(1, { kind: "cancel", term: 1, ranges, reason: 32 });
    world.tell(1, startOf(1, [], rangeOf(1, 7, 1, 2)));
    world.turn();
    expect(endsIn(world.reports())).toEqual(["1/7#2 32"]);
    expect(world.agent.held).toBe(1);
  });
});

describe("reports", () => {
  test("an outcome is kept until it is recorded, and then forgotten", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 3)));
    for (let i = 0; i < 3; i++) {
      world.turn();
      world.slots[0]?.finish();
    }
    world.turn();
    expect(world.agent.unrecorded.map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(world.agent.known).toBe(3);
    world.tell(1, recorded(1, 2), recorded(1, 1));
    expect(world.agent.unrecorded.map(({ n }) => n)).toEqual([3]);
    expect(world.agent.known).toBe(1);
  });

  test("a block holds at most 256 outcomes", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 600)));
    const all = [{ job: 1, first: 0, count: 600, attempt: 1 }];
    world.tell(1, { kind: "cancel", term: 1, ranges: all, reason: 32 });
    world.turn();
    expect(endsIn(world.reports())).toHaveLength(600);
    expect(world.reports().flatMap(({ blocks }) => blocks)).toHaveLength(3);
  });

  test("outcomes that no leader takes for a second go to the spool", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.turn();
    world.agent.closed(1);
    world.slots[0]?.finish();
    world.clock.pass(500);
    expect(world.spooled).toEqual([]);
    world.clock.pass(1_000);
    expect(endsIn(world.spooled)).toEqual(["1/0#1 0"]);
    world.tell(2, lead(2), { kind: "verdict", term: 2, kill: [], recorded: 1 });
    expect(world.spoolRecorded).toBe(1);
  });

  test("masters away for an hour: work runs on, nothing is killed, all is told later", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 4)));
    world.turn();
    world.agent.closed(1);
    for (let i = 0; i < 4; i++) {
      world.clock.pass(900_000);
      world.alive[0]?.finish();
      world.turn();
    }
    expect(world.cancels).toEqual([]);
    world.tell(2, lead(9));
    expect(endsIn(world.registrations()[1]?.reports ?? [])).toHaveLength(4);
  });

  test("what an earlier incarnation spooled is the first report of this one", () => {
    const before = led();
    before.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    before.turn();
    before.slots[0]?.finish();
    before.clock.pass(2_000);
    const world = led({ predecessor: before.spooled });
    expect(world.registrations()[0]?.reports).toMatchObject([{ n: 1 }]);
    expect(endsIn(world.registrations()[0]?.reports ?? [])).toEqual(["1/0#1 0"]);
    expect(world.agent.known).toBe(0);
  });

  test("at 80 % of the spool nothing new is started", () => {
    const bytes = new Uint8Array(0.81 * limits.spoolBytesMax);
    const predecessor = [
      { kind: "report" as const, n: 1, blocks: [{ job: 1, bytes }], returned: [] },
    ];
    const world = led({ predecessor });
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 2)));
    world.turn();
    expect(world.slots).toEqual([]);
    expect(world.agent.unrecorded.at(-1)?.returned).toMatchObject([{ count: 2 }]);
    world.tell(1, recorded(1, 1), startOf(1, [], rangeOf(1, 5, 1)));
    world.turn();
    expect(world.slots).toHaveLength(1);
  });
});

describe("drain", () => {
  test("it gives back what has not started, takes nothing new and says goodbye when told to exit", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 5)));
    world.turn();
    world.slots[0]?.begin();
    world.tell(1, drain(1, { exit: true }));
    world.tell(1, startOf(1, [], rangeOf(1, 20, 1)));
    world.turn();
    const back = world.reports().flatMap(({ returned }) => namesIn(returned));
    expect(back.toSorted()).toEqual(["1/1#1", "1/2#1", "1/20#1", "1/3#1", "1/4#1"]);
    world.slots[0]?.finish();
    world.turn();
    expect(world.exit).toBeUndefined();
    world.tell(1, recorded(1, 99));
    expect(world.exit).toBe("drained");
    expect(world.sent.at(-1)?.message).toMatchObject({ kind: "goodbye" });
  });

  test("at its deadline what runs is ended as drained", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.turn();
    world.slots[0]?.begin();
    world.tell(1, drain(1, { deadlineMs: 10_000 }));
    world.clock.pass(9_000);
    expect(world.cancels).toEqual([]);
    world.clock.pass(2_000);
    expect(world.cancels).toMatchObject([{ task: 0, code: 66 }]);
  });

  test("taken back, it lets work in again", () => {
    const world = led();
    world.tell(1, drain(1), drain(1, { on: false }), startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.turn();
    expect(world.slots).toHaveLength(1);
  });

  test("one that leaves by itself says so before it gives anything back, and whenever it registers", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 3)));
    world.turn();
    world.slots[0]?.begin();
    const before = world.sent.length;
    world.agent.leave("a signal", 10_000);
    world.turn();
    const said = world.sent.slice(before).map(({ message }) => message.kind);
    expect(said.filter((kind) => kind !== "progress")).toEqual(["leaving", "report"]);
    expect(world.sent.at(before)?.message).toEqual({ kind: "leaving", deadlineMs: 10_000 });
    world.clock.pass(4_000);
    world.tell(2, { kind: "lead", term: 2 });
    const { leaving } = world.registrations().at(-1) ?? {};
    expect(leaving?.deadlineMs).toBeGreaterThan(0);
    expect(leaving?.deadlineMs).toBeLessThan(6_100);
  });

  test("one that leaves by itself says so again to a leader that wants it back", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.turn();
    world.slots[0]?.begin();
    world.agent.leave("a signal", 0);
    world.tell(1, drain(1, { exit: true }));
    const before = world.sent.length;
    world.tell(1, drain(1, { on: false }));
    expect(world.sent.slice(before)).toEqual([
      { session: 1, message: { kind: "leaving", deadlineMs: 0 } },
    ]);
    expect(world.agent.draining).toBe(true);
  });

  test("a drain that a leader ordered is not said back to it", () => {
    const world = led();
    world.tell(1, drain(1), { kind: "lead", term: 2 });
    expect(world.sent.map(({ message }) => message.kind)).not.toContain("leaving");
    expect(world.registrations().at(-1)).not.toHaveProperty("leaving");
  });

  test("a worker that leaves with masters away keeps its reports in the spool", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    world.turn();
    world.slots[0]?.begin();
    world.agent.closed(1);
    world.agent.leave("a signal", 0);
    world.slots[0]?.finish();
    world.clock.pass(10_000);
    expect(world.exit).toBe("a signal; 1 reports stay in the spool");
    expect(world.spooled).toHaveLength(1);
  });

  test("stopped at once, running attempts end as drained and uncharged", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 2)));
    world.turn();
    world.slots[0]?.begin();
    world.agent.stop();
    world.turn();
    expect(endsIn(world.reports())).toEqual(["1/0#1 66"]);
    world.tell(1, recorded(1, 99));
    expect(world.exit).toBe("stopped");
  });
});

describe("slots that die", () => {
  test("what ran ends as crashed, what waited starts in another slot", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 20)));
    world.turn();
    for (let i = 0; i < 3; i++) {
      world.slots[0]?.finish(100, 0, 5);
      world.turn();
    }
    world.slots[0]?.begin();
    world.slots[0]?.die("signal SIGSEGV");
    world.turn();
    for (let i = 0; i < 40; i++) {
      world.alive[0]?.finish(1);
      world.turn();
    }
    const ends = endsIn(world.reports());
    expect(ends).toHaveLength(20);
    expect(ends.filter((end) => end.endsWith(" 6"))).toHaveLength(1);
  });

  test("a slot that cannot start is tried again later, then the work is given back", () => {
    const world = led();
    world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
    for (let i = 0; i < 6; i++) {
      for (const slot of world.alive) slot.die("no memory");
      world.clock.pass(10_000);
    }
    expect(world.reports()).toMatchObject([{ returned: [{ first: 0, count: 1 }] }]);
    expect(world.agent.held).toBe(0);
  });
});

describe("references", () => {
  const reference = { ...rangeOf(1, 0, 1), inputs: new TextEncoder().encode('@{"value":1}\n') };

  test("an input is resolved before a slot sees it", () => {
    let answer: (() => void) | undefined;
    const input = new TextEncoder().encode("[1,2]");
    const world = led({
      resolveInput: (_job, _line, done) => {
        answer = () => done({ kind: "input", input });
        return () => {};
      },
    });
    world.tell(1, startOf(1, [jobOf(1)], reference));
    world.turn();
    expect(world.slots[0]?.queue).toEqual([]);
    answer?.();
    expect(world.slots[0]?.queue[0]?.input).toEqual(input);
  });

  test("an input that is gone ends its attempt", () => {
    const world = led({
      resolveInput: (_job, _line, done) => {
        done({ kind: "gone", message: "no such payload" });
        return () => {};
      },
    });
    world.tell(1, startOf(1, [jobOf(1)], reference));
    world.turn();
    expect(endsIn(world.reports())).toEqual(["1/0#1 15"]);
    expect(world.agent.used.get("cpu")).toBe(0);
  });

  test("an attempt whose input is being fetched can be recalled", () => {
    let stopped = false;
    const world = led({
      resolveInput: () => () => {
        stopped = true;
      },
    });
    world.tell(1, startOf(1, [jobOf(1)], reference));
    world.turn();
    world.tell(1, { kind: "recall", term: 1, job: 1, count: 1 });
    world.turn();
    expect(stopped).toBe(true);
    expect(world.agent.held).toBe(0);
    expect(world.reports()[0]?.returned).toMatchObject([{ first: 0, count: 1 }]);
  });
});

test("progress is coalesced and never told without a leader", () => {
  const world = led();
  world.tell(1, startOf(1, [jobOf(1)], rangeOf(1, 0, 1)));
  world.turn();
  world.slots[0]?.begin();
  for (let i = 0; i < 100; i++) {
    world.slots[0]?.progress(i);
    world.clock.pass(10);
  }
  const hints = world.sent.flatMap(({ message }) => (message.kind === "progress" ? [message] : []));
  expect(hints.flatMap(({ tasks }) => tasks).length).toBeLessThanOrEqual(5);
  expect(hints.flatMap(({ started }) => namesIn(started))).toEqual(["1/0#1"]);
});
