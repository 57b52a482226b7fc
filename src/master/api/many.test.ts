// What is asked of many things at once, or of one from all sides: bulk changes, attempts, tasks of all jobs, one
// worker, one queue.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endReasons } from "../../protocol/model.ts";
import { ask } from "../context.ts";
import { ApiWorld, settled } from "./api-world.fixture.ts";
import type { Answered } from "./api-world.fixture.ts";

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.open();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const failing = { code: endReasons.finalError.code, text: '{"name":"E","message":"no"}' };
const items = ({ json }: Answered) => json["items"] as Record<string, unknown>[];
const list = (path: string, query: Record<string, string> = {}) =>
  world.get(`${path}?${new URLSearchParams(query).toString()}`);
const cursorOf = ({ json }: Answered) => String(json["nextCursor"]);
const problem = ({ status, json }: Answered) =>
  [status, json["code"], json["detail"], json["hint"]].join(" ");
const gpu = { needs: { amounts: { gpu: 1_000 } } };

describe("a bulk cancel", () => {
  const cancel = (body: object) => world.post("/v1/jobs:cancel", body);

  test("says what it would do, does it when the count is right, and to nothing else", async () => {
    const labels = { team: "film" };
    const a = await world.submit([1, 2], {}, { ...gpu, labels });
    const b = await world.submit([1], {}, { ...gpu, labels });
    const other = await world.submit([1], {}, gpu);
    const filter = "label.team=film";
    const plan = await cancel({ filter, dryRun: true });
    expect(plan.json).toEqual({
      matched: 2,
      done: 0,
      dryRun: true,
      items: [b, a].map((id) => ({ id, ok: true })),
    });
    const wrong = await cancel({ filter, expectedCount: 3 });
    expect(problem(wrong)).toContain("409 count_differs 2 jobs fit, not 3: nothing was done.");
    expect((await world.get(`/v1/jobs/${a}`)).json["state"]).toBe("waiting");
    const done = await cancel({ filter, expectedCount: 2, reason: "not needed" });
    expect(done.json).toMatchObject({ matched: 2, done: 2, dryRun: false });
    const states = [a, b, other].map(
      async (id) => (await world.get(`/v1/jobs/${id}`)).json["state"],
    );
    expect(await Promise.all(states)).toEqual(["cancelled", "cancelled", "waiting"]);
    expect((await cancel({ filter })).json).toMatchObject({ matched: 0, done: 0, items: [] });
  });

  test("is refused without a filter, with a bad one, and with fields that do not exist", async () => {
    await world.submit([1], {}, gpu);
    expect(problem(await cancel({ filter: " " }))).toContain("422 invalid filter: an empty one");
    expect((await cancel({})).status).toBe(422);
    expect(problem(await cancel({ filter: "stat:open" }))).toContain("Did you mean state?");
    expect((await cancel({ filter: "state:waiting", expected: 1 })).status).toBe(422);
    expect((await list("/v1/jobs", { filter: "state:cancelled" })).json["total"]).toBe(0);
  });
});

test("a bulk retry makes one job of each that did not succeed, once for one key", async () => {
  const worker = await world.register();
  const labels = { team: "film" };
  const a = await world.submit([1, 2], {}, { labels });
  const b = await world.submit([3], {}, { labels });
  const fine = await world.submit([4], {}, { labels });
  await settled();
  await world.work(worker, a, (task) => (task === 0 ? failing : {}));
  await world.work(worker, b, () => failing);
  await world.work(worker, fine);
  const body = { filter: "label.team=film", expectedCount: 2 };
  const headers = { "idempotency-key": "skein:c:1" };
  const first = await world.post("/v1/jobs:retry", body, { headers });
  expect(first.json).toMatchObject({ matched: 2, done: 2 });
  expect(items(first).map(({ id }) => id)).toEqual([b, a]);
  const again = await world.post("/v1/jobs:retry", body, { headers });
  expect(items(again)).toEqual(items(first));
  const made = await world.get(`/v1/jobs/${String(items(first)[1]?.["job"])}`);
  expect(made.json).toMatchObject({ retryOf: a, tasks: 1 });
  expect((await list("/v1/jobs")).json["total"]).toBe(5);
});

describe("attempts", () => {
  const names = (answer: Answered) =>
    items(answer).map(
      ({ task, attempt, state }) => `${String(task)}.${String(attempt)} ${String(state)}`,
    );

  test("of a job are those under way, then those that ended, each once over all pages", async () => {
    const worker = await world.register();
    const retry = { attempts: 2, backoffMs: 1, backoffMaxMs: 1 };
    const job = await world.submit([0, 1, 2, 3], {}, { retry });
    await settled();
    const error = Buffer.from('{"name":"E","message":"<b>no</b>"}');
    await world.report(worker, job, [
      { task: 0 },
      { task: 1, code: endReasons.error.code, value: error },
    ]);
    await settled();
    await world.report(worker, job, [{ task: 2, code: endReasons.finalError.code, value: error }]);
    await settled();
    const path = `/v1/jobs/${job}/attempts`;
    await expect.poll(async () => names(await list(path))[0]).toMatch(/^1\.2 /);
    const whole = await list(path);
    expect(names(whole)).toEqual([
      "1.2 assigned",
      "3.1 assigned",
      "2.1 failed",
      // Of one batch.
      "0.1 succeeded",
      "1.1 failed",
    ]);
    expect(whole.json).toMatchObject({ total: null, nextCursor: null });
    expect(whole.json["partial"]).toContain("not counted");
    expect(items(whole)[2]).toMatchObject({
      name: `${job}/2`,
      worker: "w1",
      reason: "final_error",
      charged: true,
      runMs: 1.5,
      message: "<b>no</b>",
    });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list(path, { limit: "1", ...(cursor && { cursor }) });
      seen.push(...names(page));
      cursor = (page.json["nextCursor"] as string | null) ?? undefined;
    } while (cursor);
    expect(seen).toEqual(names(whole));
    expect(names(await list(path, { filter: "state:failed" }))).toEqual([
      "2.1 failed",
      "1.1 failed",
    ]);
    expect(names(await list(path, { filter: "reason:error" }))).toEqual(["1.1 failed"]);
    expect(names(await list(path, { filter: "state:assigned" }))).toHaveLength(2);
    expect(problem(await list(path, { filter: "stat:x" }))).toContain("Did you mean state?");
    expect((await list("/v1/jobs/ffffffff/attempts")).status).toBe(404);
  });

  test("of a worker stay when it is lost and forgotten", async () => {
    const worker = await world.register();
    const job = await world.submit([0, 1]);
    await settled();
    await world.report(worker, job, [{ task: 0 }]);
    await settled();
    const path = "/v1/workers/w1/attempts";
    expect(names(await list(path))).toEqual(["1.1 assigned", "0.1 succeeded"]);
    const early = await world.call("DELETE", "/v1/workers/w1");
    expect(problem(early)).toContain("409 conflict Worker w1 is active. Only one that is lost");
    await lose(worker);
    expect(names(await list(path))).toEqual(["1.1 lost", "0.1 succeeded"]);
    expect((await world.get("/v1/workers/w1")).json).toMatchObject({
      state: "lost",
      reason: "died",
    });
    expect((await world.call("DELETE", "/v1/workers/w1")).json).toEqual({ id: "w1", done: true });
    expect((await world.get("/v1/workers/w1")).status).toBe(404);
    expect((await world.call("DELETE", "/v1/workers/w1")).status).toBe(404);
    expect(names(await list(path))).toEqual(["1.1 lost", "0.1 succeeded"]);
    expect((await list("/v1/workers/w2/attempts")).status).toBe(404);
  });
});

describe("tasks of all jobs", () => {
  test("are found by state or worker, those of the newest job first", async () => {
    const worker = await world.register();
    const a = await world.submit([0, 1]);
    const b = await world.submit([0, 1], {}, gpu);
    await settled();
    await world.report(worker, a, [{ task: 0, ...failing }]);
    await settled();
    const tasks = async (filter: string, more: Record<string, string> = {}) => {
      const answer = await list("/v1/tasks", { filter, ...more });
      return { names: items(answer).map(({ name }) => name), answer };
    };
    const found = await tasks("state:failed,ready");
    expect(found.names).toEqual([`${b}/0`, `${b}/1`, `${a}/0`]);
    expect(found.answer.json).toMatchObject({ total: 3, nextCursor: null });
    expect(found.answer.json["partial"]).toContain("not yet retired");
    const first = await tasks("state:failed,ready", { limit: "2" });
    const cursor = cursorOf(first.answer);
    expect((await tasks("state:failed,ready", { cursor })).names).toEqual([`${a}/0`]);
    const on = await tasks("worker:w1");
    expect([on.names, on.answer.json["total"]]).toEqual([[`${a}/1`], 1]);
    expect((await tasks("worker:w2")).answer.json).toMatchObject({ items: [], total: 0 });
  });

  test("are refused without one", async () => {
    const text = "400 bad_request filter: tasks of all jobs are asked by state or worker.";
    expect(problem(await list("/v1/tasks"))).toContain(text);
    expect(problem(await list("/v1/tasks", { filter: "!state:failed" }))).toContain(text);
  });
});

describe("a worker", () => {
  test("is shown with what it has, cordoned, and given work again", async () => {
    await world.register();
    const job = await world.submit([0, 1]);
    await settled();
    const detail = (await world.get("/v1/workers/w1")).json;
    expect(detail).toMatchObject({ id: "w1", reason: null, jobs: [{ job, tasks: 2 }] });
    const cordoned = await world.post("/v1/workers/w1/cordon", { reason: "driver upgrade" });
    expect(cordoned.json).toMatchObject({ state: "draining" });
    expect((await world.get("/v1/workers/w1")).json).toMatchObject({ exits: false });
    await world.submit([0]);
    await settled();
    expect((await world.get("/v1/workers/w1")).json["jobs"]).toEqual([{ job, tasks: 2 }]);
    const undone = await world.post("/v1/workers/w1/cordon", { undo: true });
    expect(undone.json).toMatchObject({ state: "active" });
    expect((await world.post("/v1/workers/none/cordon")).status).toBe(404);
  });
});

test("a queue is shown with what waits in it", async () => {
  await world.submit([0, 1], {}, { ...gpu, queue: "film", priority: 3 });
  await settled();
  const { json } = await world.get("/v1/queues/film");
  expect(json).toMatchObject({ name: "film", waiting: 2, ready: [{ priority: 3, tasks: 2 }] });
  expect(problem(await world.get("/v1/queues/none"))).toContain(
    "404 not_found There is no queue none.",
  );
});

async function lose(worker: number): Promise<void> {
  const incarnation = "aaaaaaaaaaaaaaaa";
  const how = { reason: "died", gone: false, silent: false, started: [] };
  await ask(world.master, { kind: "loseWorker", worker, incarnation, ...how });
  await settled();
}
