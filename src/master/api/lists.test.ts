// What all lists have in common: filters, cursors that are bound to their query, fields, ETags, Prefer.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endReasons } from "../../protocol/model.ts";
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
const ids = (answer: Answered) => items(answer).map(({ id }) => id);
const list = (path: string, query: Record<string, string>) =>
  world.get(`${path}?${new URLSearchParams(query).toString()}`);
const jobs = (filter: string, more: Record<string, string> = {}) =>
  list("/v1/jobs", { filter, ...more });
const cursorOf = ({ json }: Answered) => String(json["nextCursor"]);
const problem = ({ status, json }: Answered) =>
  [status, json["code"], json["detail"], json["hint"]].join(" ");

describe("jobs", () => {
  test("are found by states of archive and state together, in one order", async () => {
    const worker = await world.register();
    const failed = await world.submit([1]);
    await settled();
    await world.work(worker, failed, () => failing);
    const waiting = await world.submit([1], {}, { needs: { amounts: { gpu: 1_000 } } });
    const done = await world.submit([1]);
    await settled();
    await world.work(worker, done);
    const open = await world.submit([], { open: true });
    expect(ids(await jobs("state:failed,open"))).toEqual([open, failed]);
    expect(ids(await jobs("state:failed,open", { sort: "created" }))).toEqual([failed, open]);
    expect(ids(await jobs("!state:failed,open"))).toEqual([done, waiting]);
    expect(ids(await jobs("state:failed,unfinished"))).toEqual([open, waiting, failed]);
    expect(ids(await jobs("state:failed state:open"))).toEqual([]);
    const first = await jobs("!state:open", { limit: "1" });
    const rest = await jobs("!state:open", { limit: "2", cursor: cursorOf(first) });
    expect([ids(first), ids(rest), rest.json["total"]]).toEqual([[done], [waiting, failed], 3]);
  });

  test("are found by task, by whom, age and several labels", async () => {
    const film = await world.submit([1], {}, { labels: { team: "film", shot: "1" }, task: "cut" });
    const night = await world.submit([1], {}, { labels: { team: "night shift" }, queue: "night" });
    expect(ids(await jobs("task:cut by:token"))).toEqual([film]);
    expect(ids(await jobs('label.team="night shift",film'))).toEqual([night, film]);
    expect(ids(await jobs("label.team=film label.shot=1 !queue:night"))).toEqual([film]);
    expect(ids(await jobs("!label.shot=1"))).toEqual([night]);
    expect(ids(await jobs("created>1h"))).toEqual([night, film]);
    expect(ids(await jobs("created<1h"))).toEqual([]);
    expect(ids(await jobs("state:waiting !label.constructor=x"))).toEqual([night, film]);
  });
});

describe("tasks of a job", () => {
  test("are found by state, reason and worker while it is in the state", async () => {
    const worker = await world.register();
    const job = await world.submit([0, 1, 2, 3, 4]);
    await settled();
    await world.report(worker, job, [{ task: 0 }, { task: 1, code: endReasons.finalError.code }]);
    await settled();
    const tasks = async (filter: string) => {
      const { json } = await list(`/v1/jobs/${job}/tasks`, { filter });
      return [(json["items"] as { task: number }[]).map(({ task }) => task), json["total"]];
    };
    expect(await tasks("state:failed,succeeded")).toEqual([[0, 1], 2]);
    expect(await tasks("reason:final_error")).toEqual([[1], 1]);
    expect(await tasks("!reason:final_error")).toEqual([[0, 2, 3, 4], 4]);
    expect(await tasks("worker:w1")).toEqual([[2, 3, 4], 3]);
    expect(await tasks("!worker:w1")).toEqual([[0, 1], 2]);
    expect(await tasks("state:running")).toEqual([[], 0]);
    expect(await tasks("!state:running state:assigned")).toEqual([[2, 3, 4], 3]);
  });

  test("are found by reason after it was retired", async () => {
    const worker = await world.register();
    const job = await world.submit([0, 1, 2, 3, 4]);
    await settled();
    await world.work(worker, job, (task) => (task % 2 === 1 ? failing : {}));
    world.master.loop.peek((state) => {
      const number = state.jobNumbers.get(job) ?? 0;
      state.jobs.delete(number);
      state.finished.delete(number);
      state.jobNumbers.delete(job);
    });
    const tasks = (filter: string, more: Record<string, string> = {}) =>
      list(`/v1/jobs/${job}/tasks`, { filter, ...more });
    const numbers = (answer: Answered) => items(answer).map(({ task }) => task);
    const first = await tasks("reason:final_error", { limit: "1" });
    expect(first.json).toMatchObject({ total: 2, items: [{ task: 1, attempt: 1 }] });
    const second = await tasks("reason:final_error", { limit: "1", cursor: cursorOf(first) });
    expect([numbers(second), second.json["nextCursor"]]).toEqual([[3], null]);
    const others = await tasks("!reason:final_error", { limit: "2" });
    expect([numbers(others), others.json["total"]]).toEqual([[0, 2], 3]);
    const last = await tasks("!reason:final_error", { limit: "2", cursor: cursorOf(others) });
    expect(numbers(last)).toEqual([4]);
    expect(numbers(await tasks("worker:w1"))).toEqual([]);
  });
});

describe("workers and queues", () => {
  test("are found by what they are, in pages that new ones do not shift", async () => {
    for (const id of ["w1", "w2", "w3"]) await world.register(id);
    const first = await list("/v1/workers", { filter: "state:active pool:default", limit: "2" });
    await world.register("w0");
    const filter = "state:active pool:default";
    const rest = await list("/v1/workers", { filter, limit: "2", cursor: cursorOf(first) });
    expect([ids(first), ids(rest), rest.json["total"]]).toEqual([["w1", "w2"], ["w3", "w0"], 4]);
    expect(ids(await list("/v1/workers", { filter: "!state:active" }))).toEqual([]);
    expect(ids(await list("/v1/workers", { filter: "label.rack=a" }))).toEqual([]);
    await world.call("PATCH", "/v1/queues/b", { body: '{"paused":true}' });
    await world.call("PATCH", "/v1/queues/a", { body: '{"weight":2}' });
    const named = (answer: Answered) => items(answer).map(({ name }) => name);
    expect(named(await list("/v1/queues", { filter: "state:paused" }))).toEqual(["b"]);
    expect(named(await list("/v1/queues", { filter: "!state:paused" }))).toEqual(["a"]);
    const a = await list("/v1/queues", { limit: "1" });
    expect(named(await list("/v1/queues", { limit: "1", cursor: cursorOf(a) }))).toEqual(["b"]);
  });
});

describe("a cursor", () => {
  test("is refused by another query, and when no list has given it", async () => {
    for (let i = 0; i < 3; i++) await world.submit([i], {}, { labels: { n: "1" } });
    const [job] = items(await jobs(""));
    const cursor = cursorOf(await jobs("label.n=1", { limit: "1" }));
    expect((await jobs("label.n=1", { cursor, limit: "2" })).status).toBe(200);
    const other = "400 bad_request cursor: it belongs to another query. Keep address, filter";
    expect(problem(await jobs("label.n=2", { cursor }))).toContain(other);
    expect(problem(await jobs("label.n=1", { cursor, sort: "created" }))).toContain(other);
    expect(problem(await list("/v1/workers", { cursor }))).toContain(other);
    const tasks = `/v1/jobs/${String(job?.["id"])}/tasks`;
    expect(problem(await list(tasks, { filter: "label.n=1", cursor }))).toContain(other);
    for (const bad of ["AAAA", "ü", "-1", "x".repeat(5_000)]) {
      expect(problem(await jobs("", { cursor: bad }))).toContain("none that a list has given");
    }
  });

  test("keeps what durations count from", async () => {
    await world.submit([1]);
    await world.submit([2]);
    const first = await jobs("created>2h", { limit: "1" });
    const [, wall = ""] = Buffer.from(cursorOf(first), "base64url").toString().split(".");
    expect(Math.abs(Number.parseInt(wall, 36) - Date.now())).toBeLessThan(60_000);
    expect(items(await jobs("created>2h", { cursor: cursorOf(first) }))).toHaveLength(1);
  });
});

describe("a list is refused", () => {
  test("with a parameter that it does not have, whatever it would show", async () => {
    const answer = problem(await world.get("/v1/jobs?state=failed"));
    expect(answer).toContain("400 bad_request The query: there is no parameter state here");
    expect(answer).toContain("?filter=NAME:VALUE");
    expect((await world.get("/v1/jobs?atLeast=1&limit=1")).status).toBe(200);
  });

  test("with a filter that says nothing, and says what would", async () => {
    const answer = await jobs("stat:failed");
    expect(problem(answer)).toBe(
      '400 bad_request filter: there is no field "stat" here. Did you mean state? ' +
        "Fields here: state, queue, task, label.NAME, by, created, ended.",
    );
    expect(answer.json["errors"]).toEqual([
      { pointer: "/filter", detail: 'there is no field "stat" here' },
    ]);
    expect(problem(await jobs("created>tomorrow"))).toContain("neither a duration nor a time");
    expect(problem(await jobs(`queue:${"x".repeat(3_000)}`))).toContain("at most 2,000");
  });

  test("with fields that its items do not have", async () => {
    expect(problem(await list("/v1/workers", { fields: "id,stat" }))).toContain(
      'fields: there is no field "stat" here. Did you mean state?',
    );
  });
});

test("fields choose what items have", async () => {
  const job = await world.submit([1]);
  const { json } = await list("/v1/jobs", { fields: "id, tasks" });
  expect(json).toEqual({ items: [{ id: job, tasks: 1 }], total: 1, nextCursor: null });
});

describe("an ETag", () => {
  test("spares a body that the client has, until it changes", async () => {
    const job = await world.submit([1]);
    for (const path of [
      `/v1/jobs/${job}`,
      "/v1/jobs?filter=state:waiting",
      `/v1/jobs/${job}/tasks/0`,
    ]) {
      const first = await world.get(path);
      const { etag = "" } = first.headers;
      expect(etag).toMatch(/^"[\w-]{22}"$/);
      const known = { headers: { "if-none-match": `"other", W/${etag}` } };
      const again = await world.get(path, known);
      expect([again.status, again.text, again.headers.etag]).toEqual([304, "", etag]);
      expect(again.headers["skein-index"]).toBeDefined();
    }
    const { etag } = (await world.get(`/v1/jobs/${job}`)).headers;
    await world.post(`/v1/jobs/${job}/cancel`);
    const changed = await world.get(`/v1/jobs/${job}`, { headers: { "if-none-match": etag } });
    expect([changed.status, changed.json["state"]]).toEqual([200, "cancelled"]);
  });

  test("is none of a change, nor of a problem", async () => {
    const job = await world.submit([1]);
    const headers = { "if-none-match": "*" };
    expect((await world.post(`/v1/jobs/${job}/cancel`, {}, { headers })).status).toBe(200);
    expect((await world.get("/v1/jobs/ffffffff", { headers })).status).toBe(404);
  });
});

test("Prefer: wait waits for the end of a job as ?wait does, and says so", async () => {
  const worker = await world.register();
  const job = await world.submit([1]);
  const headers = { prefer: "respond-async, wait=60" };
  const waiting = world.get(`/v1/jobs/${job}`, { headers });
  await expect.poll(() => world.master.hub.size).toBe(1);
  await world.work(worker, job);
  const answer = await waiting;
  expect(answer.json).toMatchObject({ state: "succeeded" });
  expect(answer.headers["preference-applied"]).toBe("wait=60");
  const list = await world.get("/v1/jobs", { headers });
  expect([list.status, list.headers["preference-applied"]]).toEqual([200, undefined]);
});
