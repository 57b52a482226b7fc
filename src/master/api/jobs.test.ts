import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { endReasons } from "../../protocol/model.ts";
import { ask } from "../context.ts";
import { ApiWorld, commandSpec, settled } from "./api-world.fixture.ts";

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.open();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const lines = { type: "application/x-ndjson" };
const put = (job: string, part: number, body: string) =>
  world.call("PUT", `/v1/jobs/${job}/parts/${part}`, { body, ...lines });
const failing = { code: endReasons.finalError.code, text: '{"name":"E","message":"no"}' };
const ids = (answer: { json: Record<string, unknown> }) =>
  (answer.json["items"] as { id: string }[]).map(({ id }) => id);

describe("an open job", () => {
  test("takes parts, the same one as often as it is sent, and is closed", async () => {
    const job = await world.submit([], { open: true });
    expect((await put(job, 0, "1\n2\n")).json).toEqual({ tasks: 2 });
    expect((await put(job, 0, "1\n2\n")).json).toEqual({ tasks: 2 });
    expect((await put(job, 0, "1\n3\n")).json).toMatchObject({ code: "part_differs" });
    expect((await put(job, 2, "4\n")).json).toMatchObject({ code: "part_gap" });
    expect((await put(job, 1, "3")).json).toEqual({ tasks: 3 });
    const early = await world.post(`/v1/jobs/${job}/close`, { parts: 3 });
    expect([early.status, early.json["code"]]).toEqual([409, "part_gap"]);
    const closed = await world.post(`/v1/jobs/${job}/close`, { parts: 2 });
    expect(closed.json).toMatchObject({ id: job, state: "waiting", tasks: 3 });
    expect((await world.post(`/v1/jobs/${job}/close`)).status).toBe(200);
    expect((await put(job, 2, "4\n")).json).toMatchObject({ code: "job_closed" });
  });

  test("refuses a part that is too large, or names a payload that is not stored", async () => {
    const job = await world.submit([], { open: true });
    const large = await put(job, 0, `"${"x".repeat(1000)}"\n`.repeat(300));
    expect([large.status, large.json["code"]]).toEqual([413, "too_large"]);
    const path = `/v1/jobs/${job}/parts/0?payloads=${"a".repeat(64)}`;
    const { json } = await world.call("PUT", path, { body: "1\n", ...lines });
    expect(json).toMatchObject({ code: "payload_missing" });
  });
});

describe("a job", () => {
  test("is found by any beginning of its id that only it has", async () => {
    const job = await world.submit([1]);
    expect((await world.get(`/v1/jobs/${job.slice(0, 6)}`)).json).toMatchObject({ id: job });
  });

  test("is not guessed: a beginning of several ids lists them", async () => {
    const request = {
      kind: "submit",
      open: false,
      key: null,
      parts: [],
      archived: new Map(),
    } as const;
    const spec = world.master.loop.peek((state) => state.jobs.get(1)?.spec);
    expect(spec).toBeUndefined();
    await world.submit([1]);
    const real = world.master.loop.peek((state) => state.jobs.get(1)?.spec);
    if (!real) throw new Error("no job");
    for (const id of ["abcd000000000001", "abcd000000000002"]) {
      await ask(world.master, { ...request, id, spec: real, strictQueues: false });
    }
    const { status, json } = await world.get("/v1/jobs/abcd");
    expect([status, json["code"]]).toEqual([409, "ambiguous"]);
    expect(json["detail"]).toContain("abcd000000000001, abcd000000000002");
  });

  test("waits for its end when asked to", async () => {
    const worker = await world.register();
    const job = await world.submit([1, 2]);
    const waiting = world.get(`/v1/jobs/${job}?wait=60000`);
    await expect.poll(() => world.master.hub.size).toBe(1);
    await world.work(worker, job);
    expect((await waiting).json).toMatchObject({ state: "succeeded", counts: { succeeded: 2 } });
    expect((await world.get(`/v1/jobs/${job}?wait=60000`)).json).toMatchObject({ id: job });
    expect(world.master.hub.size).toBe(0);
  });

  test("can be cancelled, and once more without harm", async () => {
    const job = await world.submit([1, 2]);
    const cancelled = await world.post(`/v1/jobs/${job}/cancel`, { reason: "not needed" });
    expect(cancelled.json).toMatchObject({ state: "cancelled", counts: { cancelled: 2 } });
    expect((await world.post(`/v1/jobs/${job}/cancel`)).status).toBe(200);
  });

  test("is shown the same after it was retired", async () => {
    const worker = await world.register();
    const job = await world.submit([1]);
    await settled();
    await world.work(worker, job);
    const before = (await world.get(`/v1/jobs/${job}`)).json;
    await retire(job);
    expect((await world.get(`/v1/jobs/${job}`)).json).toEqual({ ...before, retired: true });
    expect((await world.post(`/v1/jobs/${job}/cancel`)).json).toMatchObject({ retired: true });
  });
});

describe("the list of jobs", () => {
  test("has the newest first, in pages, with exact totals", async () => {
    const jobs: string[] = [];
    for (let i = 0; i < 5; i++) jobs.push(await world.submit([i]));
    const first = await world.get("/v1/jobs?limit=2");
    expect(first.json).toMatchObject({ total: 5 });
    const second = await world.get(`/v1/jobs?limit=2&cursor=${String(first.json["nextCursor"])}`);
    const third = await world.get(`/v1/jobs?limit=2&cursor=${String(second.json["nextCursor"])}`);
    expect([...ids(first), ...ids(second), ...ids(third)]).toEqual(jobs.toReversed());
    expect(third.json["nextCursor"]).toBeNull();
    expect((await world.get("/v1/jobs?cursor=AAAA")).status).toBe(400);
  });

  test("filters by state, queue and label, over state and archive", async () => {
    const worker = await world.register();
    const done = await world.submit([1], {}, { queue: "film", labels: { shot: "42" } });
    await settled();
    await world.work(worker, done);
    await retire(done);
    const waiting = await world.submit([1], {}, { needs: { amounts: { gpu: 1_000 } } });
    const open = await world.submit([], { open: true }, { labels: { shot: "42" } });
    expect(ids(await world.get("/v1/jobs?filter=state:succeeded"))).toEqual([done]);
    expect(ids(await world.get("/v1/jobs?filter=state:waiting"))).toEqual([waiting]);
    expect(ids(await world.get("/v1/jobs?filter=state:open"))).toEqual([open]);
    expect(ids(await world.get("/v1/jobs?filter=state:unfinished"))).toEqual([open, waiting]);
    expect(ids(await world.get("/v1/jobs?filter=queue:film"))).toEqual([done]);
    expect(ids(await world.get("/v1/jobs?filter=label.shot=42"))).toEqual([open, done]);
    expect(ids(await world.get("/v1/jobs?filter=label.shot=42%20state:open"))).toEqual([open]);
    expect((await world.get("/v1/jobs?filter=state:lost")).json["hint"]).toContain("succeeded");
  });
});

describe("a retry", () => {
  test("is a new job of the inputs that did not succeed", async () => {
    const worker = await world.register();
    const job = await world.submit([10, 11, 12, 13], {}, { labels: { shot: "1" } });
    await settled();
    await world.work(worker, job, (task, input) => (task % 2 === 1 ? failing : { text: input }));
    const headers = { "idempotency-key": "skein:c:1" };
    const { status, json } = await world.post(`/v1/jobs/${job}/retry`, {}, { headers });
    expect(status).toBe(201);
    expect(json).toMatchObject({ retryOf: job, tasks: 2, labels: { shot: "1" } });
    await settled();
    const inputs = world.assigned(worker, json["id"] as string).map(({ input }) => input);
    expect(inputs).toEqual(["11", "13"]);
    const again = await world.post(`/v1/jobs/${job}/retry`, {}, { headers });
    expect(again.json["id"]).toBe(json["id"]);
  });

  test("of many inputs is made in parts", async () => {
    const job = await world.submit([], { open: true });
    const text = `"${"x".repeat(10_000)}"\n`.repeat(25);
    for (let part = 0; part < 6; part++) await put(job, part, text);
    await world.post(`/v1/jobs/${job}/close`);
    await world.post(`/v1/jobs/${job}/cancel`);
    const { json } = await world.post(`/v1/jobs/${job}/retry`);
    expect(json).toMatchObject({ tasks: 150, state: "waiting" });
    const parts = world.master.loop.peek((state) => {
      const found = state.jobs.get(json["number"] as number)?.parts ?? [];
      return found.map(({ bytes }) => bytes?.length ?? 0);
    });
    expect(parts.length).toBe(6);
    expect(Math.max(...parts)).toBeLessThanOrEqual(limits.partBytesMax);
  });

  test("is refused while the job goes on, and when there is nothing to retry", async () => {
    const worker = await world.register();
    const job = await world.submit([1]);
    await settled();
    expect((await world.post(`/v1/jobs/${job}/retry`)).json).toMatchObject({ code: "conflict" });
    await world.work(worker, job);
    expect((await world.post(`/v1/jobs/${job}/retry`)).json).toMatchObject({ code: "conflict" });
  });

  test("works for a job that was retired", async () => {
    const worker = await world.register();
    const job = await world.submit([1]);
    await settled();
    await world.work(worker, job, () => failing);
    await retire(job);
    expect((await world.post(`/v1/jobs/${job}/retry`)).json).toMatchObject({ tasks: 1 });
  });
});

/** The journal retires a finished job at once, as it would when there are many. */
async function retire(job: string): Promise<void> {
  const { loop } = world.master;
  const number = loop.peek((state) => state.jobNumbers.get(job) ?? 0);
  loop.peek((state) => {
    const found = state.jobs.get(number);
    // Long ago: the next turn finds it due.
    if (found) found.endedTime = state.time - limits.finishedMs - 1;
  });
  loop.poke();
  await expect.poll(() => loop.peek((state) => state.jobs.has(number))).toBe(false);
  await settled();
}

test("the specs of jobs of the same head are one object", async () => {
  const [a, b] = [await world.submit([1]), await world.submit([2])];
  const specs = world.master.loop.peek((state) =>
    [a, b].map((id) => state.jobs.get(state.jobNumbers.get(id) ?? 0)?.spec),
  );
  expect(specs[0]).toBe(specs[1]);
  expect(specs[0]).toMatchObject({ ...commandSpec, by: "token" });
});
