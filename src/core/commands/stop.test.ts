import { describe, expect, it } from "vitest";
import { endReasons } from "../../protocol/model.ts";
import { Cluster } from "../cluster.fixture.ts";

describe("a cancelled job", () => {
  it("starts nothing more; what runs holds its amounts until its worker says that it is over", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit({ tasks: 2 });
    cluster.ask({ kind: "cancelJob", job: job.number, reason: "cancelled" });
    expect([cluster.letters(job), job.ended]).toEqual(["XC", "cancelled"]);
    const next = cluster.submit();
    expect(cluster.letters(next)).toBe("r");
    cluster.report(worker, job, [{ task: 0, code: endReasons.cancelled.code }]);
    expect([cluster.letters(job), cluster.letters(next)]).toEqual(["CC", "a"]);
  });

  it("frees what it held when its worker is lost", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit();
    cluster.ask({ kind: "cancelJob", job: job.number, reason: "cancelled" });
    cluster.lose(worker);
    expect([cluster.letters(job), job.tasks.held]).toEqual(["C", 0]);
  });
});

describe("a task that waits for another job", () => {
  const after = (job: string, mode: "all" | "each") => ({ after: [{ job, mode }] });

  it("starts when all of it succeeded", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 4_000 });
    const first = cluster.submit({ tasks: 2 });
    const second = cluster.submit({ spec: after(first.id, "all") });
    cluster.report(worker, first, [{ task: 0 }]);
    expect(cluster.letters(second)).toBe("w");
    cluster.report(worker, first, [{ task: 1 }]);
    expect(cluster.letters(second)).toBe("a");
  });

  it("starts when its own one succeeded, and ends as upstream when that failed", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 4_000 });
    const first = cluster.submit({ tasks: 2 });
    const second = cluster.submit({ tasks: 2, spec: after(first.id, "each") });
    cluster.report(worker, first, [{ task: 1, code: endReasons.error.code }, { task: 0 }]);
    expect(cluster.letters(second)).toBe("aC");
    expect(second.tasks.run?.reason[1]).toBe(endReasons.upstream.code);
  });

  it("ends when there is no task of its number there", () => {
    const cluster = new Cluster();
    const first = cluster.submit({ tasks: 1 });
    const second = cluster.submit({ tasks: 2, spec: after(first.id, "each") });
    expect(cluster.letters(second)).toBe("wC");
  });

  it("ends with the job it waits for, and so do those behind it", () => {
    const cluster = new Cluster();
    const first = cluster.submit();
    const second = cluster.submit({ spec: after(first.id, "all") });
    const third = cluster.submit({ spec: after(second.id, "all") });
    cluster.ask({ kind: "cancelJob", job: first.number, reason: "cancelled" });
    cluster.wait(1);
    expect([second.ended, third.ended]).toEqual(["cancelled", "cancelled"]);
  });

  it("waits for its delay as well", () => {
    const cluster = new Cluster();
    const job = cluster.submit({ spec: { delayMs: 5_000 } });
    cluster.wait(4_999);
    expect(cluster.letters(job)).toBe("w");
    cluster.wait(1);
    expect(cluster.letters(job)).toBe("r");
  });
});
