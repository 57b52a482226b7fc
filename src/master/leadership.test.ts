import { beforeEach, describe, expect, test } from "vitest";
import type { Effect } from "../core/effect.ts";
import type { Leader, State } from "../core/state.ts";
import { createState } from "../core/state.ts";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { silentLog } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { Leadership } from "./leadership.ts";
import type { Standby } from "./peers.ts";

const identity = { id: "m2", incarnation: "2b", addresses: ["http://m2"], levels: [1, 1] } as const;

let clock: HandClock;
let state: State;
let stands: boolean;
let leads: boolean;
let resignedTo: string | null | undefined;
let halted: string;
let doubts: number;
/** What the next look at the journal finds. */
let inJournal: (() => void)[];
let journalAnswers: boolean;
let standbys: Standby[];
let leadership: Leadership;

beforeEach(() => {
  clock = new HandClock();
  state = createState("j");
  [stands, leads, resignedTo, halted] = [false, false, undefined, ""];
  doubts = 0;
  [inJournal, journalAnswers, standbys] = [[], true, []];
  for (const id of ["m1", "m2", "m3"]) {
    const about = { incarnation: `${id}a`, addresses: [`http://${id}`], process: null };
    state.masters.set(id, { id, ...about, levels: [1, 1] });
  }
  const loop = {
    get leads() {
      return leads;
    },
    get stands() {
      return stands;
    },
    get doubts() {
      return doubts;
    },
    rebuilding: false,
    halted: false,
    goodAt: 0,
    campaign: () => (stands = true),
    withdraw: () => (stands = false),
    resign(to: string | null, done: (resigned: boolean) => void) {
      resignedTo = to;
      done(true);
    },
    peek: <T>(look: (seen: State) => T) => look(state),
  };
  leadership = new Leadership({
    clock,
    log: silentLog,
    loop: loop as never, // what leadership asks of a loop, and nothing else
    identity,
    look(done) {
      for (const found of inJournal.splice(0)) found();
      done(journalAnswers);
    },
    headAt: () => clock.now(),
    live: () => standbys,
    leaderCutMs: () => Infinity,
    hasEnded: ({ process }) => process !== null,
    halt: (why) => (halted = why.message),
    standing: () => {},
    survivesStopped: () => true,
  });
});

function leader(id: string, incarnation = `${id}a`): Leader {
  const { term } = state;
  return {
    id,
    incarnation,
    addresses: [`http://${id}`],
    term,
    electedAt: 0,
    electedWall: 0,
    process: null,
  };
}

function follow(...effects: Effect[]): void {
  state.index++;
  leadership.applied(state, effects);
}

function elect(id: string, incarnation?: string): void {
  state.term++;
  state.leader = leader(id, incarnation);
  follow({ kind: "elected" });
}

function led(): void {
  state.term = 7;
  state.leader = leader("m1");
  leadership.start();
}

describe("a follower stands", () => {
  test("out of silence, later by its rank, and not before it has looked once more (L3)", () => {
    led();
    clock.pass(limits.standAfterMs - 100);
    expect(stands).toBe(false);
    inJournal.push(() => follow());
    clock.pass(200);
    expect(stands).toBe(false); // there was news
    clock.pass(limits.standAfterMs + 100);
    expect(stands).toBe(true);
  });

  test("of a higher rank only after those before it", () => {
    led();
    state.leader = leader("m3"); // m1 goes first
    clock.pass(limits.standAfterMs + limits.rankMs / 2);
    expect(stands).toBe(false);
    clock.pass(limits.rankMs);
    expect(stands).toBe(true);
  });

  test("not while the journal does not answer: then the leader cannot either", () => {
    led();
    journalAnswers = false;
    clock.pass(10_000);
    expect(stands).toBe(false);
  });

  test("not for a silence that was its own stall (L7)", () => {
    led();
    clock.stall(30_000);
    clock.pass(200);
    expect(stands).toBe(false);
  });

  test("at once when the leader's process is gone, once a term (L4)", () => {
    led();
    clock.pass(limits.termMinMs);
    leadership.gone(6);
    expect(stands).toBe(false);
    leadership.gone(7);
    expect(stands).toBe(true);
  });

  test("not when that one turns out to have resigned: whom it named goes first", () => {
    led();
    clock.pass(limits.termMinMs);
    inJournal.push(() => {
      state.leader = null;
      follow({ kind: "resigned", from: "m1", to: "m3" });
    });
    leadership.gone(7);
    expect(stands).toBe(false);
  });

  test("not for connections that flap in a term that has only just begun", () => {
    led();
    leadership.gone(7);
    expect(stands).toBe(false);
  });

  test("at once when it was asked to lead on, the others after it (L6)", () => {
    led();
    state.leader = null;
    follow({ kind: "resigned", from: "m1", to: "m2" });
    expect(stands).toBe(true);
  });

  test("after who was asked to, if that one does not", () => {
    led();
    state.leader = null;
    follow({ kind: "resigned", from: "m1", to: "m3" });
    expect(stands).toBe(false);
    clock.pass(limits.resignedMs + 100);
    expect(stands).toBe(true);
  });

  test("at once when it starts and was the leader, or nobody ever was (L4)", () => {
    state.term = 3;
    state.leader = leader("m2", "2a");
    leadership.start();
    expect(stands).toBe(true);
  });

  test("last of all while it doubts the leader's state, so that whoever agrees goes first (L10)", () => {
    led();
    doubts = 5;
    clock.pass(limits.termMinMs);
    leadership.gone(7);
    follow({ kind: "resigned", from: "m1", to: "m2" });
    clock.pass(limits.standAfterMs + 2 * limits.rankMs);
    expect(stands).toBe(false);
    clock.pass(limits.doubtMs);
    expect(stands).toBe(true);
  });

  test("at once in a journal in which no term has begun", () => {
    leadership.start();
    expect(stands).toBe(true);
  });
});

describe("a candidate gives up", () => {
  test("as soon as another is elected", () => {
    led();
    clock.pass(limits.termMinMs);
    leadership.gone(7);
    elect("m3");
    expect(stands).toBe(false);
  });

  test("on any news if it stood out of silence", () => {
    led();
    clock.pass(limits.standAfterMs + 100);
    follow();
    expect(stands).toBe(false);
  });

  test("when a leader that was taken for gone appends a second time: one was on its way (J4)", () => {
    led();
    clock.pass(limits.termMinMs);
    leadership.gone(7);
    follow();
    expect(stands).toBe(true);
    follow();
    expect(stands).toBe(false);
  });
});

describe("a master never stands", () => {
  test("when what may be written is beyond what it can read (L11)", () => {
    state.featureLevel = 2;
    led();
    clock.pass(10_000);
    expect(stands).toBe(false);
  });

  test("when the leader has refused it", () => {
    led();
    leadership.refused();
    clock.pass(10_000);
    expect(stands).toBe(false);
  });

  test("beside another process of its id: it halts and says where that is", () => {
    led();
    elect("m2", "2x");
    expect(stands).toBe(false);
    expect(halted).toContain("another process runs as master m2, at http://m2");
  });
});

describe("a leader that steps down", () => {
  const standby = (id: string, applied: number, doubts = 0): Standby => ({
    ...{ id, incarnation: "1", addresses: [], version: "1", levels: [1, 1], clockMs: 0 },
    ...{ applied, watermark: 0, snapshot: 0, doubts },
  });

  test("asks the one that is furthest and does not doubt its state", () => {
    led();
    leads = true;
    standbys = [standby("m1", 5), standby("m3", 9, 4), standby("m4", 7)];
    leadership.stepDown(null, () => {});
    expect(resignedTo).toBe("m4");
  });

  test("stays when nobody stands by, and says so", () => {
    led();
    leads = true;
    let answer: object = {};
    leadership.stepDown("m9", (given) => (answer = given));
    expect(resignedTo).toBe(undefined);
    expect(answer).toMatchObject({
      ok: false,
      code: "conflict",
      message: expect.stringContaining("m9 is no standby"),
    });
  });
});
