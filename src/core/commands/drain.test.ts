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
