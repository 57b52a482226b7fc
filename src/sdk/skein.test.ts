import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { FakeMaster } from "../client/fake-master.fixture.ts";
import { encodeStored } from "../protocol/outcome-block.ts";
import { connect, defineCommand, SkeinError } from "./index.ts";
import type { Skein, Task } from "./index.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function connected(): Promise<{ master: FakeMaster; skein: Skein }> {
  const master = await new FakeMaster().start();
  open.push(master);
  const skein = await connect({ url: master.url, token: "secret", retryMs: 3_000 });
  open.push(skein);
  master.seen.length = 0;
  return { master, skein };
}

// Commands need no bundle: what is tried here is the way of inputs and outcomes.
const echo: Task<unknown, unknown> = defineCommand({ name: "echo", argv: ["cat"], stdin: "input" });
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
const job = (master: FakeMaster) => [...master.jobs.values()].at(-1);

describe("map", () => {
  it("sends few inputs in one request", async () => {
    const { master, skein } = await connected();
    const handle = await skein.map(echo, numbers(5), { queue: "film", priority: 3 });
    expect(await handle.results()).toEqual(numbers(5));
    expect(master.paths()[0]).toBe("POST /v1/jobs");
    expect(master.seen).toHaveLength(2);
    expect(job(master)?.head.spec).toMatchObject({ task: "echo", queue: "film", priority: 3 });
  });

  it("takes no inputs at all", async () => {
    const { skein } = await connected();
    expect(await (await skein.map(echo, [])).results()).toEqual([]);
  });

  it("sends many inputs in parts within the limit, in order, and closes", async () => {
    const { master, skein } = await connected();
    const inputs = numbers(60_000).map((i) => ({ i, text: "äöü".repeat(i % 7) }));
    const handle = await skein.map(echo, inputs);
    const parts = job(master)?.parts ?? [];
    expect(parts.length).toBeGreaterThan(5);
    expect(Math.max(...parts.map((part) => Buffer.byteLength(part)))).toBeLessThan(262_145);
    expect(master.paths().at(-1)).toContain("/close");
    expect(await handle.results()).toEqual(inputs);
  });

  it("streams: what a slow source has given goes out before it gives more", async () => {
    const { master, skein } = await connected();
    let seenByThen = 0;
    const opened: string[] = [];
    async function* slow() {
      yield 1;
      yield 2;
      while (seenByThen === 0) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seenByThen = job(master)?.lines.length ?? 0;
      }
      yield 3;
    }
    const handle = await skein.map(echo, slow(), { onJob: ({ id }) => opened.push(id) });
    expect(seenByThen).toBe(2);
    expect(opened).toEqual([handle.id]);
    expect(await handle.results()).toEqual([1, 2, 3]);
  });

  it("sends a part again that overtook the one before it", async () => {
    const { master, skein } = await connected();
    const early = new SkeinError("part_gap", "too early");
    master.refuse(/PUT .*parts\/2$/, early);
    const handle = await skein.map(echo, numbers(200_000));
    expect(await handle.results()).toEqual(numbers(200_000));
  });

  it("cancels the job and throws what the source throws", async () => {
    const { master, skein } = await connected();
    const problem = new Error("the disk is gone");
    async function* broken() {
      yield* numbers(100_000);
      throw problem;
    }
    await expect(skein.map(echo, broken())).rejects.toBe(problem);
    expect(job(master)?.cancelled).toBe(true);
  });

  it("cancels the job when its signal is aborted, also while the source gives nothing", async () => {
    const { master, skein } = await connected();
    const controller = new AbortController();
    async function* stuck() {
      yield 1;
      setTimeout(() => controller.abort(new Error("enough")), 60);
      await new Promise(() => {});
    }
    const map = skein.map(echo, stuck(), { signal: controller.signal });
    await expect(map).rejects.toThrow("enough");
    expect(job(master)?.cancelled).toBe(true);
  });

  it("cancels the job when its signal is aborted later", async () => {
    const { master, skein } = await connected();
    const controller = new AbortController();
    await skein.map(echo, [1], { signal: controller.signal });
    controller.abort();
    await skein.close();
    expect(job(master)?.cancelled).toBe(true);
  });

  it("stores a large input and sends a reference in its place", async () => {
    const { master, skein } = await connected();
    const large = "x".repeat(20_000);
    await skein.map(echo, ["small", large]);
    const [first, second] = job(master)?.lines ?? [];
    expect(first).toBe('"small"');
    const { stored } = JSON.parse(second?.slice(1) ?? "");
    expect(stored.size).toBe(20_002);
    expect(master.payloads.get(stored.hash)?.toString()).toBe(JSON.stringify(large));
  });

  it("names stored inputs of a part, and uploads them again when they are missing", async () => {
    const { master, skein } = await connected();
    master.refuse(/PUT .*parts\/1/, new SkeinError("payload_missing", "gone"));
    const inputs = numbers(250).map((i) => `${i}`.repeat(i === 0 ? 1 : 20_000));
    await skein.map(echo, inputs);
    expect(job(master)?.parts.length).toBeGreaterThan(2);
    expect(job(master)?.lines).toHaveLength(250);
  });

  it.each([
    ["a function", () => 1, /Input 1 cannot be serialised: it is a function/],
    ["undefined", undefined, /Input 1 cannot be serialised: it is undefined/],
    ["a BigInt", { a: 1n }, /Input 1 cannot be serialised: .*BigInt/],
    ["a circle", circle(), /Input 1 cannot be serialised: .*circular/],
  ])("refuses %s, naming the input", async (_, input, message) => {
    const { master, skein } = await connected();
    const error = await skein.map(echo, [0, input]).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "bad_input", message: expect.stringMatching(message) });
    expect(master.jobs.size).toBe(0);
  });

  it("checks inputs against the schema and names the field", async () => {
    const { skein } = await connected();
    const input = z.object({ frame: z.object({ size: z.number() }) });
    const task = defineCommand<z.input<typeof input>>({ name: "t", argv: ["cat"], input });
    const wrong = { frame: { size: "big" } } as unknown as z.input<typeof input>;
    const error = await skein.map(task, [wrong]).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "bad_input",
      message: expect.stringMatching(
        /^Input 0 was refused by the task's schema at \/frame\/size: /,
      ),
      details: { fields: [{ pointer: "/frame/size" }] },
    });
  });

  it("does not send inputs again under a key that has its job already", async () => {
    const { master, skein } = await connected();
    const first = await skein.map(echo, numbers(100_000), { key: "once" });
    const again = await skein.map(echo, numbers(100_000), { key: "once" });
    expect(again.id).toBe(first.id);
    expect(master.jobs.size).toBe(1);
    expect(master.seen.every(({ key }) => key === undefined)).toBe(true);
  });
});

function circle(): object {
  const self: { self?: object } = {};
  self.self = self;
  return self;
}

describe("outputs as inputs", () => {
  it("of a whole job travel as a reference, and make the job a dependency", async () => {
    const { master, skein } = await connected();
    const film = await skein.map(echo, [1, 2]);
    const encode = defineCommand<{ frames: unknown[]; fps: number }>({ name: "e", argv: ["cat"] });
    await skein.submit(encode, { frames: film.outputs, fps: 25 });
    expect(job(master)?.lines).toEqual([
      `@{"value":{"frames":{"$skein":0},"fps":25},"refs":[{"job":"${film.id}"}]}`,
    ]);
    expect(job(master)?.head.spec["after"]).toEqual([{ job: film.id, mode: "all" }]);
  });

  it("of one task name it", async () => {
    const { master, skein } = await connected();
    const first = await skein.submit(echo, 1);
    await skein.submit(echo, [first.output, first.output]);
    const { refs } = JSON.parse(job(master)?.lines[0]?.slice(1) ?? "");
    expect(refs).toEqual([
      { job: first.id, task: 0 },
      { job: first.id, task: 0 },
    ]);
  });

  it("as the inputs of a map pair each task with the same one there", async () => {
    const { master, skein } = await connected();
    const first = await skein.map(echo, [10, 20]);
    await skein.map(echo, first.outputs);
    expect(job(master)?.lines).toEqual([
      `@{"value":{"$skein":0},"refs":[{"job":"${first.id}","task":0}]}`,
      `@{"value":{"$skein":0},"refs":[{"job":"${first.id}","task":1}]}`,
    ]);
    expect(job(master)?.head.spec["after"]).toEqual([{ job: first.id, mode: "each" }]);
  });

  it("show what they are outside of an input", async () => {
    const { skein } = await connected();
    const handle = await skein.map(echo, [1]);
    expect(JSON.stringify({ log: handle.outputs })).toBe(`{"log":{"job":"${handle.id}"}}`);
  });
});

describe("outcomes", () => {
  it("come as they are recorded, failed ones with their error", async () => {
    const { master, skein } = await connected();
    master.run = (input, task) =>
      task === 1 ? { code: 1, value: '{"name":"Oops","message":"no"}' } : { value: input };
    const handle = await skein.map(echo, ["a", "b", { c: "ü" }]);
    const outcomes = await all(handle.outcomes());
    const common = { attempt: 1, runMs: 1.5 };
    expect(outcomes).toEqual([
      { ...common, task: 0, state: "succeeded", reason: "succeeded", value: "a" },
      {
        ...common,
        task: 1,
        state: "failed",
        reason: "error",
        error: { name: "Oops", message: "no" },
      },
      { ...common, task: 2, state: "succeeded", reason: "succeeded", value: { c: "ü" } },
    ]);
  });

  it("of a job with a failed task make results() throw, with the task's error as the cause", async () => {
    const { master, skein } = await connected();
    master.run = (input, task) =>
      task >= 2 ? { code: 3, value: '{"name":"Slow","message":"10 s"}' } : { value: input };
    const handle = await skein.map(echo, [0, 1, 2, 3]);
    await expect(handle.results()).rejects.toMatchObject({
      code: "task_failed",
      message: `2 of 4 tasks did not succeed; the first: task ${handle.id}/2 failed (run_timeout) in attempt 1: Slow: 10 s`,
      cause: { name: "Slow", message: "10 s" },
    });
  });

  it("fetch stored values", async () => {
    const { master, skein } = await connected();
    const value = Buffer.from('{"big":true}');
    const hash = "ab".repeat(32);
    master.payloads.set(hash, value);
    const stored = encodeStored({ hash, size: value.length, encoding: "json" });
    master.run = () => ({ code: 0x80, value: Buffer.from(stored).toString("hex") });
    const handle = await skein.map(echo, numbers(20));
    expect(await handle.results()).toEqual(numbers(20).map(() => ({ big: true })));
    const first = await handle.outcomes().next();
    expect(first.value).toMatchObject({ value: { big: true } });
  });

  it("are complete when the stream is cut again and again", async () => {
    const { master, skein } = await connected();
    master.blockTasks = 7;
    master.cutAfterRecords = 3;
    const handle = await skein.map(echo, numbers(50));
    expect(await handle.results()).toEqual(numbers(50));
    expect(await all(handle.resultsInOrder())).toEqual(numbers(50));
  });
});

describe("run", () => {
  it("has the result from the response of its submit", async () => {
    const { master, skein } = await connected();
    expect(await skein.run(echo, { a: 1 })).toEqual({ a: 1 });
    expect(master.paths()).toEqual(["POST /v1/jobs?wait=10000"]);
  });

  it("throws the task's error", async () => {
    const { master, skein } = await connected();
    master.run = () => ({ code: 1, value: '{"name":"Oops","message":"no"}' });
    await expect(skein.run(echo, 1)).rejects.toMatchObject({ code: "task_failed" });
  });
});

describe("wait", () => {
  it("ends with the job, or says that the time is over", async () => {
    const { master, skein } = await connected();
    const handle = await skein.submit(echo, 1);
    expect(await handle.wait({ timeout: "1s" })).toMatchObject({ state: "succeeded" });
    const fake = job(master);
    if (fake) fake.open = true;
    await expect(handle.wait({ timeout: 30 })).rejects.toMatchObject({ code: "wait_expired" });
  });
});

describe("connect", () => {
  it("tells a wrong token at once", async () => {
    const { master } = await connected();
    const wrong = connect({ url: master.url, token: "wrong" });
    await expect(wrong).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("reads the token from the data directory", async () => {
    const { master } = await connected();
    const dataDir = await mkdtemp(join(tmpdir(), "skein-test-"));
    await writeFile(join(dataDir, "token"), "secret\n");
    await using skein = await connect({ url: master.url, dataDir });
    expect(await skein.run(echo, 1)).toBe(1);
    await rm(dataDir, { recursive: true });
    const without = connect({ url: master.url, dataDir });
    await expect(without).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("fails at once after close", async () => {
    const { skein } = await connected();
    await skein.close();
    const begin = performance.now();
    await expect(skein.run(echo, 1)).rejects.toMatchObject({ code: "unreachable" });
    expect(performance.now() - begin).toBeLessThan(500);
  });

  it("refuses inside a slot", async () => {
    process.env["SKEIN_SLOT"] = "1";
    try {
      await expect(connect()).rejects.toMatchObject({ code: "inside_task" });
    } finally {
      delete process.env["SKEIN_SLOT"];
    }
  });
});
