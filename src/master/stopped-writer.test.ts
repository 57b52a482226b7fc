import { beforeEach, expect, test } from "vitest";
import { createLog } from "../lib/log.ts";
import type { ProcessName } from "../lib/own-process.ts";
import { limits } from "../protocol/limits.ts";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { StoppedWriters } from "./stopped-writer.ts";

const m1: ProcessName = { pid: 101, started: "1", machine: "boot" };
const m3: ProcessName = { pid: 103, started: "3", machine: "boot" };

let clock: HandClock;
let logged: string[];
let killed: number[];
let stands: boolean;
let ready: boolean;
let silentSince: number;
/** What the next look at the journal finds. */
let inJournal: () => void;
let journalAnswers: boolean;
let holders: readonly number[] | undefined;
/** By pid. */
let stops: Map<number, string>;
let mayKill: boolean;
let writers: StoppedWriters;

/** A candidate after a lease of silence; m1 is stopped and holds the lock. */
beforeEach(() => {
  clock = new HandClock();
  clock.pass(10_000);
  [logged, killed, stands, ready, mayKill] = [[], [], true, true, true];
  [inJournal, journalAnswers] = [() => {}, true];
  silentSince = clock.now() - limits.leaseMs;
  holders = [m1.pid];
  stops = new Map([[m1.pid, "a"]]);
  writers = new StoppedWriters({
    clock,
    log: createLog({ format: "json", write: (line) => logged.push(line) }),
    stands: () => stands,
    ready: () => ready,
    silentMs: () => clock.now() - silentSince,
    look(done) {
      inJournal();
      done(journalAnswers);
    },
    others: () => [
      { id: "m1", process: m1 },
      { id: "m3", process: m3 },
    ],
    lockedBy: () => holders,
    stopOf: ({ pid }) => stops.get(pid),
    kill(pid) {
      if (!mayKill) throw new Error("EPERM");
      killed.push(pid);
    },
  });
});

const twoLooks = 2 * limits.stoppedLookMs;

test("a stopped master that holds the lock at two looks is killed, a lease after the last batch and not two", () => {
  writers.standing();
  clock.pass(twoLooks - 1);
  expect(killed).toEqual([]);
  clock.pass(1);
  expect(killed).toEqual([m1.pid]);
  expect(logged.join()).toContain("it is killed");
});

test("it is signalled once, and told of once when it may not be", () => {
  mayKill = false;
  writers.standing();
  clock.pass(10 * twoLooks);
  expect(logged.filter((line) => line.includes("may not kill it"))).toHaveLength(1);
  stops.set(m1.pid, "another stop");
  mayKill = true;
  clock.pass(twoLooks);
  expect(killed).toEqual([m1.pid]);
});

test("one that ran between the looks is left alone until it has not", () => {
  writers.standing();
  clock.pass(limits.stoppedLookMs);
  stops.set(m1.pid, "b");
  clock.pass(limits.stoppedLookMs);
  expect(killed).toEqual([]);
  clock.pass(limits.stoppedLookMs);
  expect(killed).toEqual([m1.pid]);
});

test("two looks that are not in succession do not count", () => {
  writers.standing();
  clock.pass(limits.stoppedLookMs);
  stops.clear();
  clock.pass(limits.stoppedLookMs);
  stops.set(m1.pid, "a");
  clock.pass(limits.stoppedLookMs);
  expect(killed).toEqual([]);
});

test("one that works is never killed, however long it holds the lock", () => {
  stops.clear();
  writers.standing();
  clock.pass(60_000);
  expect(killed).toEqual([]);
});

test("one that is stopped while another holds the lock is left alone", () => {
  holders = [m3.pid];
  writers.standing();
  clock.pass(60_000);
  writers.stuck();
  expect(killed).toEqual([]);
});

test("who holds the lock is told once, where it is nobody that may be killed", () => {
  holders = [4711];
  writers.stuck();
  writers.stuck();
  expect(killed).toEqual([]);
  expect(logged).toHaveLength(1);
  expect(logged.join()).toContain("4711");
});

test("nobody is killed before a lease has passed without a batch", () => {
  silentSince = clock.now();
  writers.standing();
  clock.pass(limits.leaseMs + limits.stoppedLookMs - 1);
  expect(killed).toEqual([]);
  clock.pass(1);
  expect(killed).toEqual([m1.pid]);
});

test("a batch that is found between the looks saves it, and ends the candidacy", () => {
  writers.standing();
  clock.pass(limits.stoppedLookMs);
  inJournal = () => (stands = false);
  clock.pass(60_000);
  expect(killed).toEqual([]);
});

test("a batch that came while the candidate itself was stopped is read before it looks again", () => {
  writers.standing();
  clock.pass(limits.stoppedLookMs);
  clock.stall(60_000);
  inJournal = () => (silentSince = clock.now());
  clock.pass(limits.stoppedLookMs);
  expect(killed).toEqual([]);
});

test("a journal that cannot be read is no silence of the leader", () => {
  journalAnswers = false;
  writers.standing();
  clock.pass(60_000);
  expect(killed).toEqual([]);
});

test("a master that may not lead as things are kills nobody", () => {
  ready = false;
  writers.standing();
  clock.pass(60_000);
  expect(killed).toEqual([]);
  ready = true;
  clock.pass(twoLooks);
  expect(killed).toEqual([m1.pid]);
});

test("one that stands again looks twice again", () => {
  writers.standing();
  clock.pass(limits.stoppedLookMs);
  stands = false;
  clock.pass(limits.stoppedLookMs);
  stands = true;
  writers.standing();
  clock.pass(limits.stoppedLookMs);
  expect(killed).toEqual([]);
  clock.pass(limits.stoppedLookMs);
  expect(killed).toEqual([m1.pid]);
});

test("one that stands twice looks as often as one that stands once", () => {
  let looks = 0;
  inJournal = () => looks++;
  writers.standing();
  writers.standing();
  clock.pass(10 * limits.stoppedLookMs);
  expect(looks).toBe(10);
});

test("where the kernel does not tell who holds the lock, a stopped one dies after a lease without an answer", () => {
  holders = undefined;
  writers.standing();
  clock.pass(60_000);
  expect(killed).toEqual([]);
  writers.stuck();
  expect(killed).toEqual([m1.pid]);
});
