import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { endReasons } from "../../protocol/model.ts";
import type { EventView } from "../../protocol/views.ts";
import { ApiWorld, settled, token } from "./api-world.fixture.ts";

let world: ApiWorld;
let leaving: AbortController;
beforeEach(async () => {
  world = await ApiWorld.open();
  leaving = new AbortController();
});
afterEach(async () => {
  leaving.abort();
  await world[Symbol.asyncDispose]();
});

interface Seen {
  readonly event: string;
  // What a test looks into is its own business.
  readonly data: Record<string, unknown>;
}

/** Takes messages in the background, until the test is over. */
function follow(options: { topics?: string[]; after?: string } = {}): Seen[] {
  const seen: Seen[] = [];
  const { topics = ["timeline"], after } = options;
  const query = `topics=${topics.join()}${after === undefined ? "" : `&after=${after}`}`;
  const run = async () => {
    for await (const message of messagesOf(await open(`/v1/events?${query}`))) seen.push(message);
  };
  run().catch(() => {}); // it is aborted at the end
  return seen;
}

async function* messagesOf(response: IncomingMessage): AsyncGenerator<Seen> {
  let rest = "";
  for await (const piece of response) {
    const messages = (rest + String(piece)).split("\n\n");
    rest = messages.pop() ?? "";
    for (const message of messages) {
      const event = /^event: (.*)$/m.exec(message)?.[1] ?? "";
      const data = /^data: (.*)$/m.exec(message)?.[1] ?? "";
      yield { event, data: JSON.parse(data) as Seen["data"] };
    }
  }
}

const only = (seen: readonly Seen[], event: string) => seen.filter((one) => one.event === event);
const rowsIn = (seen: readonly Seen[]) =>
  only(seen, "timeline").map(({ data }) => data as unknown as EventView);

async function allRows(query = ""): Promise<EventView[]> {
  const { json, text } = await world.get(`/v1/events?limit=1000${query}`);
  expect(json["items"], text).toBeDefined();
  return (json["items"] as EventView[]).toReversed();
}

/** A stream as a browser would open it; not read until the test says so. */
function open(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({
      port: world.port,
      host: "127.0.0.1",
      path,
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", ...headers },
      signal: leaving.signal,
    });
    asked.on("error", reject);
    asked.on("response", (response) => {
      response.on("error", () => {}); // it is aborted at the end
      resolve(response);
    });
    asked.end();
  });
}

/** The messages of a stream's beginning, until one of this kind has come. */
async function messagesUntil(response: IncomingMessage, kind: string): Promise<string> {
  let text = "";
  for await (const piece of response) {
    text += String(piece);
    if (text.includes(`event: ${kind}\n`) && text.endsWith("\n\n")) break;
  }
  return text;
}

describe("the timeline in pages", () => {
  test("has what happened, newest first, with what it is about", async () => {
    const worker = await world.register("w1");
    const job = await world.submit([0, 1], {}, { retry: { attempts: 2 } });
    await settled();
    await world.work(worker, job, (task) =>
      task === 0 ? {} : { code: endReasons.exit.code, text: '{"message":"no such file"}' },
    );
    await world.get(`/v1/jobs/${job}`);
    const rows = await allRows();
    expect(rows.map(({ kind, level }) => `${kind} ${level}`)).toEqual([
      "master.elected info",
      "worker.joined info",
      "queue.changed info",
      "job.created info",
      "attempt.failed warn",
    ]);
    expect(rows[3]).toMatchObject({ job, queue: "default" });
    expect(rows[4]).toMatchObject({ job, worker: "w1" });
    expect(rows[4]?.text).toContain("no such file; it tries again");
    const { json } = await world.get("/v1/events?limit=2");
    expect(json).toMatchObject({ total: 5, items: [rows[4], rows[3]] });
    const next = await world.get(`/v1/events?limit=9&cursor=${String(json["nextCursor"])}`);
    expect(next.json).toMatchObject({ total: 5, items: [rows[2], rows[1], rows[0]] });
    expect(next.json["nextCursor"]).toBeNull();
  });

  test("tells how a worker was drained, fell silent, came back and was lost, and what people changed", async () => {
    await world.register("w1");
    await world.post("/v1/workers/w1/drain", { deadlineMs: 0 });
    await world.post("/v1/workers/w1/drain", { undo: true });
    const [worker] = [1];
    const incarnation = "aaaaaaaaaaaaaaaa";
    const { loop } = world.master;
    const done = () => {};
    loop.request({ kind: "workerNews", worker, incarnation, news: "silent" }, 1, done);
    loop.request({ kind: "workerNews", worker, incarnation, news: "heard" }, 1, done);
    const loss = { reason: "it was silent for 15 s", gone: false, silent: false, started: [] };
    loop.request({ kind: "loseWorker", worker, incarnation, ...loss }, 1, done);
    await world.call("PATCH", "/v1/queues/film", { body: '{"paused":true,"pausedReason":"<b>"}' });
    await world.call("PATCH", "/v1/queues/film", { body: '{"paused":false,"weight":7}' });
    const job = await world.submit([1]);
    await world.post(`/v1/jobs/${job}/cancel`, {});
    const texts = (await allRows()).slice(1).map(({ kind, text }) => `${kind}: ${text}`);
    expect(texts).toEqual([
      "worker.joined: Worker w1 has joined",
      "worker.draining: Worker w1 finishes and takes nothing new",
      "worker.draining: Worker w1 is drained: it holds no task any more",
      "worker.back: Worker w1 is back and takes work",
      "worker.suspect: Worker w1 has fallen silent: it gets no new work",
      "worker.back: Worker w1 is back and takes work",
      "worker.lost: Worker w1 is lost: it was silent for 15 s",
      "queue.changed: Queue film is there now, is paused (<b>)",
      "queue.changed: Queue film goes on, has weight 7",
      "queue.changed: Queue default is there now",
      `job.created: Job ${job} "echo" was submitted: 1 task`,
      `job.cancelled: Job ${job} is stopped: somebody cancelled it`,
      `job.ended: Job ${job} is cancelled: 1 task, 1 cancelled`,
    ]);
  });
});

describe("the stream of the timeline", () => {
  test("has what comes after it was opened, each row once and in order", async () => {
    await world.register("w1");
    const seen = follow();
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    for (let n = 0; n < 30; n++) await world.submit([n]);
    await expect.poll(() => rowsIn(seen).length).toBe(31); // and the queue
    expect(rowsIn(seen)).toEqual((await allRows()).slice(2));
  });

  test("goes on from a position with all that came after it, many pages of it too", async () => {
    for (let n = 0; n < 5; n++) await world.register(`w${n}`);
    const rows = await allRows();
    const seen = follow({ after: rows[2]?.id ?? "" });
    await expect.poll(() => rowsIn(seen).length).toBe(3);
    await world.submit([1]);
    await expect.poll(() => rowsIn(seen).length).toBe(5);
    expect(rowsIn(seen)).toEqual((await allRows()).slice(3));
    const all = follow({ after: "0.0" });
    await expect.poll(() => rowsIn(all).length).toBe(8);
    expect(rowsIn(all)).toEqual(await allRows());
  });

  test("says its position in the first message, so that who is cut at once misses nothing", async () => {
    const text = await messagesUntil(await open("/v1/events"), "tick");
    const id = /^id: (.*)$/m.exec(text)?.[1] ?? "";
    expect(id).toBe(`${world.master.archive.added + 1}.0`);
    await world.register("w1");
    const again = await open("/v1/events", { "last-event-id": id });
    expect(await messagesUntil(again, "timeline")).toContain("Worker w1 has joined");
  });

  test("tells each second who leads and how old its news are", async () => {
    const seen = follow();
    await expect.poll(() => only(seen, "tick").length, { timeout: 5_000 }).toBeGreaterThan(1);
    expect(only(seen, "tick").at(-1)?.data).toMatchObject({
      master: "m1",
      leader: "m1",
      leads: true,
      ageMs: 0,
      term: 1,
      journal: world.master.journal.journalId,
    });
  });

  test("is rung for after the state was built anew, though nobody rang meanwhile", async () => {
    const seen = follow({ topics: ["timeline", "jobs"] });
    await expect.poll(() => only(seen, "jobs").length).toBe(1);
    const { archive, hub } = world.master;
    const nobody = { job: "", queue: "", master: "" };
    const more = { about: "worker.joined", level: "info", text: "unheard", worker: "w" } as const;
    // As ground.ts feeds it.
    archive.add(archive.added + 1, 5, [{ kind: "note", ...more, ...nobody }]);
    hub.missed();
    await expect.poll(() => rowsIn(seen).map(({ text }) => text)).toEqual(["unheard"]);
    await expect.poll(() => only(seen, "jobs").length).toBe(2);
    expect(only(seen, "jobs")[1]?.data).toMatchObject({ changed: [], all: true });
  });
});

describe("a position that cannot be gone on from", () => {
  test.each(["nonsense", "1", "-1.2", "1.2; DROP", "999999999999999.1", "1.9999999", "१.२"])(
    "%s resets a stream, which goes on from now",
    async (last) => {
      await world.register("w1");
      const stream = await open("/v1/events", { "last-event-id": encodeURI(last) });
      expect(await messagesUntil(stream, "reset")).toMatch(/why":"Last-Event-ID is no position/);
    },
  );

  test("one that no reader can have been given is refused where a person wrote it", async () => {
    const { status, json } = await world.get("/v1/events?after=nonsense", {
      headers: { accept: "text/event-stream" },
    });
    expect([status, json["detail"]]).toEqual([400, "after: a position is written index.n"]);
  });

  test("of another journal resets it at once", async () => {
    const stream = await open("/v1/events?journal=another&after=1.1");
    const text = await messagesUntil(stream, "reset");
    expect(text).toContain("is of journal another");
    expect(text).toContain(`id: ${world.master.archive.added + 1}.0\nevent: reset`);
  });

  test("beyond the last batch resets it when that batch does not come", async () => {
    const stream = await open("/v1/events", { "last-event-id": "9000.1" });
    expect(await messagesUntil(stream, "reset")).toContain("There is no batch 9000 here");
  }, 15_000);

  test("below what is kept resets it, and the stream goes on with what comes", async () => {
    const [first] = await allRows();
    for (let n = 0; n < 9; n++) await world.register(`w${n}`);
    await world.master.archive.prune({ rowsMax: 3 });
    const seen = follow({ after: first?.id ?? "" });
    await expect.poll(() => only(seen, "reset").length).toBe(1);
    expect(only(seen, "reset")[0]?.data["why"]).toContain("rows between are gone");
    await world.register("later");
    await expect
      .poll(() => rowsIn(seen).map(({ text }) => text))
      .toEqual(["Worker later has joined"]);
    const { json } = await world.get("/v1/events");
    expect(json["partial"]).toContain("are not all here");
  });
});

describe("topics", () => {
  test("name what has changed, and show a job as it is now", async () => {
    const worker = await world.register("w1");
    const job = await world.submit([0, 1]);
    const topics = ["jobs", "workers", "queues", "masters", `job:${job.slice(0, 8)}`, "overview"];
    const seen = follow({ topics });
    await expect.poll(() => only(seen, "overview").length).toBeGreaterThan(0);
    expect(only(seen, "job")[0]?.data).toMatchObject({ id: job, state: "running" });
    for (const list of ["jobs", "workers", "queues", "masters"] as const) {
      expect(only(seen, list)[0]?.data).toMatchObject({ changed: [], all: true });
    }
    seen.length = 0;
    await settled();
    await world.work(worker, job);
    await expect.poll(() => only(seen, "job").at(-1)?.data["state"]).toBe("succeeded");
    const changed = { all: false, index: expect.any(Number) as number };
    expect(only(seen, "jobs").at(-1)?.data).toEqual({ changed: [job], ...changed });
    expect(only(seen, "workers").at(-1)?.data).toEqual({ changed: ["w1"], ...changed });
    expect(only(seen, "queues").at(-1)?.data).toEqual({ changed: ["default"], ...changed });
    expect(rowsIn(seen)).toEqual([]);
  });

  test("that there are not are refused before the stream begins, with those that there are", async () => {
    for (const [topics, status, text] of [
      ["timeline,weather", 400, 'there is no "weather"; there are timeline, overview, jobs'],
      ["", 400, "name at least one"],
      ["job:ffff", 404, "There is no job ffff"],
      [Array(33).fill("job:1").join(), 404, "There is no job 1"],
    ] as const) {
      const answer = await world.get(`/v1/events?topics=${topics}`, {
        headers: { accept: "text/event-stream" },
      });
      expect([answer.status, answer.json["detail"]]).toEqual([
        status,
        expect.stringContaining(text) as string,
      ]);
    }
  });
});

describe("readers", () => {
  test("one that never reads holds little, stops nobody, and has all when it reads after all", async () => {
    const slow = await open("/v1/events?topics=timeline,jobs");
    const seen = follow();
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    const long = "x".repeat(30_000);
    const texts: string[] = [];
    const { archive, hub } = world.master;
    const nobody = { job: "", queue: "", master: "" };
    // More than sockets and limits hold; the wall clock goes on, so that rows are not bounded.
    for (let n = 0; n < 400; n++) {
      const text = `${n} ${long}`;
      texts.push(text);
      const row = { about: "worker.joined", level: "info", text, worker: "w" } as const;
      const wall = n * limits.timelineWindowMs;
      archive.add(archive.added + 1, wall, [{ kind: "note", ...row, ...nobody }]);
      hub.batch([]);
      if (n % 20 === 0) await settled();
    }
    await expect.poll(() => rowsIn(seen).length, { timeout: 10_000 }).toBe(400);
    expect(rowsIn(seen).map(({ text }) => text)).toEqual(texts);
    const late: string[] = [];
    for await (const { event, data } of messagesOf(slow)) {
      if (event === "timeline") late.push(String(data["text"]));
      if (late.length === texts.length) break;
    }
    expect(late).toEqual(texts);
  }, 30_000);

  test("a stream ends when the master stops, and leaves nothing behind when its reader goes", async () => {
    const ended = messagesUntil(await open("/v1/events"), "never");
    const gone = await open("/v1/events");
    await expect.poll(() => world.master.hub.watched).toBe(1);
    gone.destroy();
    await world.api.close();
    expect(await ended).toContain("event: tick");
    expect(world.master.hub.watched).toBe(0);
  });
});
