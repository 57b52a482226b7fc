import { describe, expect, it } from "vitest";
import { limits } from "../protocol/limits.ts";
import { Cluster, lines } from "./cluster.fixture.ts";
import { openTurn } from "./machine.ts";
import { expire } from "./timeouts.ts";

const timeouts = { queuedMs: 1_000, runMs: 0, silenceMs: 0 };

/** One turn of `expire` after another: how many tasks each has ended. */
function endsByTurn(cluster: Cluster): number[] {
  const ends: number[] = [];
  for (let more = true; more && ends.length < 100;) {
    const turn = openTurn(cluster.state, 1, cluster.time, cluster.time);
    more = expire(turn);
    const swept = turn.entries.map((entry) => (entry.kind === "swept" ? entry.count : 0));
    ends.push(swept.reduce((sum, count) => sum + count, 0));
  }
  return ends;
}

describe("a queue timeout", () => {
  it("ends what nobody took, and nothing else", () => {
    const cluster = new Cluster();
    cluster.worker("w", { cpu: 2_000 });
    const job = cluster.submit({ tasks: 5, spec: { timeouts } });
    cluster.wait(999);
    expect(cluster.letters(job)).toBe("aarrr");
    cluster.wait(1);
    expect(cluster.letters(job)).toBe("aaFFF");
  });

  it("of a large part ends it in slices, all tasks in the end", () => {
    const cluster = new Cluster();
    const tasks = 2 * limits.sliceTasksMax + 5;
    const job = cluster.submit({ tasks, spec: { timeouts } });
    cluster.time += 1_000;
    const ends = endsByTurn(cluster);
    expect(ends.slice(0, 3)).toEqual([limits.sliceTasksMax, limits.sliceTasksMax, 5]);
    expect(job.ended).toBe("failed");
  });

  it("of many parts takes a slice a turn, too, and keeps one timer for each task", () => {
    const cluster = new Cluster();
    const job = cluster.submit({ open: true, spec: { timeouts } });
    const input = lines(6_000);
    for (let part = 0; part < 4; part++)
      cluster.ask({ kind: "part", job: job.number, part, input });
    cluster.time += 1_000;
    const ends = endsByTurn(cluster);
    expect(Math.max(...ends)).toBeLessThanOrEqual(limits.sliceTasksMax);
    expect(job.tasks.counts[5]).toBe(24_000);
    expect(cluster.state.timers.heap.filter(({ kind }) => kind === "queued")).toEqual([]);
  });

  it("of tasks that still wait looks again later", () => {
    const cluster = new Cluster();
    const first = cluster.submit();
    const after = [{ job: first.id, mode: "all" as const }];
    const job = cluster.submit({ tasks: 3, spec: { timeouts, after } });
    cluster.wait(5_000);
    expect(cluster.letters(job)).toBe("www");
    expect(cluster.state.timers.heap.filter(({ kind }) => kind === "queued")).toHaveLength(1);
  });
});
