import { describe, expect, test } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { commandArguments } from "./command-environment.ts";
import { parseProgress, ProgressScanner, Tail, type ProgressLine } from "./command-output.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { readRows, RowBuffer } from "./rows.ts";
import { errorText } from "./task-errors.ts";

describe("frames", () => {
  test("arrive whole however they are cut", () => {
    const messages = [{ kind: "a", bytes: new Uint8Array(300).fill(7) }, { kind: "b" }, { n: 1 }];
    const bytes = Buffer.concat([
      encodeFrame(messages.slice(0, 2)),
      encodeFrame([]),
      encodeFrame(messages.slice(2)),
    ]);
    for (const size of [1, 3, 7, 64, 5_000]) {
      const reader = new FrameReader();
      const seen: unknown[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        seen.push(...reader.push(bytes.subarray(at, at + size)));
      }
      expect(seen).toEqual(messages);
    }
  });
});

describe("rows", () => {
  test("are read as they were written, and taken only once", () => {
    const rows = new RowBuffer();
    rows.add(1, 0, 12.5, "null");
    rows.add(4_000_000_000, 7, 1e12, JSON.stringify("é€😀".repeat(100)));
    const read = readRows(rows.take()).map((row) => ({
      ...row,
      value: String(Buffer.from(row.value)),
    }));
    expect(read).toEqual([
      { seq: 1, code: 0, micros: 12.5, value: "null" },
      { seq: 4_000_000_000, code: 7, micros: 1e12, value: JSON.stringify("é€😀".repeat(100)) },
    ]);
    expect(rows.take().length).toBe(0);
  });
});

describe("errors", () => {
  test("of any size fit the limit, and keep the end of a tail", () => {
    const long = (text: string) => text.repeat(20_000);
    const cases = [
      { name: "E", message: "m", stack: long("at x\n") },
      { name: "E", message: long("\u0001") },
      { name: long("n"), message: long("é"), stack: long("s") },
      { name: "E", message: "exit code 1", tail: `${long("line\n")}the end` },
    ];
    for (const error of cases) {
      const text = errorText(error);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limits.errorBytesMax);
      expect(JSON.parse(text)).toMatchObject({ cut: true });
    }
    expect(JSON.parse(errorText(cases[3] ?? { name: "", message: "" })).tail).toMatch(/the end$/);
  });
});

describe("the output of a command", () => {
  test("is searched for progress", () => {
    expect(parseProgress("skein_progress: 40")).toEqual({ percent: 40 });
    expect(parseProgress("openjd_progress: 7.5 %")).toEqual({ percent: 7.5 });
    expect(parseProgress("openjd_progress: 7.5%\r")).toEqual({ percent: 7.5 });
    expect(parseProgress("openjd_status: almost there ")).toEqual({ message: "almost there" });
    expect(parseProgress("skein_progress: soon")).toBe(undefined);
    expect(parseProgress("a skein_progress: 40")).toBe(undefined);
  });

  test("is searched for progress across chunks, long lines left out", () => {
    const text = `${"x".repeat(5_000)}skein_progress: 1\nskein_progress: 2\nnoise\nopenjd_progress: 3\n`;
    for (const size of [1, 10, 999, 10_000]) {
      const seen: ProgressLine[] = [];
      const scanner = new ProgressScanner((line) => seen.push(line));
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size));
      expect(seen).toEqual([{ percent: 2 }, { percent: 3 }]);
    }
  });

  test("has a tail that begins with a whole character", () => {
    const tail = new Tail(10);
    for (const part of ["aaaaaaaaaaaaaaa", "é", "éééé", "x"]) tail.push(Buffer.from(part));
    expect(tail.toString()).toBe("ééééx");
  });
});

describe("the arguments of a command", () => {
  test("hold the input as text if it is a JSON string, else as JSON", () => {
    expect(commandArguments(["x", "{}", "--a={}"], '"b c"')).toEqual(["x", "b c", "--a=b c"]);
    expect(commandArguments(["{}{}"], '{"n":1}')).toEqual(['{"n":1}{"n":1}']);
    expect(commandArguments(["{}"], '"not json')).toEqual(['"not json']);
  });
});
