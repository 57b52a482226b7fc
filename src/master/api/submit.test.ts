import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endReasons } from "../../protocol/model.ts";
import { outcomeItem, decodeOutcomes } from "../../protocol/outcome-block.ts";
import { RecordReader } from "../../protocol/outcome-stream.ts";
import { ApiWorld, commandSpec, settled } from "./api-world.fixture.ts";

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.open();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const ndjson = { type: "application/x-ndjson" };
const sha = (bytes: string) => createHash("sha256").update(bytes).digest("hex");

describe("a submit", () => {
  test("makes a job with a task for each input and every default filled in", async () => {
    const { status, json } = await world.post("/v1/jobs", { spec: commandSpec, inputs: [1, 2, 3] });
    expect(status).toBe(201);
    expect(json).toMatchObject({
      number: 1,
      state: "waiting",
      tasks: 3,
      queue: "default",
      by: "token",
      retryOf: null,
      counts: { ready: 3 },
    });
    expect(json["id"]).toMatch(/^[0-9a-f]{16}$/);
  });

  test("keeps the lines of NDJSON as the bytes they are", async () => {
    const worker = await world.register();
    const body = `${JSON.stringify({ spec: commandSpec })}\n{"a" : 1.0}\n"ü"`;
    const { json } = await world.post("/v1/jobs", undefined, { body, ...ndjson });
    await settled();
    const inputs = world.assigned(worker, json["id"] as string).map(({ input }) => input);
    expect(inputs).toEqual(['{"a" : 1.0}', '"ü"']);
  });

  test("of no task is a job that has ended", async () => {
    const { json } = await world.post("/v1/jobs?wait=1000", { spec: commandSpec });
    expect(json).toMatchObject({ tasks: 0, state: "succeeded" });
  });

  test("is cut into parts of at most 256 KiB at line ends", async () => {
    const line = `"${"x".repeat(10_000)}"\n`;
    const body = `${JSON.stringify({ spec: commandSpec })}\n${line.repeat(100)}`;
    const { json } = await world.post("/v1/jobs", undefined, { body, ...ndjson });
    const parts = world.master.loop.peek((state) =>
      state.jobs
        .get(json["number"] as number)
        ?.parts.map(({ count, bytes }) => [count, bytes?.length]),
    );
    expect(parts).toEqual([
      [26, 26 * line.length],
      [26, 26 * line.length],
      [26, 26 * line.length],
      [22, 22 * line.length],
    ]);
  });

  test.each([
    ["an empty line", `${JSON.stringify({ spec: commandSpec })}\n1\n\n2\n`, 400, "bad_line"],
    ["a head that is not JSON", "{\n1\n", 400, "bad_request"],
    ["a head without a spec", "{}\n1\n", 422, "invalid"],
    [
      "a line above the inline limit",
      `${JSON.stringify({ spec: commandSpec })}\n"${"x".repeat(17_000)}"\n`,
      413,
      "too_large",
    ],
  ])("with %s is refused", async (_what, body, status, code) => {
    const answer = await world.post("/v1/jobs", undefined, { body, ...ndjson });
    expect([answer.status, answer.json["code"]]).toEqual([status, code]);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
  });

  test("names the field that is wrong", async () => {
    const spec = { ...commandSpec, retry: { attempts: 0 } };
    const { status, json } = await world.post("/v1/jobs", { spec });
    expect(status).toBe(422);
    expect(json["errors"]).toMatchObject([{ pointer: "/spec/retry/attempts" }]);
  });

  test("larger than a batch is refused with what to do instead", async () => {
    const body = Buffer.alloc(4 * 1024 * 1024, "1\n");
    const { status, json } = await world.post("/v1/jobs", undefined, { body, ...ndjson });
    expect([status, json["code"]]).toEqual([413, "too_large"]);
  });

  test("whose bundle is not stored is refused, and taken once it is", async () => {
    const code = { kind: "function", bundle: sha("export {}") };
    const body = { spec: { task: "t", code }, inputs: [1] };
    const refused = await world.post("/v1/jobs", body);
    expect([refused.status, refused.json["code"]]).toEqual([409, "payload_missing"]);
    const type = "application/octet-stream";
    await world.call("PUT", `/v1/payloads/${code.bundle}`, { body: "export {}", type });
    expect((await world.post("/v1/jobs", body)).status).toBe(201);
  });

  test("is told to come back when the journal or its disk is nearly full", async () => {
    world.usage.share = 0.85;
    const { status, json, headers } = await world.post("/v1/jobs", { spec: commandSpec });
    expect([status, json["code"], headers["retry-after"]]).toEqual([507, "journal_full", "10"]);
  });

  test("at which the master stumbles is refused at once when it is sent again", async () => {
    const body = { spec: commandSpec, inputs: [1] };
    const { loop } = world.master;
    const real = loop.request.bind(loop);
    let stumbles = 1;
    loop.request = ((request: never, bytes: number, done: (answer: object) => void) => {
      if (stumbles-- > 0) done({ ok: false, code: "internal", message: "It stumbled." });
      else real(request, bytes, done as never);
    }) as typeof loop.request;
    expect((await world.post("/v1/jobs", body)).status).toBe(500);
    const again = await world.post("/v1/jobs", body);
    expect([again.status, again.json["code"]]).toEqual([422, "request_poisonous"]);
    expect((await world.post("/v1/jobs", { ...body, inputs: [2] })).status).toBe(201);
  });
});

describe("an idempotency key", () => {
  const headers = { "idempotency-key": "skein:client-1.2:7" };
  const body = { spec: commandSpec, inputs: [1] };

  test("gives the same job for the same body", async () => {
    const [first, second] = await Promise.all([
      world.post("/v1/jobs", body, { headers }),
      world.post("/v1/jobs", body, { headers }),
    ]);
    expect(second.json["id"]).toBe(first.json["id"]);
  });

  test("is refused with another body", async () => {
    await world.post("/v1/jobs", body, { headers });
    const { status, json } = await world.post("/v1/jobs", { ...body, inputs: [2] }, { headers });
    expect([status, json["code"]]).toEqual([409, "key_reused"]);
  });

  test("of the user's own may end in a number, and is not taken for a client's", async () => {
    const submit = (key: string, input: number) =>
      world.post("/v1/jobs", { ...body, inputs: [input] }, { headers: { "idempotency-key": key } });
    await submit("order:5000", 5_000);
    const first = await submit("order:3", 3);
    expect(first.status).toBe(201);
    expect((await submit("order:3", 3)).json["id"]).toBe(first.json["id"]);
    const kept = world.master.loop.peek((state) => [state.userKeys.size, state.clients.size]);
    expect(kept).toEqual([2, 0]);
  });

  test("of the user's own may not look like a client's", async () => {
    const { status, json } = await world.post("/v1/jobs", body, {
      headers: { "idempotency-key": "skein:order" },
    });
    expect([status, json["code"]]).toEqual([400, "bad_request"]);
  });

  test("of the user's own wins over the client's, and holds within a namespace", async () => {
    const own = { ...body, key: "shot-42" };
    const first = await world.post("/v1/jobs", own, { headers });
    const second = await world.post("/v1/jobs", own, {
      headers: { "idempotency-key": "skein:client-1:8" },
    });
    expect(second.json["id"]).toBe(first.json["id"]);
    const spec = { ...commandSpec, namespace: "other" };
    const other = await world.post("/v1/jobs", { ...own, spec });
    expect(other.status).toBe(201);
    expect(other.json["id"]).not.toBe(first.json["id"]);
  });
});

describe("a submit that waits", () => {
  const wait = "/v1/jobs?wait=60000";

  test("is answered with the outcome of its one task", async () => {
    const worker = await world.register();
    const answering = world.post(wait, { spec: commandSpec, inputs: [{ a: 1 }] });
    const job = await firstJob();
    await world.work(worker, job);
    const { json } = await answering;
    expect(json).toMatchObject({ id: job, state: "succeeded", tasks: 1 });
    const [record] = new RecordReader().push(Buffer.from(json["outcome"] as string, "base64"));
    if (record?.kind !== "block") throw new Error("no block");
    const { task, attempt, value } = outcomeItem(decodeOutcomes(record.block), 0);
    expect([task, attempt, Buffer.from(value).toString()]).toEqual([0, 1, '{"a":1}']);
  });

  test("is answered with the job's view when it has several tasks", async () => {
    const worker = await world.register();
    const answering = world.post(wait, { spec: commandSpec, inputs: [1, 2] });
    await world.work(worker, await firstJob());
    const { json } = await answering;
    expect(json).toMatchObject({ state: "succeeded", counts: { succeeded: 2 } });
    expect(json).not.toHaveProperty("outcome");
  });

  test("is answered with the job as it is when the wait is over", async () => {
    const { status, json } = await world.post("/v1/jobs?wait=1", {
      spec: commandSpec,
      inputs: [1],
    });
    expect([status, json["state"]]).toEqual([201, "waiting"]);
  });

  test("with a key of a job that has ended gets that job's outcome", async () => {
    const worker = await world.register();
    const body = { spec: commandSpec, inputs: [5], key: "k" };
    const { json } = await world.post("/v1/jobs", body);
    await settled();
    const failed = { code: endReasons.finalError.code, text: '{"name":"E","message":"no"}' };
    await world.work(worker, json["id"] as string, () => failed);
    const again = await world.post(wait, body);
    expect(again.json).toMatchObject({ id: json["id"], state: "failed" });
    const [record] = new RecordReader().push(
      Buffer.from(again.json["outcome"] as string, "base64"),
    );
    expect(record?.kind).toBe("block");
  });

  test("leaves nothing behind when its client goes", async () => {
    const gone = new AbortController();
    const answering = world.post(wait, { spec: commandSpec, inputs: [1] }, { signal: gone.signal });
    await firstJob();
    expect(world.master.hub.size).toBe(1);
    gone.abort();
    await expect(answering).rejects.toThrow("abort");
    await expect.poll(() => world.master.hub.size).toBe(0);
  });

  test("is answered when the master stops", async () => {
    const answering = world.post(wait, { spec: commandSpec, inputs: [1] });
    await firstJob();
    await world.api.close();
    expect((await answering).json).toMatchObject({ state: "waiting" });
  });
});

describe("dependencies", () => {
  test("may be named by the beginning of an id", async () => {
    const id = await world.submit([1]);
    const after = [{ job: id.slice(0, 8) }];
    const { json } = await world.post("/v1/jobs", { spec: { ...commandSpec, after }, inputs: [1] });
    expect(json).toMatchObject({ after: [{ job: id, mode: "all" }], counts: { waiting: 1 } });
  });

  test("that do not exist are refused", async () => {
    const spec = { ...commandSpec, after: [{ job: "0123456789abcdef" }] };
    const { status, json } = await world.post("/v1/jobs", { spec });
    expect([status, json["code"]]).toEqual([422, "unknown_dependency"]);
  });
});

async function firstJob(): Promise<string> {
  const id = () =>
    world.master.loop.peek((state) => [...state.jobs.values()].map((job) => job.id)[0] ?? "");
  await expect.poll(id).not.toBe("");
  await settled();
  return id();
}
