import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { endReasons } from "../../protocol/model.ts";
import {
  decodeOutcomes,
  encodeOutcomes,
  encodeStored,
  storedBit,
} from "../../protocol/outcome-block.ts";
import { formatPosition, RecordReader } from "../../protocol/outcome-stream.ts";
import type { OutcomeRecord } from "../../protocol/outcome-stream.ts";
import { ApiWorld, fullItem, settled } from "./api-world.fixture.ts";
import { OutcomeFeed } from "./outcome-feed.ts";

let world: ApiWorld;
let worker: number;
beforeEach(async () => {
  world = await ApiWorld.open();
  worker = await world.register("w1", { cpu: 2_000 });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const records = (bytes: Uint8Array) =>
  new RecordReader().push(bytes).filter((record) => record.kind !== "pulse");
const tasksIn = (all: readonly OutcomeRecord[]) =>
  all.flatMap((one) => (one.kind === "block" ? [...decodeOutcomes(one.block).tasks] : []));
const failing = { code: endReasons.finalError.code, text: '{"name":"E","message":"no"}' };

describe("the stream of outcomes", () => {
  test("of a job that has ended has every task once, and the end", async () => {
    const job = await world.submit([0, 1, 2, 3, 4, 5]);
    await settled();
    await world.work(worker, job);
    const all = records((await world.get(`/v1/jobs/${job}/outcomes`)).bytes);
    expect(tasksIn(all).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(all.at(-1)).toMatchObject({ kind: "end", state: 4 });
  });

  test("that follows has what came before it and what comes after, each once", async () => {
    const job = await world.submit([0, 1, 2, 3, 4, 5, 6, 7]);
    await settled();
    await world.report(worker, job, [text(0, "a")]);
    const following = world.get(`/v1/jobs/${job}/outcomes?follow=1`);
    await expect.poll(() => world.master.hub.size).toBe(1);
    await world.work(worker, job);
    const all = records((await following).bytes);
    expect(tasksIn(all).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(all.at(-1)?.kind).toBe("end");
    expect(world.master.hub.size).toBe(0);
  });

  test("goes on from a position", async () => {
    const job = await world.submit([0, 1, 2, 3]);
    await settled();
    await world.work(worker, job);
    const all = records((await world.get(`/v1/jobs/${job}/outcomes`)).bytes);
    const [first] = all;
    if (first?.kind !== "block") throw new Error("no block");
    const path = `/v1/jobs/${job}/outcomes?after=${formatPosition(first.at)}`;
    const rest = records((await world.get(path)).bytes);
    expect(tasksIn(rest)).toEqual(tasksIn(all.slice(1)));
    const end = all.at(-1);
    if (end?.kind !== "end") throw new Error("no end");
    const beyond = await world.get(`/v1/jobs/${job}/outcomes?after=${formatPosition(end.at)}`);
    expect(records(beyond.bytes)).toMatchObject([{ kind: "end" }]);
    expect((await world.get(`/v1/jobs/${job}/outcomes?after=x`)).status).toBe(400);
  });

  test("without follow ends where a job is now", async () => {
    const job = await world.submit([0, 1]);
    await settled();
    await world.report(worker, job, [text(0, "a")]);
    const all = records((await world.get(`/v1/jobs/${job}/outcomes`)).bytes);
    expect(all.map(({ kind }) => kind)).toEqual(["block"]);
  });

  test("is lines of JSON for those who want them", async () => {
    const job = await world.submit([0, 1]);
    await settled();
    await world.work(worker, job, (task) => (task === 1 ? failing : { text: '{"x":1}' }));
    const headers = { accept: "application/x-ndjson" };
    const { text: lines } = await world.get(`/v1/jobs/${job}/outcomes`, { headers });
    const parsed = lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(parsed).toEqual([
      { task: 0, attempt: 1, state: "succeeded", reason: "succeeded", runMs: 1.5, value: { x: 1 } },
      {
        task: 1,
        attempt: 1,
        state: "failed",
        reason: "final_error",
        runMs: 1.5,
        error: { name: "E", message: "no" },
      },
    ]);
  });

  test("ends between two records when the master stops", async () => {
    const job = await world.submit([0, 1]);
    await settled();
    const following = world.get(`/v1/jobs/${job}/outcomes?follow=1`);
    await expect.poll(() => world.master.hub.size).toBe(1);
    await world.report(worker, job, [text(0, "a")]);
    await settled();
    await world.api.close();
    const reader = new RecordReader();
    expect(reader.push((await following).bytes).map(({ kind }) => kind)).toEqual(["block"]);
    expect(reader.idle).toBe(true);
  });
});

describe("a feed whose reader is slow", () => {
  test("drops what it cannot keep and finds it in the archive: nothing lost, nothing twice", async () => {
    const { archive, hub } = world.master;
    const job = 7;
    const batches = 40;
    const add = (index: number) => {
      const value = new Uint8Array(100_000).fill(49);
      const block = encodeOutcomes([fullItem({ task: index, value })]);
      const worker = "w1";
      archive.add(index, index, [{ kind: "outcomes", job, n: 0, worker, block }]);
      hub.block(job, { index, n: 0 }, block);
    };
    const from = archive.added + 1;
    add(from);
    const after = { index: 0, n: 0 };
    const feed = new OutcomeFeed({ master: world.master, job, after, follow: true, onWait() {} });
    const seen: number[] = [];
    for (let i = 1; seen.length < batches; i++) {
      // The reader takes one page, then fifteen batches come at once: more than it may keep waiting.
      for (let n = 0; n < 15; n++) if (archive.added < from + batches - 1) add(archive.added + 1);
      const item = await feed.next();
      if (item.kind === "blocks") seen.push(...item.blocks.map(({ index }) => index));
      expect(i).toBeLessThan(batches * 2);
    }
    feed.stop();
    expect(seen).toEqual(Array.from({ length: batches }, (_, i) => from + i));
    expect(15 * 100_000).toBeGreaterThan(limits.readerBytesMax);
  });
});

describe("results", () => {
  test("are a line for each task, in order, verbatim", async () => {
    const job = await world.submit([0, 1, 2]);
    await settled();
    await world.work(worker, job, (task) => ({ text: `{"n" : ${task}}` }));
    const { text: lines } = await world.get(`/v1/jobs/${job}/results`);
    expect(lines).toBe('{"n" : 0}\n{"n" : 1}\n{"n" : 2}\n');
    const { text: last } = await world.get(`/v1/jobs/${job}/results?from=2`);
    expect(last).toBe('{"n" : 2}\n');
  });

  test("say of a task without one that it has none", async () => {
    const job = await world.submit([0, 1, 2]);
    await settled();
    await world.report(worker, job, [
      { ...text(0, "") },
      { task: 1, code: failing.code, value: Buffer.from(failing.text) },
    ]);
    await settled();
    const { text: lines } = await world.get(`/v1/jobs/${job}/results`);
    const [first, second, third, rest] = lines.split("\n");
    expect(first).toBe("null");
    expect(second?.[0]).toBe("@");
    expect(JSON.parse(second?.slice(1) ?? "")).toEqual({
      task: 1,
      state: "failed",
      reason: "final_error",
      error: { name: "E", message: "no" },
    });
    expect(third).toBe('@{"task":2,"state":"unfinished"}');
    expect(rest).toBe("");
  });

  test("that are stored are put in their place, on one line", async () => {
    const json = Buffer.from('{\n  "a": "b"\n}');
    const bytes = Buffer.from([0, 10, 255]);
    const stored = await Promise.all([store(json), store(bytes)]);
    const job = await world.submit([0, 1, 2]);
    await settled();
    const value = (i: number, encoding: "json" | "bytes") =>
      encodeStored({ hash: stored[i] ?? "", size: 1, encoding });
    await world.report(worker, job, [
      { task: 0, code: storedBit, value: value(0, "json") },
      { task: 1, code: storedBit, value: value(1, "bytes") },
    ]);
    await settled();
    await world.work(worker, job);
    const lines = (await world.get(`/v1/jobs/${job}/results`)).text.split("\n");
    expect(lines[0]).toBe('{   "a": "b" }');
    expect(JSON.parse(lines[1]?.slice(1) ?? "")).toMatchObject({
      stored: { hash: stored[1], encoding: "bytes" },
    });
    expect(lines).toHaveLength(4);
  });

  test("that follow wait for each task in turn", async () => {
    const job = await world.submit([0, 1, 2, 3]);
    await settled();
    let heard = "";
    const onPiece = (piece: Buffer) => (heard += piece.toString());
    const following = world.get(`/v1/jobs/${job}/results?follow=1`, { onPiece });
    await expect.poll(() => world.master.hub.size).toBe(1);
    await world.report(worker, job, [text(1, "1")]);
    await settled();
    expect(heard).toBe("");
    await world.report(worker, job, [text(0, "0")]);
    await expect.poll(() => heard).toBe("0\n1\n");
    await settled();
    await world.work(worker, job);
    expect((await following).text).toBe("0\n1\n2\n3\n");
  });

  test("are cut, not ended, when the master stops", async () => {
    const job = await world.submit([0, 1]);
    await settled();
    const following = world.get(`/v1/jobs/${job}/results?follow=1`);
    // Caught at once, so that no rejection goes unheard meanwhile.
    const cut = following.catch((error: Error) => error.message);
    await expect.poll(() => world.master.hub.size).toBe(1);
    await world.api.close();
    expect(await cut).toMatch(/aborted|hang up|reset/);
  });
});

describe("payloads", () => {
  const type = "application/octet-stream";

  test("come back whole, in ranges, and as headers alone", async () => {
    const bytes = Buffer.from("0123456789");
    const path = `/v1/payloads/${await store(bytes)}`;
    const whole = await world.get(path);
    expect([whole.status, whole.text, whole.headers["accept-ranges"]]).toEqual([
      200,
      "0123456789",
      "bytes",
    ]);
    const part = await world.get(path, { headers: { range: "bytes=2-4" } });
    expect([part.status, part.text, part.headers["content-range"]]).toEqual([
      206,
      "234",
      "bytes 2-4/10",
    ]);
    const rest = await world.get(path, { headers: { range: "bytes=8-" } });
    expect(rest.text).toBe("89");
    const tail = await world.get(path, { headers: { range: "bytes=-3" } });
    expect(tail.text).toBe("789");
    const none = await world.get(path, { headers: { range: "bytes=10-" } });
    expect([none.status, none.headers["content-range"]]).toEqual([416, "bytes */10"]);
    const head = await world.call("HEAD", path);
    expect([head.status, head.headers["content-length"], head.text]).toEqual([200, "10", ""]);
  });

  test("are checked against their name, and may be sent twice", async () => {
    const path = `/v1/payloads/${"a".repeat(64)}`;
    const wrong = await world.call("PUT", path, { body: "x", type });
    expect([wrong.status, wrong.json["code"]]).toEqual([422, "payload_differs"]);
    expect((await world.get(path)).status).toBe(404);
    const hash = createHash("sha256").update("x").digest("hex");
    for (let i = 0; i < 2; i++) {
      const { status, json } = await world.call("PUT", `/v1/payloads/${hash}`, { body: "x", type });
      expect([status, json]).toEqual([201, { hash, size: 1 }]);
    }
  });

  test("of no bytes are payloads too", async () => {
    const hash = createHash("sha256").digest("hex");
    const put = await world.call("PUT", `/v1/payloads/${hash}`, { body: "", type });
    expect([put.status, put.json["size"]]).toEqual([201, 0]);
    expect((await world.get(`/v1/payloads/${hash}`)).text).toBe("");
  });

  test("that say they are too large are not read", async () => {
    const path = `/v1/payloads/${"a".repeat(64)}`;
    const headers = { "content-length": String(limits.payloadBytesMax + 1), "content-type": type };
    const { status, json } = await world.call("PUT", path, { headers });
    expect([status, json["code"]]).toEqual([413, "too_large"]);
  });
});

function text(task: number, value: string) {
  return { task, value: Buffer.from(value) };
}

async function store(bytes: Buffer): Promise<string> {
  const hash = createHash("sha256").update(bytes).digest("hex");
  await world.master.payloads.put(hash, bytes, { maxBytes: 1_000_000 });
  return hash;
}
