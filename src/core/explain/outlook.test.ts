import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { taskState } from "../../protocol/model.ts";
import type { JobSpec } from "../../protocol/model.ts";
import { Cluster } from "../cluster.fixture.ts";
import { stateOf } from "../columns.ts";
import type { Job } from "../state.ts";
import type { Change } from "./change.ts";
import { outlook } from "./outlook.ts";

const look = (cluster: Cluster, job: Job, task = 0) =>
  outlook(cluster.state, job, task, cluster.time);
const needs = (cpu: number, required: Record<string, string> = {}): JobSpec["needs"] => ({
  amounts: { cpu },
  required,
  preferred: {},
});

describe("what goes before a task", () => {
  it("counts more urgent jobs, older ones, and its own job's earlier tasks", () => {
    const cluster = new Cluster();
    cluster.worker("w");
    cluster.submit({ tasks: 3 }); // one of them runs
    cluster.submit({ tasks: 5, spec: { priority: 9 } });
    const job = cluster.submit({ tasks: 4 });
    cluster.submit({ tasks: 7 });
    expect(look(cluster, job, 3).line).toMatchObject({ tasks: 2 + 5 + 3, jobs: 2 });
  });

  it("leaves out what wants other workers, and other queues", () => {
    const cluster = new Cluster();
    cluster.worker("w");
    cluster.submit({ tasks: 3 });
    cluster.submit({ tasks: 5, spec: { needs: needs(8_000) } });
    cluster.submit({ tasks: 5, spec: { queue: "other" } });
    const job = cluster.submit();
    expect(look(cluster, job).line).toMatchObject({ tasks: 2, jobs: 1 });
  });
});

describe("the forecast", () => {
  it("divides what goes first by the slots, in measured run times", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 2_000 });
    const first = cluster.submit({ tasks: 22 });
    cluster.report(worker, first, [
      { task: 0, micros: 10_000_000 },
      { task: 1, micros: 10_000_000 },
    ]);
    // Two run (half done on the average), 18 wait: 10 s × 19 on two slots.
    const job = cluster.submit();
    expect(look(cluster, job).forecast).toEqual({
      ms: 95_000,
      text: "It starts in about 95 s: 18 tasks before it, 2 slots, measured run times.",
    });
  });

  it("counts only its queue's share of the slots", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const first = cluster.submit({ tasks: 4 });
    cluster.report(worker, first, [{ task: 0, micros: 10_000_000 }]);
    const alone = look(cluster, first, 3).forecast?.ms ?? 0;
    cluster.submit({ tasks: 4, spec: { queue: "other" } });
    expect(look(cluster, first, 3).forecast?.ms).toBe(alone * 2);
  });

  it("says that it starts at once, and that nobody can say", () => {
    const cluster = new Cluster();
    const job = cluster.submit({ tasks: 2 });
    expect(look(cluster, job).forecast).toBeNull();
    cluster.worker("w");
    expect(look(cluster, job, 1).forecast).toMatchObject({ ms: null });
    expect(look(cluster, job, 1).forecast?.text).toContain("run time is not known");
  });

  it("knows the end of a delay", () => {
    const cluster = new Cluster();
    const job = cluster.submit({ spec: { delayMs: 5_000 } });
    expect(look(cluster, job).forecast).toEqual({ ms: 5_000, text: "It is ready in 5 s." });
  });
});

describe("the smallest change", () => {
  it("is nothing while other tasks run that will end", () => {
    const cluster = new Cluster();
    cluster.worker("w");
    const job = cluster.submit({ tasks: 3 });
    expect(look(cluster, job, 2).change).toEqual([]);
  });

  it("prefers a worker that drains to one without labels, and that to a new one", () => {
    const cluster = new Cluster();
    const spec = { needs: needs(1_000, { zone: "a" }) };
    const job = cluster.submit({ spec });
    const labels = { zone: "a" };
    expect(look(cluster, job).change).toEqual([
      { kind: "worker", amounts: { cpu: 1_000 }, labels },
    ]);
    cluster.worker("plain");
    expect(look(cluster, job).change).toEqual([{ kind: "label", worker: "plain", labels }]);
    const drained = cluster.worker("drained", { cpu: 1_000 }, { labels: { zone: "b" } });
    drain(cluster, drained, false);
    cluster.worker("drained", { cpu: 1_000 }, { labels });
    expect(cluster.letters(job)).toBe("r");
    expect(look(cluster, job).change).toEqual([{ kind: "undrain", worker: "drained" }]);
  });

  it("lets the task run, whatever stood in its way, once what goes first has ended", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { cluster, job } = build(world);
        if (stateOf(job.tasks, 0) !== taskState.ready) return;
        const { change } = look(cluster, job);
        for (const step of change) apply(cluster, step);
        // What goes first may still do so, but it ends; without a step to take that alone must do.
        if (stateOf(job.tasks, 0) === taskState.ready) endAll(cluster, job);
        expect(stateOf(job.tasks, 0), JSON.stringify(change)).toBe(taskState.assigned);
      }),
      { numRuns: 500 },
    );
  });
});

// ── worlds in which something stands in the way ──────────────────────────────────────────

const zones = fc.constantFrom({}, { zone: "a" }, { zone: "b" });
const worlds = fc.record({
  workers: fc.array(
    fc.record({ cpu: fc.integer({ min: 1, max: 3 }), labels: zones, drains: fc.boolean() }),
    { maxLength: 4 },
  ),
  others: fc.array(
    fc.record({ tasks: fc.integer({ min: 1, max: 4 }), cpu: fc.constantFrom(1, 2) }),
    {
      maxLength: 2,
    },
  ),
  cpu: fc.integer({ min: 1, max: 4 }),
  required: zones,
  paused: fc.boolean(),
  runningMax: fc.integer({ min: 0, max: 2 }),
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

function build({ workers, others, cpu, required, paused, runningMax }: World) {
  const cluster = new Cluster();
  for (const [i, worker] of workers.entries()) {
    const amounts = { cpu: worker.cpu * 1_000 };
    const number = cluster.worker(`w${i}`, amounts, { labels: worker.labels });
    if (worker.drains) drain(cluster, number, false);
  }
  for (const { tasks, cpu: each } of others) {
    cluster.submit({ tasks, spec: { needs: needs(each * 1_000) } });
  }
  cluster.setQueue({ runningMax }, paused);
  const job = cluster.submit({ spec: { needs: needs(cpu * 1_000, required) } });
  return { cluster, job };
}

function drain(cluster: Cluster, worker: number, undo: boolean): void {
  cluster.ask({ kind: "drain", worker, deadlineMs: 3_600_000, exit: false, undo });
}

/** Whatever else is assigned succeeds, until nothing else is. */
function endAll(cluster: Cluster, job: Job): void {
  for (let round = 0; round < 20; round++) {
    for (const other of cluster.state.jobs.values()) {
      if (other === job) continue;
      for (let task = 0; task < other.tasks.count; task++) {
        if (stateOf(other.tasks, task) !== taskState.assigned) continue;
        cluster.report(other.tasks.run?.worker[task] ?? 0, other, [{ task }]);
      }
    }
  }
}

function apply(cluster: Cluster, step: Change): void {
  const { state } = cluster;
  if (step.kind === "resume") cluster.setQueue({}, false, step.queue);
  else if (step.kind === "runningMax") cluster.setQueue({ runningMax: step.to }, null, step.queue);
  else if (step.kind === "undrain") {
    drain(cluster, state.workerNumbers.get(step.worker) ?? 0, true);
  } else if (step.kind === "label") {
    const number = state.workerNumbers.get(step.worker) ?? 0;
    const { amounts } = cluster.workerOf(number).info;
    cluster.lose(number);
    cluster.worker(step.worker, amounts, { labels: step.labels, incarnation: "anew" });
  } else cluster.worker("another", step.amounts, { labels: step.labels });
}
