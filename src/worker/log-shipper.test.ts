import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { decodePieces, pieceFlags } from "../protocol/log-push.ts";
import type { LogPiece } from "../protocol/log-push.ts";
import { limits } from "../protocol/limits.ts";
import { LogRecordReader } from "../protocol/log-record.ts";
import type { Pushed } from "./log-push.ts";
import { LogShipper } from "./log-shipper.ts";
import { AttemptLogs } from "./slots/attempt-logs.ts";

const job = "0123456789abcdef";
let dataDir: string;
let logs: AttemptLogs;
let shipper: LogShipper;
let masters: string[];
/** What each master has taken, and how many bodies. */
let taken: Map<string, LogPiece[]>;
let generation = 0;
let bodies: number;
let largest: number;
let answer: (url: string) => Pushed;
const stored: Pushed = { kind: "stored", afterMs: 0 };

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "skein-ship-"));
  masters = ["m1", "m2", "m3"];
  taken = new Map();
  bodies = largest = 0;
  answer = () => stored;
  begin();
});
afterEach(async () => {
  await shipper.close(0);
  await logs.flushed();
  rmSync(dataDir, { recursive: true, force: true });
});

/** The one before has died: it pushes no more. */
function begin(): void {
  const own = ++generation;
  logs = new AttemptLogs({ dataDir, log: silentLog });
  shipper = new LogShipper({
    dataDir,
    workerId: "w1",
    logs,
    clock: systemClock,
    log: silentLog,
    masters: () => (own === generation ? masters : []),
    push: {
      push: async (url, body) => {
        bodies++;
        largest = Math.max(largest, body.length);
        const said = answer(url);
        if (said.kind === "stored") {
          taken.set(url, [...(taken.get(url) ?? []), ...decodePieces(body, crc32)]);
        }
        return said;
      },
    },
  });
}

function print(task: number, text: string): void {
  logs.append(job, task, 1, { stream: "stdout", bytes: Buffer.from(text) });
}

/** What a master can make of it: by position, whatever came twice. */
function has(url: string, task: number): { text: string; ends: boolean } {
  const pieces = (taken.get(url) ?? []).filter((piece) => piece.task === task);
  const reader = new LogRecordReader();
  let text = "";
  let to = 0;
  for (const { from, bytes } of pieces.toSorted((a, b) => a.from - b.from)) {
    if (from > to) break;
    for (const record of reader.push(bytes.subarray(to - from))) {
      text += Buffer.from(record.bytes).toString();
    }
    to = Math.max(to, from + bytes.length);
  }
  return { text, ends: pieces.some(({ flags }) => (flags & pieceFlags.ends) !== 0) };
}

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 20 }).toBe(true);
}

const holders = (task: number, text: string) =>
  ["m1", "m2", "m3"].filter((url) => has(url, task).text === text);

describe("what tasks print", () => {
  test("comes to the leader and one standby, with its end", async () => {
    print(1, "one\n");
    print(1, "two\n");
    logs.ended(job, 1, 1);
    await until(() => has("m1", 1).ends && has("m1", 1).text === "one\ntwo\n");
    expect(holders(1, "one\ntwo\n")).toHaveLength(2);
  });

  test("goes on where it was when more comes", async () => {
    print(1, "one\n");
    await until(() => has("m1", 1).text === "one\n");
    print(1, "two\n");
    await until(() => has("m1", 1).text === "one\ntwo\n");
    logs.ended(job, 1, 1);
    await until(() => has("m1", 1).ends);
  });

  test("by ten thousand tasks, a line each, makes a few bodies", async () => {
    const count = 10_000;
    for (let task = 0; task < count; task++) {
      print(task, "here\n");
      logs.ended(job, task, 1);
    }
    await until(() => new Set(taken.get("m1")?.map(({ task }) => task)).size === count);
    expect(bodies).toBeLessThan(200);
    expect(largest).toBeLessThanOrEqual(limits.logPushBytesMax);
  }, 60_000);

  test("by attempts that print nothing costs nothing", async () => {
    for (let task = 0; task < 1_000; task++) logs.ended(job, task, 1);
    print(1_000, "x\n");
    await until(() => has("m1", 1_000).text === "x\n");
    expect(bodies).toBe(2);
  });

  test("goes to another master when one does not answer", async () => {
    answer = (url) => (url === "m1" ? { kind: "later", afterMs: 0 } : stored);
    print(1, "x\n");
    await until(() => holders(1, "x\n").join() === "m2,m3");
  });

  test("waits while no master takes it, and then comes, all of it", async () => {
    answer = () => ({ kind: "later", afterMs: 0 });
    print(1, "one\n");
    await until(() => bodies > 3);
    print(1, "two\n");
    answer = () => stored;
    await until(() => has("m1", 1).text === "one\ntwo\n");
  });

  test("in great amounts comes from the disk, not from memory", async () => {
    answer = () => ({ kind: "later", afterMs: 0 });
    const line = `${"x".repeat(1_000_000)}\n`;
    for (let i = 0; i < 12; i++) print(1, line);
    print(2, "small\n");
    await logs.flushed();
    await until(() => bodies > 0);
    answer = () => stored;
    await until(() => has("m1", 2).text === "small\n");
    await until(() => has("m1", 1).text === line.repeat(12));
    expect(largest).toBeLessThanOrEqual(limits.logPushBytesMax);
  }, 60_000);

  test("that a master will never take is given up, and the rest comes", async () => {
    answer = () => ({ kind: "refused", message: "no" });
    print(1, "bad\n");
    await until(() => bodies >= 2);
    answer = () => stored;
    print(2, "good\n");
    await until(() => has("m1", 2).text === "good\n");
  });

  test("and was not pushed is pushed by the next worker here, and only that", async () => {
    print(1, "before\n");
    await until(() => has("m1", 1).text === "before\n");
    masters = [];
    print(2, "late\n");
    logs.ended(job, 2, 1);
    await logs.flushed();
    taken.clear();
    masters = ["m1"];
    begin();
    await shipper.start();
    await until(() => has("m1", 2).text === "late\n" && has("m1", 2).ends);
    expect(taken.get("m1")?.every(({ flags }) => (flags & pieceFlags.again) !== 0)).toBe(true);
  });

  test("last is pushed before a worker ends", async () => {
    print(1, "last words\n");
    logs.ended(job, 1, 1);
    await logs.flushed();
    await shipper.close(5_000);
    expect(has("m1", 1)).toEqual({ text: "last words\n", ends: true });
    expect(readdirSync(dataDir)).toContain("logs-pushed");
  });
});
