import { expect, test } from "vitest";
import { Cluster } from "../cluster.fixture.ts";

const drainOf = (worker: number, more: object = {}) =>
  ({ kind: "drain", worker, deadlineMs: 0, exit: false, undo: false, ...more }) as const;

test("a second drain with another deadline is told to the worker", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  cluster.submit();
  cluster.ask(drainOf(worker));
  cluster.ask(drainOf(worker, { deadlineMs: 60_000, exit: true }));
  expect(cluster.effects).toContainEqual({ kind: "drain", worker });
});

test("undoing a drain makes no suspect worker active", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  cluster.ask({ kind: "workerNews", worker, incarnation: "w1-1", news: "silent" });
  cluster.ask(drainOf(worker, { undo: true }));
  expect(cluster.workerOf(worker).state).toBe("suspect");
});

test("a drained worker whose process starts anew still takes nothing", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  cluster.ask(drainOf(worker));
  cluster.worker("w1", { cpu: 1_000 }, { incarnation: "w1-2" });
  const job = cluster.submit();
  expect(cluster.letters(job)).toBe("r");
  expect(cluster.workerOf(worker).state).toMatch(/^drain/);
});

test("a worker that was drained to leave and is started again takes work", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  cluster.ask(drainOf(worker, { exit: true }));
  cluster.worker("w1", { cpu: 1_000 }, { incarnation: "w1-2" });
  expect(cluster.letters(cluster.submit())).toBe("a");
});

test("a worker that registers while it leaves gets nothing, not even in that very turn", () => {
  const cluster = new Cluster();
  const first = cluster.submit();
  const worker = cluster.worker("w1", { cpu: 1_000 }, {}, { deadlineMs: 0 });
  expect(cluster.letters(first)).toBe("r");
  expect(cluster.workerOf(worker)).toMatchObject({ drainExit: true });
  // Said again by the next session, it is no news.
  cluster.worker("w1", { cpu: 1_000 }, {}, { deadlineMs: 0 });
  expect(cluster.entries.map(({ kind }) => kind)).toEqual(["workerRegistered"]);
});

test("the wish of a process to leave is not for the next one of its worker", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  cluster.worker("w1", { cpu: 1_000 }, { incarnation: "w1-2" });
  cluster.ask(drainOf(worker, { exit: true, incarnation: "w1-1" }));
  expect(cluster.letters(cluster.submit())).toBe("a");
});

test("a worker that rests is passed over, and nobody's work is called back for it", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  cluster.resting = new Set([worker]);
  const job = cluster.submit();
  expect(cluster.letters(job)).toBe("r");
  cluster.worker("w2");
  expect(cluster.letters(job)).toBe("a");
  cluster.resting = new Set();
  expect(cluster.letters(cluster.submit())).toBe("a");
});
