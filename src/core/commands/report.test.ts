import { describe, expect, it } from "vitest";
import { endReasons } from "../../protocol/model.ts";
import { Cluster } from "../cluster.fixture.ts";
import { backoff } from "./report.ts";

const error = endReasons.error.code;
const retry = (attempts: number) => ({
  attempts,
  backoffMs: 1_000,
  backoffMaxMs: 8_000,
  finalErrors: [],
});

describe("a failed attempt", () => {
  it("is tried again after its back-off, until its attempts are spent", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit({ spec: { retry: retry(2) } });
    cluster.report(worker, job, [{ task: 0, code: error }]);
    expect(cluster.letters(job)).toBe("b");
    cluster.wait(1_000);
    expect([cluster.letters(job), job.tasks.run?.attempt[0]]).toEqual(["a", 2]);
    cluster.report(worker, job, [{ task: 0, code: error }]);
    expect([cluster.letters(job), job.ended]).toEqual(["F", "failed"]);
  });

  it("that is final is not tried again", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit({ spec: { retry: retry(5) } });
    cluster.report(worker, job, [{ task: 0, code: endReasons.finalError.code }]);
    expect(job.ended).toBe("failed");
  });

  it("is not charged when its worker was lost, drained or asked to give it back", () => {
    const cluster = new Cluster();
    const [first, second] = [cluster.worker("w1"), cluster.worker("w2")];
    const job = cluster.submit();
    cluster.lose(first);
    cluster.report(second, job, [{ task: 0, code: endReasons.drained.code }]);
    expect([cluster.letters(job), job.tasks.run?.failures[0]]).toEqual(["a", 0]);
  });

  it("ends the other tasks when the job says so", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit({ tasks: 3, spec: { onFailure: "stop" } });
    cluster.report(worker, job, [{ task: 0, code: error }]);
    expect([cluster.letters(job), job.ended]).toEqual(["FCC", "failed"]);
  });
});

describe("back-off", () => {
  const job = new Cluster().submit({ spec: { retry: retry(9) } });

  it("is the same for the same job, task and attempt, and differs between tasks", () => {
    expect(backoff(job, 3, 1, 1)).toBe(backoff(job, 3, 1, 1));
    const all = Array.from({ length: 50 }, (_, task) => backoff(job, task, 1, 1));
    expect(new Set(all).size).toBeGreaterThan(20);
  });

  it("lies between half and all of a ceiling that doubles up to its maximum", () => {
    for (const [failures, ceiling] of [1_000, 2_000, 4_000, 8_000, 8_000, 8_000].entries()) {
      const ms = backoff(job, 0, failures + 1, failures + 1);
      expect(ms).toBeGreaterThanOrEqual(ceiling / 2);
      expect(ms).toBeLessThanOrEqual(ceiling);
    }
  });
});

describe("an outcome", () => {
  /** A task that was lost with its first worker and runs on the second. */
  function twice(spec: { readonly fenced?: boolean } = {}) {
    const cluster = new Cluster();
    const first = cluster.worker("w1");
    const job = cluster.submit({ spec });
    cluster.lose(first);
    const second = cluster.worker("w2");
    return { cluster, job, first, second };
  }

  it("of an older attempt wins if it comes first; the current one is told to end and holds till then", () => {
    const { cluster, job, first, second } = twice();
    cluster.report(first, job, [{ task: 0, attempt: 1 }]);
    expect([cluster.letters(job), job.ended]).toEqual(["X", "succeeded"]);
    expect(cluster.effects).toContainEqual(
      expect.objectContaining({ kind: "cancel", worker: second, attempt: 2 }),
    );
    expect(cluster.workerOf(second).used.get("cpu")).toBe(1_000);
    cluster.report(second, job, [{ task: 0, attempt: 2, code: endReasons.superseded.code }]);
    expect(cluster.workerOf(second).used.get("cpu")).toBe(0);
    expect(cluster.letters(job)).toBe("S");
  });

  it("of an older attempt is ignored when the task is fenced", () => {
    const { cluster, job, first } = twice({ fenced: true });
    cluster.report(first, job, [{ task: 0, attempt: 1 }]);
    expect(cluster.letters(job)).toBe("a");
  });

  it("of an older attempt that failed is ignored", () => {
    const { cluster, job, first } = twice();
    cluster.report(first, job, [{ task: 0, attempt: 1, code: error }]);
    expect(cluster.letters(job)).toBe("a");
  });

  it("never changes", () => {
    const { cluster, job, first, second } = twice();
    cluster.report(second, job, [{ task: 0, attempt: 2 }]);
    cluster.report(first, job, [{ task: 0, attempt: 1, code: error }]);
    expect([cluster.letters(job), cluster.state.totals.succeeded]).toEqual(["S", 1]);
  });

  it("of two attempts of one task in one block wins once, and both are over", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit();
    cluster.lose(worker);
    cluster.worker("w");
    expect(job.tasks.run?.attempt[0]).toBe(2);
    cluster.report(worker, job, [
      { task: 0, attempt: 1 },
      { task: 0, attempt: 2 },
    ]);
    expect([cluster.letters(job), cluster.workerOf(worker).used.get("cpu")]).toEqual(["S", 0]);
  });
});

describe("a report", () => {
  it("that comes before an earlier one is refused", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const more = { worker, incarnation: "w-1", blocks: [], returned: [] };
    expect(cluster.ask({ kind: "report", n: 2, ...more })).toMatchObject({ code: "conflict" });
    expect(cluster.ask({ kind: "report", n: 1, ...more })).toEqual({ ok: true });
  });

  it("of another incarnation changes nothing", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const more = { incarnation: "w-0", blocks: [], returned: [] };
    expect(cluster.ask({ kind: "report", worker, n: 1, ...more })).toEqual({ ok: true });
    expect(cluster.workerOf(worker).reports).toBe(0);
  });

  it("gives back what never started, uncharged", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit();
    const returned = [{ job: job.number, first: 0, count: 1, attempt: 1 }];
    const more = { worker, incarnation: "w-1", n: 1, blocks: [], returned };
    cluster.ask({ kind: "report", ...more });
    expect([cluster.letters(job), job.tasks.run?.attempt[0]]).toEqual(["a", 2]);
    expect(job.tasks.run?.failures[0]).toBe(0);
  });
});
