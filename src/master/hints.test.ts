import { beforeEach, describe, expect, it } from "vitest";
import { Cluster } from "../core/cluster.fixture.ts";
import type { Job } from "../core/state.ts";
import { endReasons } from "../protocol/model.ts";
import { Hints } from "./hints.ts";

let cluster: Cluster;
let hints: Hints;
let worker: number;

beforeEach(() => {
  cluster = new Cluster();
  hints = new Hints();
  worker = cluster.worker("w", { cpu: 1_000_000_000 });
});

const attempt = 1;
const progress = (job: Job, task: number, message?: string) =>
  hints.take(cluster.state, worker, {
    started: [],
    tasks: [{ job: job.number, task, attempt, percent: 5, ...(message ? { message } : {}) }],
  });
const started = (job: Job, first: number, count = 1) => {
  const range = { job: job.number, first, count, attempt };
  hints.take(cluster.state, worker, { started: [range], tasks: [] });
};
const report = (job: Job, task: number, code = 0) => {
  cluster.report(worker, job, [{ task, code }]);
  hints.follow(cluster.effects);
};

describe("what a worker tells of an attempt", () => {
  it("goes with its outcome", () => {
    const job = cluster.submit({ tasks: 2 });
    started(job, 0, 2);
    progress(job, 0);
    report(job, 0);
    expect(hints.startedBy(worker)).toEqual([[job.number, 1, 1]]);
    expect(hints.progressOf(job.number, 0)).toBeUndefined();
  });

  it("is not said of the next attempt", () => {
    const retry = { attempts: 2, backoffMs: 0, backoffMaxMs: 0, finalErrors: [] };
    const job = cluster.submit({ spec: { retry } });
    started(job, 0);
    progress(job, 0);
    report(job, 0, endReasons.error.code);
    cluster.wait(1);
    expect([cluster.letters(job), job.tasks.run?.attempt[0]]).toEqual(["a", 2]);
    expect([hints.startedBy(worker), hints.progressOf(job.number, 0)]).toEqual([[], undefined]);
    // It may still be on its way.
    started(job, 0);
    progress(job, 0);
    expect([hints.startedBy(worker), hints.progressOf(job.number, 0)]).toEqual([[], undefined]);
  });

  it("is not kept when its job has ended", () => {
    const job = cluster.submit();
    report(job, 0);
    progress(job, 0);
    expect(hints.progressOf(job.number, 0)).toBeUndefined();
  });
});

describe("very many tasks with progress", () => {
  it("leave room for the newest", () => {
    const job = cluster.submit({ tasks: 100_001 });
    cluster.wait(1);
    while (cluster.letters(job).includes("r")) cluster.wait(1);
    for (let task = 0; task <= 100_000; task++) progress(job, task);
    expect(hints.progressOf(job.number, 0)).toBeUndefined();
    expect(hints.progressOf(job.number, 100_000)).toEqual({ percent: 5 });
  });

  it("say no more than fits", () => {
    const job = cluster.submit({ tasks: 3 });
    for (const task of [0, 1, 2]) progress(job, task, "x".repeat(8 * 1024 * 1024));
    expect(hints.progressOf(job.number, 0)).toBeUndefined();
    expect(hints.progressOf(job.number, 2)?.percent).toBe(5);
  });
});
