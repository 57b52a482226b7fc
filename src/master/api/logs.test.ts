import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodePiece, pieceFlags } from "../../protocol/log-push.ts";
import { encodeLogRecord, LogRecordReader } from "../../protocol/log-record.ts";
import { ApiWorld, settled } from "./api-world.fixture.ts";

let world: ApiWorld;
let job: string;

beforeEach(async () => {
  world = await ApiWorld.open();
  const worker = await world.register();
  job = await world.submit([1]);
  await settled();
  await world.work(worker, job);
});
afterEach(() => world[Symbol.asyncDispose]());

const stdout = (text: string) => Buffer.from(encodeLogRecord("stdout", Buffer.from(text)));
const stderr = (text: string) => Buffer.from(encodeLogRecord("stderr", Buffer.from(text)));

function push(bytes: Uint8Array, from = 0, flags = 0) {
  const body = encodePiece({ job, task: 0, attempt: 1, from, at: 1_000, flags, bytes }, crc32);
  return world.call("POST", "/v1/worker-logs", {
    body: body as never,
    type: "application/octet-stream",
  });
}

async function read(query = "") {
  const { status, bytes, headers } = await world.get(`/v1/jobs/${job}/tasks/0/logs${query}`);
  const records = new LogRecordReader().push(bytes);
  const textOf = (some: typeof records) =>
    some.map((record) => Buffer.from(record.bytes).toString()).join("");
  return {
    status,
    text: textOf(records.filter(({ missing }) => !missing)),
    missing: textOf(records.filter(({ missing }) => missing)),
    header: headers["skein-log-missing"],
    end: records.at(-1)?.end,
  };
}

describe("logs that workers have pushed", () => {
  test("are read when the worker is not here, whole, without a word", async () => {
    const bytes = Buffer.concat([stdout("one\n"), stderr("two\n")]);
    expect((await push(bytes, 0, pieceFlags.ends)).json).toMatchObject({ pieces: 1 });
    expect(await read()).toMatchObject({ status: 200, text: "one\ntwo\n", missing: "" });
    expect((await read()).header).toBeUndefined();
    expect((await read("?follow=1")).text).toBe("one\ntwo\n");
  });

  test("say that the end may be missing, when it is not known", async () => {
    await push(stdout("one\n"));
    const found = await read();
    expect(found).toMatchObject({ status: 200, text: "one\n" });
    expect(found.missing).toMatch(/^\[skein\] what it printed last may be missing/);
    expect(found.header).toContain("may be missing");
  });

  test("say what is missing in the middle, and go on behind it", async () => {
    const [a, b, c] = [stdout("one\n"), stdout("two\n"), stdout("three\n")];
    await push(a);
    await push(c, a.length + b.length, pieceFlags.ends);
    const found = await read();
    expect(found.text).toBe("one\nthree\n");
    expect(found.missing).toBe(
      "[skein] 9 bytes are missing here, from byte 9: no master that answers has them\n",
    );
    expect(found.end).toBe(a.length + b.length + c.length);
    expect((await read(`?from=${a.length}`)).header).toContain("9 bytes are missing");
  });

  test("are searched: a text, the last lines, one stream", async () => {
    const lines = ["alpha 1\n", "beta 2\n", "alpha 3\n", "half a li", "ne 4"].map(stdout);
    await push(Buffer.concat([stderr("alpha!\n"), ...lines]), 0, pieceFlags.ends);
    expect((await read("?grep=alpha")).text).toBe("alpha!\nalpha 1\nalpha 3\n");
    expect((await read("?grep=alpha&stream=stdout")).text).toBe("alpha 1\nalpha 3\n");
    expect((await read("?grep=a%20line")).text).toBe("half a line 4");
    expect((await read("?tail=2")).text).toBe("alpha 3\nhalf a line 4");
    expect((await read("?tail=2&follow=1")).text).toBe("alpha 3\nhalf a line 4");
    expect((await read("?tail=0")).text).toBe("");
    expect((await read("?grep=nothing")).status).toBe(200);
    expect((await read("?tail=10001")).status).toBe(400);
  });

  test("of a job are pages of lines, by a cursor of their own query", async () => {
    await push(stdout("a\nb\nc\n"), 0, pieceFlags.ends);
    const path = `/v1/jobs/${job}/logs`;
    const { json } = await world.get(`${path}?limit=2`);
    expect(json).toMatchObject({ items: [{ task: 0, attempt: 1, text: "a" }, { text: "b" }] });
    const cursor = String(json["nextCursor"]);
    const rest = await world.get(`${path}?limit=2&cursor=${cursor}`);
    expect(rest.json).toMatchObject({ items: [{ text: "c" }], nextCursor: null });
    const other = await world.get(`${path}?grep=a&cursor=${cursor}`);
    expect([other.status, other.json["detail"]]).toEqual([
      400,
      expect.stringContaining("another query"),
    ]);
    for (const bad of ["x", "W10", Buffer.from('["x",1]').toString("base64url")]) {
      expect((await world.get(`${path}?cursor=${bad}`)).status).toBe(400);
    }
    expect((await world.get("/v1/jobs/ffffffffffffffff/logs")).status).toBe(404);
  });

  test("of masters that do not answer are said to be missing", async () => {
    await push(stdout("a\n"));
    world.others.addresses = ["http://127.0.0.1:1"];
    const { json } = await world.get(`/v1/jobs/${job}/logs`);
    expect(json).toMatchObject({ items: [{ text: "a" }], partial: expect.stringContaining(":1") });
    expect((await read()).missing).toContain("no answer from the masters at http://127.0.0.1:1");
  });
});

describe("a push", () => {
  test("is refused long before submits are, and says when to come back", async () => {
    world.usage.share = 0.71;
    const { status, headers } = await push(stdout("x\n"));
    expect([status, headers["retry-after"]]).toEqual([429, "30"]);
    await world.submit([1]);
  });

  test("that is damaged, too large, or not what is wanted is refused, and nothing is kept", async () => {
    const bytes = Buffer.from(
      encodePiece(
        { job, task: 0, attempt: 1, from: 0, at: 0, flags: 0, bytes: stdout("x\n") },
        crc32,
      ),
    );
    bytes[bytes.length - 1] = 0;
    const post = (body: Buffer, type = "application/octet-stream") =>
      world.call("POST", "/v1/worker-logs", { body: body as never, type });
    expect((await post(bytes)).status).toBe(422);
    expect((await post(Buffer.alloc((1 << 20) + 1))).status).toBe(413);
    expect((await post(Buffer.from("{}"), "application/json")).status).toBe(415);
    expect((await read()).status).not.toBe(200);
  });

  test("comes less often the more workers there are", async () => {
    for (let i = 2; i <= 20; i++) await world.register(`w${i}`);
    expect((await push(stdout("x\n"))).json).toMatchObject({ afterMs: 40 });
  });
});
