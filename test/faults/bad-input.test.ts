// What people hand in and cannot be: every case says what is wrong, why, and what to do, with the exit code
// of its kind; the job that was begun for it is cancelled, and nothing hangs (P6).

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Skein } from "skein";
import { limits } from "../../src/protocol/limits.ts";
import { ProcessCluster } from "../processes/process-cluster.ts";
import { cyclic, echo, endless, long, square } from "./fault-tasks.ts";
import { skein as run } from "./tools.ts";

let cluster: ProcessCluster;
let skein: Skein;
let folder: string;
beforeAll(async () => {
  cluster = await ProcessCluster.start({ workers: 1, cpus: 2 });
  skein = await cluster.connect();
  folder = mkdtempSync(join(tmpdir(), "skein-bad-"));
});
afterAll(async () => {
  await skein.close();
  await cluster[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const define = `import { defineTask, connect } from "${new URL("../../dist/sdk/index.js", import.meta.url).pathname}";\n`;
const task = `export const t = defineTask({ name: "t", run: (n) => n });\n`;

test.each([
  ["does not parse", "export const t = (;", "bad.ts:2:"],
  [
    "imports what is not there",
    `import "./nowhere.ts"; ${task}`,
    'Could not resolve "./nowhere.ts"',
  ],
  ["throws when it is loaded", `throw new Error("too early"); ${task}`, "too early"],
  ["connects at its top level", `${task} await connect();`, "inside a function or behind"],
  ["exports no task", "export const n = 1;", "exports no task; it exports n"],
  [
    "exports two",
    `${task} export const u = defineTask({ name: "u", run: () => 1 });`,
    "Say which one",
  ],
])("map: a module that %s", async (name, text, words) => {
  const file = join(folder, "bad.ts");
  writeFileSync(file, define + text);
  const { child, stdout, stderr } = await run(cluster, "map", file, "--input", "1..2");
  expect(stderr, name).toContain(words);
  expect(stderr).toMatch(/fix {2}\S/);
  expect(stderr).not.toContain("inside the CLI");
  expect([child.exitCode, stdout]).toEqual([2, ""]);
});

test("map: no such file, no such task, no such input", async () => {
  const file = join(folder, "good.ts");
  writeFileSync(file, define + task);
  const cases = [
    [`${file}x`, "1..2", "There is no file"],
    [`${file}#other`, "1..2", "It exports t"],
    [file, "a..b", "no range"],
    [file, join(folder, "none*.png"), "no file fits"],
  ];
  for (const [module = "", input = "", words] of cases) {
    const { child, stderr } = await run(cluster, "map", module, "--input", input);
    expect(stderr).toContain(words);
    expect(child.exitCode).toBe(2);
  }
});

test("a module that throws on the worker only fails its tasks, with the reason", async () => {
  const file = join(folder, "there.ts");
  const here = "if (process.cwd().includes('/slots/')) throw new Error('not on this machine');\n";
  writeFileSync(file, define + here + task);
  const { child, stderr } = await run(cluster, "map", file, "--input", "1..2");
  expect(stderr).toContain("not on this machine");
  expect(child.exitCode).toBe(1);
});

test("inputs that cannot be serialised are named, and their job is cancelled", async () => {
  const self: unknown[] = [];
  self.push(self);
  const lost = [Number.NaN, new Map([[1, 2]])];
  for (const bad of [self, () => 1, 10n, undefined, Symbol("s"), ...lost]) {
    const mapped = skein.map(echo, [1, bad]);
    await expect(mapped).rejects.toMatchObject({ code: "bad_input" });
    await expect(mapped).rejects.toThrow(/Input 1 cannot be serialised/);
  }
  // Long enough to be begun before the last one is seen.
  const many = function* () {
    for (let i = 0; i < 200_000; i++) yield i;
    yield self;
  };
  await expect(skein.map(echo, many())).rejects.toThrow(/Input 200000 cannot/);
  expect(await lastJobEnded()).toMatchObject({ task: "echo", state: "cancelled" });
});

test("a need that does not exist is refused, not forgotten: the task would run anywhere", async () => {
  for (const needs of [{ required: { rack: "b" } }, { labels: { rack: "b" } }, { cpus: 4 }]) {
    // What types forbid, a program that was never checked may say.
    const submitted = skein.submit(square, 1, { needs: needs as object });
    await expect(submitted).rejects.toMatchObject({ code: "invalid", kind: { exit: 2 } });
    await expect(submitted).rejects.toThrow(/There is no needs\.\S+\./);
  }
});

test("an iterable that throws cancels the job it was feeding", async () => {
  const broken = async function* () {
    for (let i = 0; i < 100_000; i++) yield i;
    throw new Error("the disk was pulled");
  };
  await expect(skein.map(square, broken())).rejects.toThrow("the disk was pulled");
  expect(await lastJobEnded()).toMatchObject({ task: "square", state: "cancelled" });
});

test("a result that cannot be serialised fails its task, with the reason", async () => {
  const job = await skein.map(cyclic, [null]);
  await expect(job.results()).rejects.toThrow(/bad_result.*Return plain values/s);
});

test("a result of many megabytes arrives whole", async () => {
  const length = 20_000_000;
  expect(await skein.run(long, length)).toHaveLength(length);
});

test("a bundle that is too large is refused before it travels", async () => {
  const file = join(folder, "large.ts");
  const filler = "x".repeat(limits.bundleBytesMax);
  writeFileSync(
    file,
    `${define}const filler = "${filler}";\n${task}export const f = () => filler;`,
  );
  const { child, stderr } = await run(cluster, "map", file, "--input", "1..2");
  expect(stderr).toMatch(/too large/i);
  expect(child.exitCode).toBe(9);
});

test("the same key and body is the same job; another body is 409, and its job is not made", async () => {
  const first = await skein.map(square, [1, 2], { key: "once" });
  expect((await skein.map(square, [1, 2], { key: "once" })).id).toBe(first.id);
  const total = (await skein.client.jobs()).total;
  await expect(skein.map(square, [1, 3], { key: "once" })).rejects.toMatchObject({
    code: "key_reused",
    kind: { status: 409, exit: 5 },
  });
  expect((await skein.client.jobs()).total).toBe(total);
  expect(await first.results()).toEqual([1, 4]);
});

test("a job of no tasks has ended well", async () => {
  const job = await skein.map(square, []);
  expect(await job.results()).toEqual([]);
  expect((await job.view()).state).toBe("succeeded");
});

test("a job of 1,000,000 tasks: every result in its place, and lists say that they show a part", async () => {
  const count = 1_000_000;
  const job = await skein.map(square, range(count));
  const results = await job.results();
  expect(results).toHaveLength(count);
  expect(results.findIndex((value, i) => value !== i * i)).toBe(-1);
  const { stderr } = await run(cluster, "task", "list", job.id);
  expect(stderr).toContain("50 of 1,000,000 tasks are shown");
});

/** The job that was submitted last; it may still be letting go of what ran. */
async function lastJobEnded() {
  const { items } = await skein.client.jobs({ limit: 1 });
  return skein.job(items[0]?.id ?? "").wait({ timeout: "20s" });
}

function* range(count: number) {
  for (let i = 0; i < count; i++) yield i;
}

test("a signal that is aborted cancels the job, also while its inputs are on their way", async () => {
  const stop = new AbortController();
  const job = await skein.map(endless, [null], { signal: stop.signal });
  stop.abort();
  await job.wait({ timeout: "20s" });
  expect((await job.view()).state).toBe("cancelled");
  const feed = async function* () {
    for (let i = 0; ; i++) {
      yield i;
      if (i === 100_000) later.abort(new Error("changed my mind"));
    }
  };
  const later = new AbortController();
  await expect(skein.map(square, feed(), { signal: later.signal })).rejects.toThrow();
  expect(await lastJobEnded()).toMatchObject({ task: "square", state: "cancelled" });
});
