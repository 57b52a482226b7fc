import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
} from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock, type Clock } from "../../lib/clock.ts";
import { HistoryGone, openHistory, type History, type HistoryOptions } from "./history.ts";

let dir = "";
const opened: History[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "skein-history-"));
});
afterEach(async () => {
  for (const history of opened.splice(0)) await history[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const keepAll = { ms: 1e15, bytes: 1e15 };

async function open(more: Partial<HistoryOptions> = {}): Promise<History> {
  const history = await openHistory({ dir, journalId: "j1", retain: keepAll, ...more });
  opened.push(history);
  return history;
}

const batch = (index: number) => Buffer.from(`batch ${index} ${"x".repeat(index % 50)}`);

function addAll(history: History, from: number, to: number): void {
  for (let index = from; index <= to; index++) history.add(index, 1_000 + index, batch(index));
}

async function indexes(history: History, from: number, to?: number): Promise<number[]> {
  const seen: number[] = [];
  for await (const { index, wall, bytes } of history.read(from, to)) {
    expect(Buffer.compare(bytes, batch(index))).toBe(0);
    expect(wall).toBe(1_000 + index);
    seen.push(index);
  }
  return seen;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("what was added is read at once, from any point, and after it was opened again", async () => {
  const history = await open({ segmentBytes: 500 });
  addAll(history, 1, 200);
  addAll(history, 100, 150);
  expect(await indexes(history, 1)).toEqual(range(1, 200));
  await history.flush();
  expect(history.durable).toBe(200);
  expect(await indexes(history, 57, 140)).toEqual(range(57, 140));
  expect(await indexes(history, 201)).toEqual([]);
  await history[Symbol.asyncDispose]();
  expect(readdirSync(dir).filter((name) => name.endsWith(".gz")).length).toBeGreaterThan(0);
  const again = await open({ segmentBytes: 500 });
  expect(again.added).toBe(200);
  addAll(again, 150, 230);
  expect(await indexes(again, 1)).toEqual(range(1, 230));
  expect(again.oldest()).toEqual({ index: 1, wall: 1_001 });
  expect(again.lacks()).toEqual([]);
});

test("however a crash cuts the last file, whole batches stay and adding goes on (H3)", async () => {
  const history = await open();
  addAll(history, 1, 30);
  await history[Symbol.asyncDispose]();
  const file = join(dir, readdirSync(dir).find((name) => name.endsWith(".plain")) ?? "");
  const whole = readFileSync(file);
  for (let length = whole.length - 1; length >= 0; length -= 37) {
    writeFileSync(file, whole);
    truncateSync(file, length);
    const again = await open();
    const kept = again.added;
    expect(kept).toBeLessThan(30);
    if (kept > 0) expect(await indexes(again, 1)).toEqual(range(1, kept));
    addAll(again, kept + 1, 40);
    expect(await indexes(again, 1)).toEqual(range(1, 40));
    await again[Symbol.asyncDispose]();
    for (const name of readdirSync(dir)) if (name !== "history.json") rmSync(join(dir, name));
  }
});

test("noise after the last batch is cut, and a half sealed segment is not lost (H4)", async () => {
  const history = await open();
  addAll(history, 1, 10);
  await history[Symbol.asyncDispose]();
  const plain = join(dir, "0000000000000001.plain");
  appendFileSync(plain, Buffer.alloc(100, 7));
  writeFileSync(join(dir, "0000000000000001-0000000000000010-1-2.gz.unfinished"), "half");
  const again = await open();
  expect(await indexes(again, 1)).toEqual(range(1, 10));
  expect(readdirSync(dir).sort()).toEqual(["0000000000000001.plain", "history.json"]);
});

test("a plain file whose sealed copy is complete is not counted twice (H4)", async () => {
  const history = await open({ segmentBytes: 100 });
  addAll(history, 1, 5);
  await history.flush();
  const plain = readFileSync(join(dir, "0000000000000001.plain"));
  addAll(history, 6, 6);
  await history[Symbol.asyncDispose]();
  writeFileSync(join(dir, "0000000000000001.plain"), plain);
  const again = await open();
  expect(await indexes(again, 1)).toEqual(range(1, 6));
  expect(readdirSync(dir)).not.toContain("0000000000000001.plain");
});

test("batches that never came are named; a read that needs them says what is kept", async () => {
  const history = await open();
  addAll(history, 11, 20);
  addAll(history, 31, 40);
  await history.flush();
  expect(history.lacks()).toEqual([{ first: 21, last: 30 }]);
  expect(await indexes(history, 31)).toEqual(range(31, 40));
  await expect(indexes(history, 1)).rejects.toBeInstanceOf(HistoryGone);
  await expect(indexes(history, 15)).rejects.toThrow("Index 21");
  await expect(indexes(history, 5)).rejects.toMatchObject({
    code: "not_found",
    oldest: { index: 11, wall: 1_011 },
    message: expect.stringContaining("the oldest kept is index 11"),
  });
  await history[Symbol.asyncDispose]();
  expect((await open()).lacks()).toEqual([{ first: 21, last: 30 }]);
});

test("a moment is found in what is sealed, in what grows, and in what waits", async () => {
  const history = await open({ segmentBytes: 300 });
  addAll(history, 1, 40);
  await history.flush();
  addAll(history, 41, 60);
  for (const index of [1, 2, 17, 39, 40, 41, 60]) {
    expect(await history.at(1_000 + index)).toBe(index);
    expect(await history.at(1_000.9 + index)).toBe(index);
  }
  expect(await history.at(9e9)).toBe(60);
  await expect(history.at(1_000)).rejects.toMatchObject({ oldest: { index: 1 } });
});

test("pruning removes the oldest sealed segments by age and by bytes", async () => {
  let wall = 0;
  const clock: Clock = { ...systemClock, wall: () => wall };
  const history = await open({ segmentBytes: 300, retain: { ms: 50, bytes: 1e9 }, clock });
  for (let index = 1; index <= 100; index += 5) {
    addAll(history, index, index + 4);
    await history.flush();
  }
  wall = 1_000 + 90;
  await history.prune();
  const first = history.oldest()?.index ?? 0;
  expect(first).toBeGreaterThan(20);
  expect(first).toBeLessThanOrEqual(40);
  expect(await indexes(history, first)).toEqual(range(first, 100));
  await expect(indexes(history, first - 1)).rejects.toBeInstanceOf(HistoryGone);
  await history[Symbol.asyncDispose]();
  const small = await open({ retain: { ms: 1e9, bytes: 300 }, clock });
  expect(small.oldest()?.index).toBeGreaterThan(first);
  expect(await indexes(small, 100)).toEqual([100]);
});

test("a read goes on while its segments are sealed and others are added", async () => {
  const history = await open({ segmentBytes: 200 });
  addAll(history, 1, 50);
  const seen: number[] = [];
  for await (const { index } of history.read(1, 50)) {
    seen.push(index);
    addAll(history, history.added + 1, history.added + 5);
    if (index % 10 === 0) await history.flush();
  }
  expect(seen).toEqual(range(1, 50));
});

test("a history of another journal is refused", async () => {
  await (await open())[Symbol.asyncDispose]();
  const other = openHistory({ dir, journalId: "j2", retain: keepAll });
  await expect(other).rejects.toMatchObject({ trouble: "foreign" });
});

test("a damaged segment is said to be, and the others stay readable", async () => {
  const history = await open({ segmentBytes: 1 });
  for (let index = 1; index <= 3; index++) {
    addAll(history, index, index);
    await history.flush();
  }
  await history[Symbol.asyncDispose]();
  const name = readdirSync(dir).find((each) => each.startsWith("0000000000000001-")) ?? "";
  const bytes = readFileSync(join(dir, name));
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  writeFileSync(join(dir, name), bytes);
  const again = await open();
  await expect(indexes(again, 1)).rejects.toMatchObject({ trouble: "corrupt" });
  expect(await indexes(again, 2)).toEqual([2, 3]);
});

test("while the disk refuses, reads go on, memory is bounded, and gaps are named", async () => {
  const history = await open({ queueBytesMax: 5_000 });
  addAll(history, 1, 10);
  await history.flush();
  // The folder is gone: nothing new can be begun, and the open file is closed by the failure below.
  await history[Symbol.asyncDispose]();
  const again = await open({ queueBytesMax: 5_000 });
  rmSync(dir, { recursive: true });
  addAll(again, 11, 20);
  await expect(again.flush()).rejects.toMatchObject({ trouble: "failed" });
  expect(await indexes(again, 11)).toEqual(range(11, 20));
  addAll(again, 21, 500);
  expect(again.queuedBytes).toBeLessThanOrEqual(5_100);
  const lost = again.lacks();
  expect(lost.at(-1)?.last ?? 0).toBeGreaterThan(20);
});

test("any cut of adding, reopening and reading gives every batch once, in order", async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 30 }) }) },
    { weight: 1, arbitrary: fc.constant({ reopen: true }) },
    { weight: 2, arbitrary: fc.constant({ flush: true }) },
    { weight: 2, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 60 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: "max" }), async (steps) => {
      dir = mkdtempSync(join(tmpdir(), "skein-history-"));
      let history = await open({ segmentBytes: 400 });
      for (const each of steps) {
        if ("add" in each) addAll(history, history.added + 1, history.added + each.add);
        if ("flush" in each) await history.flush();
        if ("reopen" in each) {
          const { added } = history;
          await history[Symbol.asyncDispose]();
          history = await open({ segmentBytes: 400 });
          expect(history.added).toBe(added);
        }
        if ("read" in each && each.read <= history.added) {
          expect(await indexes(history, each.read)).toEqual(range(each.read, history.added));
        }
      }
      expect(history.added === 0 ? [] : await indexes(history, 1)).toEqual(range(1, history.added));
      expect(history.lacks()).toEqual([]);
      await history[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    }),
    { numRuns: 40 },
  );
});
