import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../lib/log.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import { FileSpool, type FoundSpool, loadSpool } from "./spool.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-spool-"));
  file = join(folder, "spool.skein");
});
afterEach(() => rm(folder, { recursive: true }));

const nothing: FoundSpool = { journalId: null, reports: [] };
const report = (n: number, size = 10): WorkerReport => ({
  kind: "report",
  n,
  blocks: [{ job: n, bytes: new Uint8Array(size).fill(n) }],
  returned: [{ job: 1, first: n, count: 1, attempt: 1 }],
});
const open = (found = nothing): Promise<FileSpool> =>
  FileSpool.open({ file, incarnation: "aa", journalId: () => "j", found, log: silentLog });
const load = (): Promise<FoundSpool> => loadSpool(file, silentLog);

test("what was appended is found after a restart, numbered anew", async () => {
  const spool = await open();
  spool.append([report(5), report(6)]);
  spool.append([report(7)]);
  await spool.flushed();
  const found = await load();
  expect(found).toEqual({
    journalId: "j",
    reports: [report(5), report(6), report(7)].map((one, i) => ({ ...one, n: i + 1 })),
  });
  await spool[Symbol.asyncDispose]();
});

test("a next incarnation takes over what it found, and adds to it", async () => {
  {
    await using spool = await open();
    spool.append([report(1)]);
  }
  {
    await using spool = await open(await load());
    spool.append([report(2)]);
  }
  expect((await load()).reports.map(({ n, blocks }) => [n, blocks[0]?.job])).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

test("what is recorded is not found again", async () => {
  {
    await using spool = await open();
    spool.append([report(1), report(2)]);
    await spool.flushed();
    spool.recorded(2);
  }
  expect(await load()).toEqual(nothing);
});

test("a long recorded front is cut off, the rest stays", async () => {
  {
    await using spool = await open();
    for (let n = 1; n <= 20; n++) spool.append([report(n, 1024 * 1024)]);
    await spool.flushed();
    spool.recorded(18);
    await spool.flushed();
  }
  expect((await readFile(file)).length).toBeLessThan(3 * 1024 * 1024);
  expect((await load()).reports.map(({ blocks }) => blocks[0]?.job)).toEqual([19, 20]);
});

test("a torn tail is cut, what is before it is found", async () => {
  {
    await using spool = await open();
    spool.append([report(1), report(2)]);
  }
  await truncate(file, (await readFile(file)).length - 3);
  expect((await load()).reports.map(({ blocks }) => blocks[0]?.job)).toEqual([1]);
});

test("a flipped bit ends what is believed", async () => {
  {
    await using spool = await open();
    spool.append([report(1), report(2)]);
  }
  const bytes = await readFile(file);
  bytes[bytes.length - 4] = (bytes.at(-4) ?? 0) ^ 1;
  await writeFile(file, bytes);
  expect((await load()).reports).toHaveLength(1);
});

test("a file that is no spool is set aside, never deleted", async () => {
  await writeFile(file, "what is this?");
  expect(await load()).toEqual(nothing);
  const [aside] = await readdir(folder);
  expect(aside).toMatch(/damaged/);
});

test("no file is no problem", async () => {
  expect(await load()).toEqual(nothing);
});
