import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodePiece } from "../../protocol/log-push.ts";
import { encodeLogRecord, encodeLogTime } from "../../protocol/log-record.ts";
import { silentLog } from "../../lib/log.ts";
import { jobLines } from "./job-lines.ts";
import { merge } from "./kept-logs.ts";
import type { LinesPage, LinesQuery } from "./log-calls.ts";
import { openLogStore } from "./log-store.ts";
import { LogSegments } from "./log-segments.ts";

const job = "0123456789abcdef";
let dir: string;
let segments: LogSegments;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "skein-segments-"));
  segments = new LogSegments(dir, 1 << 18);
});
afterEach(() => {
  segments.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Said {
  readonly task?: number;
  readonly from?: number;
  readonly at?: number;
  readonly flags?: number;
}

const stdout = (text: string) => Buffer.from(encodeLogRecord("stdout", Buffer.from(text)));

function piece(bytes: Uint8Array, { task = 0, from = 0, at = 1_000, flags = 0 }: Said = {}) {
  return encodePiece({ job, task, attempt: 1, from, at, flags, bytes }, crc32);
}

const read = (from = 0, task = 0) => segments.read({ job, task, attempt: 1, from });

const everything: LinesQuery = {
  job,
  after: null,
  since: 0,
  grep: "",
  stream: "both",
  limit: 1_000,
};

function pages(query: LinesQuery): string[] {
  const found: string[] = [];
  for (let after = query.after; ;) {
    const page = jobLines(segments, { ...query, after });
    found.push(...page.lines.map(({ text }) => text));
    if (page.upTo === null) return found;
    after = page.upTo;
  }
}

describe("pieces of a log", () => {
  const [a, b, c] = [stdout("one\n"), stdout("two\n"), stdout("three\n")];
  const whole = Buffer.concat([a, b, c]);

  test("make one log, whatever the order they come in, and how often", () => {
    const at = [0, a.length, a.length + b.length];
    for (const [i, bytes] of [
      [2, c],
      [0, a],
      [2, c],
      [1, b],
      [0, a],
    ] as const) {
      segments.add(piece(bytes, { from: at[i] ?? 0, flags: i === 2 ? 1 : 0 }), 1);
    }
    expect(Buffer.from(read()?.bytes ?? [])).toEqual(whole);
    expect(segments.extent({ job, task: 0, attempt: 1 })).toEqual({
      whole: whole.length,
      end: whole.length,
    });
    expect(Buffer.from(read(a.length + 2)?.bytes ?? [])).toEqual(whole.subarray(a.length + 2));
  });

  test("with a hole between them are read up to it, and from behind it", () => {
    segments.add(piece(a), 1);
    segments.add(piece(c, { from: a.length + b.length }), 1);
    expect(read()).toMatchObject({ offset: 0, end: null });
    expect(read()?.bytes).toHaveLength(a.length);
    expect(read(a.length)).toMatchObject({ offset: a.length + b.length });
    expect(segments.extent({ job, task: 0, attempt: 1 }).whole).toBe(a.length);
    expect(read(whole.length)).toBeNull();
  });

  test("that were cut otherwise the second time are the same log", () => {
    segments.add(piece(a), 1);
    segments.add(piece(b, { from: a.length }), 1);
    segments.add(piece(whole, { flags: 3 }), 1);
    expect(Buffer.from(read()?.bytes ?? [])).toEqual(whole);
    expect(segments.add(piece(whole, { flags: 3 }), 1)).toBe(0);
  });

  test("of which a bit has changed are a hole, and the others are there", () => {
    segments.add(piece(a), 1);
    segments.add(piece(stdout("to be changed\n"), { from: a.length }), 1);
    segments.close();
    const [name = ""] = readdirSync(dir).filter((one) => one.endsWith(".db"));
    const file = join(dir, name);
    const db = new DatabaseSync(file);
    const update = db.prepare("UPDATE pieces SET bytes = ? WHERE start = ?");
    expect(update.run(stdout("to be chAnged\n"), a.length).changes).toBe(1);
    db.close();
    segments = new LogSegments(dir, 1 << 18);
    expect(read()?.bytes).toHaveLength(a.length);
    expect(read(a.length)).toBeNull();
  });

  test("that are no pieces are refused, and nothing of their body is kept", () => {
    const bad = piece(b, { task: 1 });
    bad[bad.length - 1] = 0x7a;
    expect(() => segments.add(Buffer.concat([piece(a), bad]), 1)).toThrow("CRC");
    expect(read()).toBeNull();
  });
});

describe("segments", () => {
  const much = stdout("x".repeat(200_000));

  test("are begun anew when one is full, leave the oldest first, and are found again", () => {
    for (let task = 0; task < 6; task++) segments.add(piece(much, { task }), 1_000 + task);
    const before = segments.all.length;
    expect(before).toBeGreaterThan(2);
    segments.close();
    segments = new LogSegments(dir, 1 << 18);
    expect(segments.all).toHaveLength(before);
    expect(read(0, 5)?.bytes).toHaveLength(much.length);
    const { segments: gone } = segments.prune({ before: 0, bytesMax: segments.bytes - 1 });
    expect(gone).toBe(1);
    expect(read(0, 0)).toBeNull();
    expect(read(0, 5)?.bytes).toHaveLength(much.length);
    segments.prune({ before: 2_000, bytesMax: Infinity });
    expect(read(0, 5)).toBeNull();
    segments.add(piece(much), 3_000);
    expect(read()?.bytes).toHaveLength(much.length);
  });

  test("that are damaged are set aside, and the others are read", () => {
    segments.add(piece(much), 1);
    segments.close();
    writeFileSync(join(dir, "00000002.db"), "no database at all, but long enough ".repeat(500));
    segments = new LogSegments(dir, 1 << 18);
    expect(segments.damaged).toHaveLength(1);
    expect(readdirSync(dir)).toContain("00000002.db.damaged");
    expect(read()?.bytes).toHaveLength(much.length);
  });
});

describe("lines of a job", () => {
  const mark = (at: number) => Buffer.from(encodeLogTime(at));

  test("come by time, in pages, whatever the size of a page", () => {
    for (let task = 0; task < 20; task++) {
      const at = 1_000 + ((task * 7) % 20);
      const bytes = Buffer.concat([mark(at), stdout(`${at} a\n${at} b\n`)]);
      segments.add(piece(bytes, { task, at }), 1);
    }
    const all = pages(everything);
    expect(all).toHaveLength(40);
    expect(all).toEqual(all.toSorted());
    for (const limit of [1, 3, 39]) expect(pages({ ...everything, limit })).toEqual(all);
  });

  test("that begin in one piece and end in another are one line, found by what is in both", () => {
    const [a, b] = [stdout("first\nto be con"), stdout("tinued\nlast\n")];
    segments.add(piece(a), 1);
    segments.add(piece(b, { from: a.length, at: 2_000, flags: 4 }), 1);
    expect(pages(everything)).toEqual(["first", "to be continued", "last"]);
    expect(pages({ ...everything, grep: "be continued" })).toEqual(["to be continued"]);
  });

  test("are those since a time", () => {
    const bytes = Buffer.concat([mark(1_000), stdout("early\n"), mark(5_000), stdout("late\n")]);
    segments.add(piece(bytes), 1);
    expect(pages({ ...everything, since: 5_000 })).toEqual(["late"]);
  });

  test("of bytes that are no text, and of a megabyte, are lines", () => {
    const long = "y".repeat(1_200_000);
    let from = 0;
    for (let at = 0; at < long.length; at += 60_000) {
      const bytes = stdout(long.slice(at, at + 60_000));
      segments.add(piece(bytes, { from, flags: from > 0 ? 4 : 0 }), 1);
      from += bytes.length;
    }
    const binary = Buffer.from(encodeLogRecord("stdout", Buffer.from([0xff, 0x00, 0xfe, 0x0a])));
    segments.add(piece(binary, { task: 1 }), 1);
    const found = pages(everything);
    expect(found[0]?.length).toBeGreaterThanOrEqual(1 << 20);
    expect(found.at(-1)).toBe("\ufffd\u0000\ufffd");
  });

  test("of two masters are there once, and none is passed over", () => {
    const line = (at: number) => ({
      place: [at, 0, 1, 0, 0] as const,
      at,
      stream: "stdout" as const,
      text: String(at),
    });
    const first: LinesPage = { lines: [line(1), line(2), line(5)], upTo: [5, 0, 1, 0, 0] };
    const second: LinesPage = { lines: [line(2), line(3), line(6), line(7)], upTo: null };
    const merged = merge([first, second], 10);
    expect(merged.lines.map(({ at }) => at)).toEqual([1, 2, 3, 5]);
    expect(merged.upTo).toEqual([5, 0, 1, 0, 0]);
    expect(merge([first, second], 2)).toMatchObject({ upTo: [2, 0, 1, 0, 0] });
    expect(merge([second], 10)).toMatchObject({ upTo: null });
  });
});

test("the store answers from its thread, and refuses what is no body", async () => {
  await using store = await openLogStore({ dir: join(dir, "own"), log: silentLog });
  expect(await store.add(piece(stdout("x\n")))).toEqual({ pieces: 1 });
  expect((await store.read({ job, task: 0, attempt: 1, from: 0 }))?.bytes).toHaveLength(7);
  await expect(store.add(Buffer.from("nonsense"))).rejects.toMatchObject({ code: "invalid" });
  expect(store.waitingBytes).toBe(0);
});
