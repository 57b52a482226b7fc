import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { Cluster } from "../cluster.fixture.ts";

const needs = (amounts: Record<string, number>, required: Record<string, string> = {}) => ({
  needs: { amounts, required, preferred: {} },
});

describe("placement", () => {
  it("fills a worker and no more", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 2_500 });
    const job = cluster.submit({ tasks: 4 });
    expect(cluster.letters(job)).toBe("aarr");
    expect(cluster.workerOf(worker).used.get("cpu")).toBe(2_000);
  });

  it("looks at every amount and at required labels", () => {
    const cluster = new Cluster();
    cluster.worker("small", { cpu: 8_000, memory: 1_000 }, { labels: { zone: "a" } });
    const big = cluster.submit({ spec: needs({ cpu: 1_000, memory: 2_000 }) });
    const far = cluster.submit({ spec: needs({ cpu: 1_000 }, { zone: "b" }) });
    expect([cluster.letters(big), cluster.letters(far)]).toEqual(["r", "r"]);
    cluster.worker("large", { cpu: 8_000, memory: 4_000 }, { labels: { zone: "b" } });
    expect([cluster.letters(big), cluster.letters(far)]).toEqual(["a", "a"]);
  });

  it("prefers labels, then the emptiest worker", () => {
    const cluster = new Cluster();
    cluster.worker("w1", { cpu: 8_000 });
    const near = cluster.worker("w2", { cpu: 2_000 }, { labels: { disk: "ssd" } });
    const preferred = {
      needs: { amounts: { cpu: 1_000 }, required: {}, preferred: { disk: "ssd" } },
    };
    const job = cluster.submit({ spec: preferred });
    expect(job.tasks.run?.worker[0]).toBe(near);
  });

  it("takes the higher priority first, and the older job among equals", () => {
    const cluster = new Cluster();
    const low = cluster.submit({ tasks: 2 });
    const old = cluster.submit({ spec: { priority: 5 } });
    const young = cluster.submit({ spec: { priority: 5 } });
    cluster.worker("w");
    expect([low, old, young].map((job) => cluster.letters(job))).toEqual(["rr", "a", "r"]);
  });

  it("gives queues their share by weight", () => {
    const cluster = new Cluster();
    cluster.setQueue({ weight: 3_000 }, null, "films");
    cluster.setQueue({ weight: 1_000 }, null, "proofs");
    const films = cluster.submit({ tasks: 20, spec: { queue: "films" } });
    const proofs = cluster.submit({ tasks: 20, spec: { queue: "proofs" } });
    for (let i = 0; i < 8; i++) cluster.worker(`w${i}`);
    const running = [films, proofs].map((job) => job.tasks.counts[3]);
    expect(running).toEqual([6, 2]);
  });

  it("leaves a paused queue alone, and one that runs its limit", () => {
    const cluster = new Cluster();
    cluster.setQueue({ runningMax: 1 }, true);
    const job = cluster.submit({ tasks: 3 });
    cluster.worker("w", { cpu: 8_000 });
    expect(cluster.letters(job)).toBe("rrr");
    cluster.setQueue({}, false);
    expect(cluster.letters(job)).toBe("arr");
  });

  it("keeps a concurrency key's limit over all jobs that use it", () => {
    const cluster = new Cluster();
    const concurrency = { key: "k", limit: 2 };
    const jobs = [1, 2].map(() => cluster.submit({ tasks: 2, spec: { concurrency } }));
    cluster.worker("w", { cpu: 8_000 });
    expect(jobs.map((job) => cluster.letters(job))).toEqual(["aa", "rr"]);
  });

  it("avoids a worker that died under the task while there is another", () => {
    const cluster = new Cluster();
    const first = cluster.worker("w1", { cpu: 4_000 });
    const job = cluster.submit();
    cluster.lose(first);
    const second = cluster.worker("w2", { cpu: 1_000 });
    expect(job.tasks.run?.worker[0]).toBe(second);
  });
});

describe("a task too large for what is free", () => {
  it("gets the worker that is free soonest once it has waited a minute", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 2_000 });
    const small = cluster.submit({ tasks: 50 });
    const large = cluster.submit({ spec: needs({ cpu: 2_000 }) });
    const end = (task: number) => cluster.report(worker, small, [{ task }]);
    end(0);
    expect(cluster.why(large)).toContain("2 cpu needed");
    cluster.time += limits.reserveAfterMs + 1;
    end(1);
    end(2);
    end(3);
    expect(cluster.letters(large)).toBe("a");
    expect(cluster.why(small, 20)).toContain("free");
  });

  it("does not keep a worker while its queue is paused", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 2_000 });
    const small = cluster.submit({ tasks: 50, spec: { queue: "other" } });
    cluster.submit({ spec: needs({ cpu: 2_000 }) });
    cluster.time += limits.reserveAfterMs + 1;
    cluster.report(worker, small, [{ task: 0 }]);
    cluster.setQueue({}, true);
    cluster.report(worker, small, [{ task: 1 }]);
    cluster.report(worker, small, [{ task: 2 }]);
    expect(small.tasks.counts[3]).toBe(2);
  });
});

describe("short tasks", () => {
  /** A worker with one slot whose job is known to be short. */
  function short() {
    const cluster = new Cluster();
    const worker = cluster.worker("w1");
    const job = cluster.submit({ tasks: 100 });
    for (let task = 0; task < 6; task++) {
      const running = [...job.tasks.state].findIndex((byte) => byte === 3);
      cluster.report(worker, job, [{ task: running, micros: 100 }]);
    }
    return { cluster, worker, job };
  }

  it("are sent ahead, more and more, but reserve nothing", () => {
    const { cluster, worker } = short();
    const { aheadCount, used } = cluster.workerOf(worker);
    expect(aheadCount).toBeGreaterThan(1);
    expect(used.get("cpu")).toBe(1_000);
  });

  it("are recalled when more urgent work comes", () => {
    const { cluster, worker, job } = short();
    cluster.submit({ spec: { priority: 5 } });
    expect(cluster.recalls).toContainEqual(expect.objectContaining({ worker, job: job.number }));
  });

  it("are recalled when another worker idles", () => {
    const { cluster, worker } = short();
    const left = cluster.state.jobs.get(1)?.tasks.counts[1] ?? 0;
    for (let i = 0; i < left; i++) cluster.worker(`idle${i}`);
    cluster.worker("one more");
    expect(cluster.recalls).toContainEqual(expect.objectContaining({ worker }));
  });
});
