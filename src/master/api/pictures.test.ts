import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endReasons } from "../../protocol/model.ts";
import { ask } from "../context.ts";
import {
  errorGroupsSchema,
  gridSchema,
  jobGraphSchema,
  overviewSchema,
  seriesSchema,
  streamSchema,
} from "../../protocol/picture-views.ts";
import { pictureStates } from "../../protocol/picture-states.ts";
import { ApiWorld } from "./api-world.fixture.ts";

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.open();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const failing = { code: endReasons.error.code, text: '{"name":"E","message":"frame 7 is bad"}' };
const stateNames = (numbers: Iterable<number>) =>
  Array.from(numbers, (number) => pictureStates[number]);

/** Six tasks on one worker of four cpus: the third fails, the last two wait. */
async function sixTasks(): Promise<{ job: string; worker: number }> {
  const worker = await world.register("w1");
  const job = await world.submit([1, 2, 3, 4, 5, 6]);
  await expect.poll(() => world.assigned(worker, job).length).toBe(4);
  await world.report(worker, job, [
    { task: 0, micros: 40_000 },
    { task: 2, micros: 20_000, code: failing.code, value: Buffer.from(failing.text) },
  ]);
  return { job, worker };
}

/** The state forgets the job, as when it is retired. */
function retire(job: string): void {
  world.master.loop.peek((state) => {
    const number = state.jobNumbers.get(job) ?? 0;
    state.jobs.delete(number);
    state.finished.delete(number);
    state.jobNumbers.delete(job);
  });
}

describe("the grid of a job", () => {
  test("has a byte for every task, of those that have left the state too", async () => {
    const { job, worker } = await sixTasks();
    const path = `/v1/jobs/${job}/grid`;
    const live = gridSchema.parse((await world.get(path)).json);
    expect([live.tasks, live.perCell]).toEqual([6, 1]);
    const before = stateNames(Buffer.from(live.states, "base64"));
    expect(before.slice(0, 3)).toEqual(["succeeded", "assigned", "failed"]);
    await world.work(worker, job);
    retire(job);
    const gone = gridSchema.parse((await world.get(path)).json);
    const after = stateNames(Buffer.from(gone.states, "base64"));
    expect(after.map((state) => state === "failed")).toEqual([0, 0, 1, 0, 0, 0].map(Boolean));
  });

  test("shows of several tasks in a cell the one that needs a look most", async () => {
    const { job } = await sixTasks();
    const { json } = await world.get(`/v1/jobs/${job}/grid?cells=2`);
    const { perCell, states } = gridSchema.parse(json);
    expect(perCell).toBe(3);
    expect(stateNames(Buffer.from(states, "base64"))).toEqual(["failed", "assigned"]);
  });
});

describe("the task stream", () => {
  test("lays attempts of a worker side by side where they overlap, and says how idle it was", async () => {
    const { job, worker } = await sixTasks();
    await world.work(worker, job, () => ({ text: "1", micros: 30_000 }));
    const view = streamSchema.parse((await world.get(`/v1/jobs/${job}/stream`)).json);
    expect(view.total).toBe(6);
    expect(view.cells).toBeNull();
    expect(view.bars?.task.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(view.lanes.every((lane) => lane.worker === "w1")).toBe(true);
    expect(view.lanes.length).toBeGreaterThanOrEqual(2);
    expect(stateNames(view.bars?.state ?? []).filter((state) => state === "failed")).toHaveLength(
      1,
    );
    expect(view.verdict).toMatch(/^\d+ % idle.*went into attempts that failed or were lost\.$/);
  });

  test("becomes cells of time when there are more attempts than were asked for", async () => {
    const { job } = await sixTasks();
    const { json } = await world.get(`/v1/jobs/${job}/stream?bars=1`);
    const view = streamSchema.parse(json);
    expect([view.total, view.bars]).toEqual([2, null]);
    expect(view.lanes).toEqual([{ worker: "w1", slot: 0 }]);
    expect(stateNames(view.cells?.state ?? [])).toContain("failed");
  });

  test("says so when nothing ran", async () => {
    const job = await world.submit([1]);
    const { json } = await world.get(`/v1/jobs/${job}/stream`);
    expect(json).toMatchObject({ total: 0, verdict: "Nothing ran in this time." });
  });

  test("refuses to be asked for more bars than a browser draws", async () => {
    const job = await world.submit([1]);
    expect((await world.get(`/v1/jobs/${job}/stream?bars=50001`)).status).toBe(400);
  });
});

test("errors that differ by numbers only are one group", async () => {
  const worker = await world.register("w1");
  const job = await world.submit([1, 2, 3]);
  await expect.poll(() => world.assigned(worker, job).length).toBe(3);
  await world.report(worker, job, [
    { task: 0, code: failing.code, value: Buffer.from(failing.text) },
    { task: 1, code: failing.code, value: Buffer.from(failing.text.replace("7", "8")) },
    { task: 2, code: endReasons.runTimeout.code },
  ]);
  const { groups, looked, partial } = errorGroupsSchema.parse(
    (await world.get(`/v1/jobs/${job}/errors`)).json,
  );
  expect([looked, partial]).toEqual([3, null]);
  expect(groups.map(({ reason, count, first }) => [reason, count, first.task])).toEqual([
    ["error", 2, 0],
    ["run_timeout", 1, 2],
  ]);
});

test("the graph shows who waits for whom, in both directions", async () => {
  const first = await world.submit([1]);
  const second = await world.submit([1], {}, { after: [{ job: first, mode: "all" }] });
  const third = await world.submit([1], {}, { after: [{ job: second, mode: "each" }] });
  await world.submit([1]);
  const { json } = await world.get(`/v1/jobs/${second}/graph`);
  const { nodes, edges } = jobGraphSchema.parse(json);
  expect(nodes.map(({ job }) => job).toSorted()).toEqual([first, second, third].toSorted());
  expect(edges).toEqual([
    { from: first, to: second, mode: "all" },
    { from: second, to: third, mode: "each" },
  ]);
});

describe("the overview", () => {
  test("says what is wrong, what would mend it, and what runs", async () => {
    const job = await world.submit([1, 2]);
    const alone = overviewSchema.parse((await world.get("/v1/overview")).json);
    expect(alone.level).toBe("bad");
    expect(alone.attention).toMatchObject([{ hint: "skein worker", link: "/workers" }]);
    const worker = await world.register("w1");
    await expect.poll(() => world.assigned(worker, job).length).toBe(2);
    await world.report(worker, job, [{ task: 0 }]);
    const seen = async () => overviewSchema.parse((await world.get("/v1/overview")).json);
    await expect.poll(async () => (await seen()).running.length).toBe(1);
    const { level, running, workers, tasks } = await seen();
    expect([level, workers.total, tasks]).toEqual(["ok", 1, { waiting: 0, assigned: 1 }]);
    expect(running[0]).toMatchObject({ id: job, tasks: 2, counts: { succeeded: 1 } });
  });

  test("is made once for all who look at the same moment", async () => {
    const looks = await Promise.all(Array.from({ length: 20 }, () => world.get("/v1/overview")));
    expect(new Set(looks.map(({ text }) => text)).size).toBe(1);
  });

  test("counts a worker that was lost until it is forgotten", async () => {
    const worker = await world.register("w1");
    const how = { reason: "silent", gone: false, silent: false, started: [] };
    await ask(world.master, {
      kind: "loseWorker",
      worker,
      incarnation: "aaaaaaaaaaaaaaaa",
      ...how,
    });
    const { workers, attention } = overviewSchema.parse((await world.get("/v1/overview")).json);
    expect(workers.items).toMatchObject([{ id: "w1", state: "lost" }]);
    expect(attention).toMatchObject([{ level: "warn", link: "/workers?filter=state:lost" }]);
  });
});

test("the series is empty at first, and says what a step is", async () => {
  const view = seriesSchema.parse((await world.get("/v1/series?span=24h")).json);
  expect([view.stepMs, view.waiting]).toEqual([10_000, []]);
  expect((await world.get("/v1/series?span=1y")).status).toBe(400);
});
