import { describe, expect, it } from "vitest";
import { assertState, digestOf } from "../../test/simulator/check-state.ts";
import { Cluster } from "./cluster.fixture.ts";
import { createDigestMemory, digest, digestAhead, renewDigestMemory } from "./digest.ts";
import { decodeState, encodeState } from "./snapshot.ts";

function busy(): Cluster {
  const cluster = new Cluster();
  const worker = cluster.worker("w", { cpu: 3_000 });
  const retry = { attempts: 3, backoffMs: 4_000, backoffMaxMs: 9_000, finalErrors: [] };
  const job = cluster.submit({ tasks: 6, spec: { retry } });
  cluster.submit({ spec: { after: [{ job: job.id, mode: "all" }] } });
  cluster.submit({ spec: { delayMs: 5_000, concurrency: { key: "k", limit: 1 } } });
  cluster.report(worker, job, [{ task: 0, code: 1 }, { task: 1 }]);
  cluster.ask({ kind: "cancelTask", job: job.number, task: 2 });
  return cluster;
}

describe("a snapshot", () => {
  it("gives the same state back: digest, counts, classes and timers", () => {
    const { state } = busy();
    const loaded = decodeState(encodeState(state));
    expect(digestOf(loaded)).toBe(digestOf(state));
    assertState(loaded);
  });

  it("goes on where the state was: delays and back-offs are over in time", () => {
    const cluster = busy();
    const loaded = new Cluster(decodeState(encodeState(cluster.state)));
    loaded.time = cluster.time;
    for (const one of [cluster, loaded]) one.wait(5_000);
    expect(digestOf(loaded.state)).toBe(digestOf(cluster.state));
    expect(loaded.letters(loaded.job(3))).toBe(cluster.letters(cluster.job(3)));
  });

  it("shares nothing with the state", () => {
    const cluster = busy();
    const before = digestOf(cluster.state);
    const loaded = new Cluster(decodeState(encodeState(cluster.state)));
    loaded.time = cluster.time + 60_000;
    loaded.wait(1);
    expect(digestOf(cluster.state)).toBe(before);
  });

  it("holds a job of a million tasks", () => {
    const cluster = new Cluster();
    cluster.worker("w", { cpu: 100_000 });
    const job = cluster.submit({ tasks: 1_000_000 });
    const loaded = decodeState(encodeState(cluster.state));
    expect(loaded.jobs.get(job.number)?.tasks.count).toBe(1_000_000);
    expect(digestOf(loaded)).toBe(digestOf(cluster.state));
  }, 60_000);

  it("of another version is refused", () => {
    const plain = encodeState(busy().state) as Record<string, never>;
    expect(() => decodeState({ ...plain, version: 99 })).toThrow("version 99");
  });
});

describe("the digest", () => {
  it("is the same whether it is kept up or computed anew", () => {
    const cluster = busy();
    const memory = renewDigestMemory(cluster.state);
    digest(cluster.state, memory);
    cluster.wait(10_000);
    const first = cluster.submit();
    cluster.submit({ spec: { after: [{ job: first.id, mode: "all" }] } });
    expect(digest(cluster.state, memory)).toBe(digestOf(cluster.state));
  });

  it("is the same when very many jobs were hashed ahead of it, a bounded number a turn", () => {
    const cluster = new Cluster();
    const memory = renewDigestMemory(cluster.state);
    for (let i = 0; i < 2_500; i++) cluster.submit();
    const { jobs } = cluster.state.touched;
    const left: number[] = [];
    for (let i = 0; i < 4; i++) {
      digestAhead(cluster.state, memory);
      left.push(jobs.size);
    }
    expect(left).toEqual([2_300, 2_100, 2_000, 2_000]);
    cluster.worker("w");
    expect(digest(cluster.state, memory)).toBe(digestOf(cluster.state));
  });

  it("differs when a single task differs", () => {
    const [one, other] = [busy(), busy()];
    expect(digestOf(one.state)).toBe(digestOf(other.state));
    const job = other.job(1);
    other.ask({ kind: "cancelTask", job: job.number, task: 5 });
    one.ask({ kind: "cancelTask", job: job.number, task: 4 });
    expect(digestOf(one.state)).not.toBe(digestOf(other.state));
    expect(digest(one.state, createDigestMemory())).not.toBe("");
  });
});
