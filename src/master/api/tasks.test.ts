import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeLogRecord } from "../../protocol/log-record.ts";
import type { LogRequest, MasterMessage } from "../../protocol/messages.ts";
import { endReasons } from "../../protocol/model.ts";
import { ask } from "../context.ts";
import { LogRelay } from "../log-relay.ts";
import { ApiWorld, settled } from "./api-world.fixture.ts";
import { ClientWatch } from "./client-watch.ts";

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.open();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const failing = { code: endReasons.error.code, text: '{"name":"E","message":"no"}' };
const numbers = (answer: { json: Record<string, unknown> }) =>
  (answer.json["items"] as { task: number }[]).map(({ task }) => task);
const cursorOf = (answer: { json: Record<string, unknown> }) => String(answer.json["nextCursor"]);

describe("tasks", () => {
  test("come in pages, by state, with exact totals", async () => {
    const worker = await world.register("w1", { cpu: 2_000 });
    const job = await world.submit([0, 1, 2, 3, 4, 5, 6]);
    await settled();
    await world.report(worker, job, [{ task: 0 }, { task: 1, code: endReasons.finalError.code }]);
    await settled();
    const path = `/v1/jobs/${job}/tasks`;
    const first = await world.get(`${path}?limit=4`);
    expect([numbers(first), first.json["total"]]).toEqual([[0, 1, 2, 3], 7]);
    const second = await world.get(`${path}?limit=4&cursor=${cursorOf(first)}`);
    expect([numbers(second), second.json["nextCursor"]]).toEqual([[4, 5, 6], null]);
    expect(first.json["items"]).toMatchObject([
      { state: "succeeded", reason: null, attempt: 1, worker: null },
      { state: "failed", reason: "final_error", name: `${job}/1` },
      { state: "assigned", worker: "w1" },
      {},
    ]);
    const failed = await world.get(`${path}?filter=state:failed`);
    expect([numbers(failed), failed.json["total"], failed.json["nextCursor"]]).toEqual([
      [1],
      1,
      null,
    ]);
    expect((await world.get(`${path}?filter=state:nonsense`)).status).toBe(400);
  });

  test("of a retired job are found in the archive", async () => {
    const worker = await world.register();
    const job = await world.submit([0, 1, 2, 3, 4]);
    await settled();
    const ends = { code: endReasons.finalError.code };
    await world.work(worker, job, (task) => (task % 2 === 1 ? ends : {}));
    // The state forgets the job, as when it is retired.
    world.master.loop.peek((state) => {
      const number = state.jobNumbers.get(job) ?? 0;
      state.jobs.delete(number);
      state.finished.delete(number);
      state.jobNumbers.delete(job);
    });
    const path = `/v1/jobs/${job}/tasks`;
    const first = await world.get(`${path}?limit=2`);
    const second = await world.get(`${path}?limit=2&cursor=${cursorOf(first)}`);
    const third = await world.get(`${path}?limit=2&cursor=${cursorOf(second)}`);
    expect([first, second, third].map(numbers)).toEqual([[0, 1], [2, 3], [4]]);
    expect(third.json).toMatchObject({ total: 5, nextCursor: null });
    const failed = await world.get(`${path}?filter=state:failed&limit=1`);
    expect([numbers(failed), failed.json["total"]]).toEqual([[1], 2]);
    const next = await world.get(`${path}?filter=state:failed&limit=1&cursor=${cursorOf(failed)}`);
    expect(numbers(next)).toEqual([3]);
    expect((await world.get(`${path}/1`)).json).toMatchObject({ state: "failed", input: 1 });
    expect((await world.get(`${path}/1/why`)).json).toMatchObject({ state: "failed" });
    expect((await world.get(`${path}/9`)).status).toBe(404);
  });

  test("show their attempts, input and end", async () => {
    const worker = await world.register();
    const retry = { attempts: 2, backoffMs: 1, backoffMaxMs: 1 };
    const job = await world.submit([{ frame: 7 }], {}, { retry });
    await settled();
    await world.report(worker, job, [
      { task: 0, code: failing.code, logBytes: 12, value: Buffer.from(failing.text) },
    ]);
    await expect.poll(() => world.assigned(worker, job).length).toBe(1);
    const path = `/v1/jobs/${job}/tasks/0`;
    const running = await world.get(path);
    expect(running.json).toMatchObject({
      state: "assigned",
      attempt: 2,
      worker: "w1",
      input: { frame: 7 },
      attempts: [
        {
          attempt: 1,
          worker: "w1",
          state: "failed",
          reason: "error",
          charged: true,
          error: { message: "no" },
          log: { worker: "w1", file: `${job}/0.1.log`, length: 12 },
        },
        { attempt: 2, state: "assigned", ended: null },
      ],
    });
    await world.work(worker, job, () => ({ text: '{"ok":true}' }));
    const ended = await world.get(path);
    expect(ended.json).toMatchObject({
      state: "succeeded",
      result: { ok: true },
      attempts: [{ attempt: 1 }, { attempt: 2, state: "succeeded", worker: "w1", runMs: 1.5 }],
    });
  });

  test("say why they do not run", async () => {
    const job = await world.submit([1]);
    const { json } = await world.get(`/v1/jobs/${job}/tasks/0/why`);
    expect(json).toMatchObject({ task: `${job}/0`, state: "ready" });
    expect(json["verdict"]).toContain("No worker");
  });

  test("say why they do not run, whatever the archive cannot tell", async () => {
    const job = await world.submit([1]);
    world.archive.task = async () => {
      throw new Error("the disk is full");
    };
    const { status, json } = await world.get(`/v1/jobs/${job}/tasks/0/why`);
    expect([status, json["attempts"]]).toEqual([200, []]);
    expect(json["verdict"]).toContain("No worker");
    expect(JSON.stringify(json["reasons"])).toContain("cannot be read: the disk is full.");
  });

  test("say what would let them run, as a command that can be pasted", async () => {
    const needs = { amounts: { cpu: 8_000, memory: 16_384_000 }, required: { rack: "it's b" } };
    const job = await world.submit([1], {}, { needs: { ...needs, preferred: {} } });
    const { json } = await world.get(`/v1/jobs/${job}/tasks/0/why`);
    expect(json).toMatchObject({
      line: { tasks: 0, text: "Nothing goes before it." },
      forecast: null,
      change: [
        {
          text: "Start another worker with at least 8 cpu, 16384 MiB memory, label rack=it's b.",
          command: String.raw`skein worker --cpus 8 --memory 16384MiB --label 'rack=it'\''s b'`,
        },
      ],
    });
  });

  test("say what became of their attempts, and why the worker was declared lost", async () => {
    const worker = await world.register("w1");
    const retry = { attempts: 3, backoffMs: 1, backoffMaxMs: 1 };
    const job = await world.submit([1], {}, { retry });
    await expect.poll(() => world.assigned(worker, job).length).toBe(1);
    await world.report(worker, job, [
      { task: 0, code: failing.code, value: Buffer.from(failing.text) },
    ]);
    await expect.poll(() => world.assigned(worker, job).length).toBe(1);
    const reason = "its process has ended (killed)";
    const how = {
      incarnation: "aaaaaaaaaaaaaaaa",
      reason,
      gone: false,
      silent: false,
      started: [],
    };
    await ask(world.master, { kind: "loseWorker", worker, ...how });
    const { json } = await world.get(`/v1/jobs/${job}/tasks/0/why`);
    expect(json["attempts"]).toEqual([
      {
        attempt: 1,
        worker: "w1",
        text: "Its code threw an error: no. Failure 1 of 3; it was tried again.",
      },
      {
        attempt: 2,
        worker: "w1",
        text: "Its worker was lost: its process has ended (killed). It was not running; the task was placed anew.",
      },
    ]);
  });

  test("can be cancelled one by one", async () => {
    const job = await world.submit([1, 2]);
    const path = `/v1/jobs/${job}/tasks/1/cancel`;
    expect((await world.post(path)).json).toMatchObject({ task: 1, state: "cancelled" });
    expect((await world.post(path)).status).toBe(200);
    expect((await world.get(`/v1/jobs/${job}`)).json).toMatchObject({
      counts: { ready: 1, cancelled: 1 },
    });
    expect((await world.post(`/v1/jobs/${job}/tasks/2/cancel`)).status).toBe(404);
  });
});

describe("logs", () => {
  const record = Buffer.from(encodeLogRecord("stdout", Buffer.from("hello\n")));
  let asked: LogRequest[];
  let stopped: number[];

  /** The worker's side of a log: what it is asked for, and what it says. */
  function listen(answer: (request: LogRequest, relay: LogRelay) => void): void {
    asked = [];
    stopped = [];
    const relay = new LogRelay((_worker: number, message: MasterMessage) => {
      if (message.kind === "logStop") stopped.push(message.request);
      if (message.kind !== "logRequest") return false;
      asked.push(message);
      queueMicrotask(() => answer(message, relay));
      return true;
    });
    (world.master as { logs: LogRelay }).logs = relay;
  }

  const chunk = (request: number, offset: number, bytes: Buffer, end: boolean, problem?: string) =>
    ({ kind: "logChunk", request, offset, bytes, end, ...(problem && { problem }) }) as const;

  async function ranJob(): Promise<string> {
    const worker = await world.register();
    const job = await world.submit([1]);
    await settled();
    await world.work(worker, job);
    return job;
  }

  test("come from the worker that ran the attempt", async () => {
    listen(({ request }, relay) => relay.chunk(1, chunk(request, 0, record, true)));
    const job = await ranJob();
    const { status, bytes, headers } = await world.get(`/v1/jobs/${job}/tasks/0/logs`);
    expect([status, headers["skein-attempt"], bytes]).toEqual([200, "1", record]);
    expect(asked).toMatchObject([{ job, task: 0, attempt: 1, from: 0, follow: false }]);
  });

  test("that the worker does not have are a problem, not an empty answer", async () => {
    const none = Buffer.alloc(0);
    listen(({ request }, relay) => relay.chunk(1, chunk(request, 0, none, true, "it is gone")));
    const job = await ranJob();
    const { status, json } = await world.get(`/v1/jobs/${job}/tasks/0/logs`);
    expect(status).toBe(404);
    expect(json["detail"]).toContain("it is gone");
  });

  test("of an attempt that never was are a problem too", async () => {
    listen(() => {});
    const job = await world.submit([1]);
    expect((await world.get(`/v1/jobs/${job}/tasks/0/logs`)).status).toBe(404);
    expect((await world.get(`/v1/jobs/${job}/tasks/0/logs?attempt=3`)).status).toBe(404);
    expect(asked).toEqual([]);
  });

  test("that break off in the middle are cut", async () => {
    listen(({ request }, relay) => {
      relay.chunk(1, chunk(request, 0, record, false));
      setImmediate(() => relay.gone(1));
    });
    const job = await ranJob();
    await expect(world.get(`/v1/jobs/${job}/tasks/0/logs`)).rejects.toThrow(
      /aborted|hang up|reset/,
    );
  });

  test("are not kept for a slow reader: the worker stops, and goes on where the reader is", async () => {
    const piece = Buffer.alloc(700_000, 1);
    const total = piece.length * 6;
    listen(({ request, from }, relay) => {
      // All at once, as a fast worker would.
      for (let at = from; at < total; at += piece.length) {
        relay.chunk(1, chunk(request, at, piece, false));
      }
      relay.chunk(1, chunk(request, total, Buffer.alloc(0), true));
    });
    const job = await ranJob();
    const { bytes } = await world.get(`/v1/jobs/${job}/tasks/0/logs`);
    expect(bytes.length).toBe(total);
    expect(asked.map(({ from }) => from / piece.length)).toEqual([0, 2, 4, 6]);
    expect(stopped.length).toBe(3);
  });

  test("that are followed end with the reader", async () => {
    listen(({ request }, relay) => relay.chunk(1, chunk(request, 0, record, false)));
    const job = await ranJob();
    const gone = new AbortController();
    const path = `/v1/jobs/${job}/tasks/0/logs?follow=1`;
    const following = world.get(path, { signal: gone.signal, onPiece: () => gone.abort() });
    await expect(following).rejects.toThrow("abort");
    await expect.poll(() => stopped.length).toBe(1);
  });
});

describe("queues", () => {
  test("are listed by name, and changed field by field", async () => {
    await world.submit([1, 2], {}, { queue: "film" });
    await world.submit([1], {}, { queue: "alpha" });
    const path = "/v1/queues/film";
    const body = { paused: true, pausedReason: "maintenance" };
    const changed = await world.call("PATCH", path, { body: JSON.stringify(body) });
    expect(changed.json).toMatchObject({ ...body, name: "film", weight: 1_000, waiting: 2 });
    const weight = await world.call("PATCH", path, { body: '{"weight":500}' });
    expect(weight.json).toMatchObject({ ...body, weight: 500 });
    const { json } = await world.get("/v1/queues?limit=1");
    expect(json).toMatchObject({ items: [{ name: "alpha", jobs: 1 }], total: 2 });
    expect((await world.call("PATCH", path, { body: '{"wait":1}' })).status).toBe(422);
  });
});

describe("workers", () => {
  test("are listed with what they hold, and drained", async () => {
    await world.register("w1");
    await world.register("w2");
    const { json } = await world.get("/v1/workers");
    expect(json).toMatchObject({
      items: [
        { id: "w1", state: "active", connected: false, amounts: { cpu: 4_000 } },
        { id: "w2" },
      ],
      total: 2,
    });
    const drained = await world.post("/v1/workers/w2/drain");
    expect(String(drained.json["state"])).toMatch(/^drain/);
    expect((await world.post("/v1/workers/w2/drain", { undo: true })).json).toMatchObject({
      state: "active",
    });
    expect((await world.post("/v1/workers/w9/drain")).status).toBe(404);
  });
});

describe("the status", () => {
  test("of a cluster at work is one sentence and its numbers", async () => {
    await world.register();
    await world.submit([1, 2]);
    const { json } = await world.get("/v1/status");
    expect(json["verdict"]).toMatch(/^Healthy: 1 worker, /);
    expect(json).toMatchObject({
      journal: { engine: "memory", id: world.journal.journalId },
      master: { id: "m1", leads: true, term: 1 },
      workers: { active: 1, lost: 0 },
      slots: { cpu: 4, used: 2 },
      jobs: { unfinished: 1, finished: 0 },
      tasks: { assigned: 2 },
    });
  });

  test("names what is wrong first", async () => {
    world.usage.share = 0.9;
    await settled();
    const { json } = await world.get("/v1/status");
    expect(json["verdict"]).toContain("90 % full");
    world.usage.share = 0;
    await world.submit([1]);
    const { json: waiting } = await world.get("/v1/status");
    expect(waiting["verdict"]).toContain("No worker is active, and 1 task waits.");
  });

  test("has a version beside it", async () => {
    const { json } = await world.get("/v1/version");
    expect(json).toEqual({ version: "0.0.0", protocol: 1, node: process.version });
  });
});

describe("the client of an open job", () => {
  /** A watch on a clock of its own. */
  function watch() {
    let now = 0;
    let fire = () => {};
    const clock = {
      now: () => now,
      wall: () => 0,
      after: (_delay: number, next: () => void) => {
        fire = next;
        return () => {};
      },
    };
    const made = new ClientWatch({ master: world.master, clock, silenceMs: 1_000 });
    const pass = async (ms: number) => {
      now += ms;
      fire();
      await settled();
    };
    return { watch: made, pass };
  }
  const stateOf = async (job: string) => (await world.get(`/v1/jobs/${job}`)).json["state"];

  test("that falls silent has its job closed, or cancelled if it asked for that", async () => {
    const { pass } = watch();
    const closing = await world.submit([], { open: true });
    const cancelling = await world.submit([], { open: true }, { ifClientGone: "cancel" });
    await pass(100);
    await pass(900);
    expect([await stateOf(closing), await stateOf(cancelling)]).toEqual(["open", "open"]);
    await pass(100);
    expect([await stateOf(closing), await stateOf(cancelling)]).toEqual(["succeeded", "cancelled"]);
  });

  test("that speaks, or has a stream open, keeps it", async () => {
    const { watch: made, pass } = watch();
    const job = await world.submit([], { open: true });
    const number = world.master.loop.peek((state) => state.jobNumbers.get(job) ?? 0);
    await pass(100);
    await pass(900);
    made.touch(number);
    await pass(900);
    const release = made.hold(number);
    await pass(5_000);
    expect(await stateOf(job)).toBe("open");
    release();
    await pass(900);
    expect(await stateOf(job)).toBe("open");
    await pass(200);
    expect(await stateOf(job)).toBe("succeeded");
  });
});
