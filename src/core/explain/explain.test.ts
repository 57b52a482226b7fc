import { describe, expect, it } from "vitest";
import { Cluster } from "../cluster.fixture.ts";

describe("why a task does not run", () => {
  it("says that there is no worker", () => {
    const cluster = new Cluster();
    expect(cluster.why(cluster.submit())).toContain("No worker has joined");
  });

  it("says that no worker is large enough, and that nothing will change by itself", () => {
    const cluster = new Cluster();
    cluster.worker("w", { cpu: 1_000 });
    const needs = { amounts: { cpu: 2_000 }, required: {}, preferred: {} };
    const text = cluster.why(cluster.submit({ spec: { needs } }));
    expect(text).toBe("No worker can ever run it as things are. w: needs 2 cpu, has 1 cpu in all.");
  });

  it("names the label that is missing", () => {
    const cluster = new Cluster();
    cluster.worker("w", { cpu: 1_000 }, { labels: { zone: "a" } });
    const needs = { amounts: { cpu: 1_000 }, required: { zone: "b" }, preferred: {} };
    expect(cluster.why(cluster.submit({ spec: { needs } }))).toContain("zone=b, has a");
  });

  it("says what is free when all is in use", () => {
    const cluster = new Cluster();
    cluster.worker("w");
    expect(cluster.why(cluster.submit({ tasks: 2 }), 1)).toBe(
      "w: 1 cpu needed, 0 cpu of 1 cpu free.",
    );
  });

  it("names a paused queue, a full one and a full key", () => {
    const cluster = new Cluster();
    cluster.worker("w", { cpu: 9_000 });
    const concurrency = { key: "k", limit: 1 };
    const job = cluster.submit({ tasks: 2, spec: { concurrency } });
    expect(cluster.why(job, 1)).toBe('1 tasks with key "k" run, its limit.');
    cluster.setQueue({ runningMax: 1 });
    expect(cluster.why(job, 1)).toContain("runs its limit of 1");
    cluster.setQueue({}, true);
    expect(cluster.why(job, 1)).toBe('Queue "q" is paused.');
  });

  it("names the job it waits for, its delay and its back-off", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const retry = { attempts: 2, backoffMs: 4_000, backoffMaxMs: 4_000, finalErrors: [] };
    const first = cluster.submit({ spec: { retry } });
    const after = [{ job: first.id, mode: "all" }] as const;
    expect(cluster.why(cluster.submit({ spec: { after } }))).toContain(first.id);
    expect(cluster.why(cluster.submit({ spec: { delayMs: 5_000 } }))).toContain("5 s");
    cluster.report(worker, first, [{ task: 0, code: 1 }]);
    expect(cluster.why(first)).toMatch(/It failed 1 of 2 times and tries again in [2-4] s/);
  });

  it("says how a task ended", () => {
    const cluster = new Cluster();
    const job = cluster.submit();
    cluster.ask({ kind: "cancelTask", job: job.number, task: 0 });
    expect(cluster.why(job)).toBe("It has ended: it was cancelled.");
  });
});
