import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SkeinError } from "../protocol/errors.ts";
import { describeError, exitCodeOf } from "./errors.ts";
import { fakeIo } from "./fakes.fixture.ts";
import { bytes, count, duration, shortId } from "./format.ts";
import { glob } from "./glob.ts";
import { readInputs } from "./inputs.ts";
import { bar, table } from "./render.ts";
import { styleFor } from "./style.ts";

const plain = styleFor(fakeIo().stdout, {}, { noColor: true, ascii: false });
const ascii = styleFor(fakeIo().stdout, {}, { noColor: true, ascii: true });

test("times, sizes and counts read as people write them", () => {
  const times = [0, 4.4, 400, 9_940, 12_000, 59_600, 130_000, 11_100_000, 187_200_000];
  expect(times.map(duration)).toEqual([
    "0 ms",
    "4 ms",
    "0.4 s",
    "9.9 s",
    "12 s",
    "1m 0s",
    "2m 10s",
    "3h 5m",
    "2d 4h",
  ]);
  expect([0, 1_000, 1_536, 12 * 2 ** 30].map(bytes)).toEqual([
    "0 B",
    "1000 B",
    "1.5 KiB",
    "12 GiB",
  ]);
  expect([0, 999, 1_000, 1_234_567].map(count)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect(shortId("4f2a91c0d1e2f3a4")).toBe("4f2a91c0");
});

test("a table cuts what may be cut, and only as much as it must", () => {
  const columns = [
    { title: "ID", cell: (row: readonly string[]) => row[0] ?? "" },
    { title: "TEXT", cell: (row: readonly string[]) => row[1] ?? "", shrinks: true },
  ];
  const rows = [["1", "a text that is too long for this"]];
  expect(table(columns, rows, { style: plain, width: 20 })).toBe(
    "ID  TEXT\n1   a text that is …\n",
  );
  expect(table(columns, rows, { style: ascii, width: 20 })).toContain("...");
  expect(table(columns, rows, { style: plain, width: undefined })).toContain("too long for this");
});

test("a bar has a plain form", () => {
  expect(bar(0.25, 8, plain)).toBe("██░░░░░░");
  expect(bar(2, 4, ascii)).toBe("####");
});

test("a locale without UTF-8 gets plain characters", () => {
  const flags = { noColor: true, ascii: false };
  const symbol = (env: Record<string, string>) => styleFor(fakeIo().stdout, env, flags).symbols.ok;
  expect(symbol({})).toBe("✔");
  expect(symbol({ LANG: "C" })).toBe("ok");
  expect(symbol({ LANG: "C", LC_ALL: "C.UTF-8" })).toBe("✔");
  expect(symbol({ LANG: "de_DE.utf8" })).toBe("✔");
});

test("an error of ours and one that is a bug differ in text and exit code", () => {
  const ours = new SkeinError("bad_input", "Input 3 was refused at /size: too big", {
    fields: [
      { pointer: "/size", detail: "too big" },
      { pointer: "/name", detail: "missing" },
    ],
  });
  expect(exitCodeOf(ours)).toBe(2);
  expect(describeError(ours, plain, false)).toMatchInlineSnapshot(`
    "error: An input was refused by the task's schema
      why  Input 3 was refused at /size: too big
           /name  missing
      fix  Correct the input.
    "
  `);
  const bug = new TypeError("x is not a function");
  expect(exitCodeOf(bug)).toBe(70);
  expect(describeError(bug, plain, false)).toMatchInlineSnapshot(`
    "error: An error inside the CLI
      why  TypeError: x is not a function
      fix  Run it again with --debug and report what it prints.
    "
  `);
  expect(describeError(bug, plain, true)).toContain("text.test.ts");
});

describe("inputs", () => {
  let cwd = "";
  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), "skein-inputs-"));
    await mkdir(join(cwd, "photos", "more"), { recursive: true });
    for (const file of ["photos/a.jpg", "photos/b.jpg", "photos/.c.jpg", "photos/more/d.png"]) {
      await writeFile(join(cwd, file), "");
    }
    await writeFile(join(cwd, "in.ndjson"), '1\n\n{"a":2}\r\n"three"');
    await writeFile(join(cwd, "bad.ndjson"), "1\noops\n");
  });
  afterAll(() => rm(cwd, { recursive: true, force: true }));

  async function all(words: readonly string[], more: { text?: boolean; stdin?: string } = {}) {
    const { stdin } = fakeIo({ stdin: more.stdin ?? "" });
    const { items, size } = await readInputs(words, { stdin, cwd, text: more.text ?? false });
    const list: unknown[] = [];
    for await (const item of items) list.push(item);
    return { list, size };
  }

  test("are ranges, up, down and in steps", async () => {
    expect(await all(["1..4"])).toEqual({ list: [1, 2, 3, 4], size: 4 });
    expect(await all(["3..-3..3"])).toEqual({ list: [3, 0, -3], size: 3 });
    expect(await all(["0..1", "7..7"])).toEqual({ list: [0, 1, 7], size: 3 });
    await expect(all(["1..99999999999"])).rejects.toThrow("more than");
  });

  test("are lines of JSON, of a file or of stdin", async () => {
    expect(await all(["in.ndjson"])).toEqual({ list: [1, { a: 2 }, "three"], size: undefined });
    expect((await all(["-"], { stdin: "[1]\n2\n" })).list).toEqual([[1], 2]);
    expect((await all(["-"], { stdin: "a b\nc\n", text: true })).list).toEqual(["a b", "c"]);
    await expect(all(["bad.ndjson"])).rejects.toThrow("Line 2 of bad.ndjson");
  });

  test("are paths that fit a pattern, or of one file", async () => {
    const at = (...names: string[]) => names.map((name) => join(cwd, "photos", name));
    expect((await all(["photos/*.jpg"])).list).toEqual(at("a.jpg", "b.jpg"));
    expect((await all(["photos/a.jpg"])).list).toEqual(at("a.jpg"));
    await expect(all(["photos/*.gif"])).rejects.toThrow("no file fits");
    await expect(all(["nothing"])).rejects.toThrow("no file");
  });

  test("patterns know **, ?, [ ] and { }", async () => {
    const names = async (pattern: string) =>
      (await glob(pattern, cwd)).map((path) => path.slice(cwd.length + 1));
    expect(await names("**/*.{png,jpg}")).toEqual([
      "photos/a.jpg",
      "photos/b.jpg",
      "photos/more/d.png",
    ]);
    expect(await names("photos/[!a].jpg")).toEqual(["photos/b.jpg"]);
    expect(await names("photos/?.jpg")).toEqual(["photos/a.jpg", "photos/b.jpg"]);
    expect(await names("photos/.*.jpg")).toEqual(["photos/.c.jpg"]);
    expect(await names("photos/*")).toEqual(["photos/a.jpg", "photos/b.jpg"]);
  });
});
