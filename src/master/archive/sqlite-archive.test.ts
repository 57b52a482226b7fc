// What only the archive on a disk can meet: full and damaged disks, killed processes, foreign
// files.

import { DatabaseSync } from "@photostructure/sqlite";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync } from "node:fs";
import { statSync, writeFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseFilter } from "../../protocol/filter.ts";
import { layouts } from "./archive-layouts.ts";
import type { Archive, ArchiveEvent } from "./archive.ts";
import { jobEvent, outcome, outcomesEvent } from "./conformance.ts";
import { openArchive } from "./sqlite-archive.ts";
import type { StoreTrouble } from "./trouble.ts";

const newest = { limit: 1, order: "newest", terms: [] } as const;

let dir = "";
let path = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "skein-archive-"));
  path = join(dir, "archive.db");
});
const opened: Archive[] = [];
afterEach(async () => {
  for (const archive of opened.splice(0)) await archive[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const journalId = "j1";

async function open(pagesMax?: number): Promise<Archive> {
  const options = { path, journalId, ...(pagesMax === undefined ? {} : { pagesMax }) };
  const archive = await openArchive(options);
  opened.push(archive);
  return archive;
}

/** A job whose line of input does not compress into anything. */
function bulk(number: number, length: number): ArchiveEvent[] {
  const bytes = new Uint8Array(length).fill(97);
  bytes[length - 1] = 10;
  return [jobEvent(number), { kind: "inputs", job: number, first: 0, count: 1, bytes }];
}

function troubleOf(archive: Archive): Promise<StoreTrouble | undefined> {
  return new Promise((resolve) => {
    archive.onTrouble(resolve);
  });
}

test("an archive of another journal is refused and left as it is", async () => {
  await (await openArchive({ path, journalId }))[Symbol.asyncDispose]();
  await expect(openArchive({ path, journalId: "j2" })).rejects.toMatchObject({
    trouble: "foreign",
    message: expect.stringContaining("j1"),
  });
  await (await openArchive({ path, journalId }))[Symbol.asyncDispose]();
});

test("a database of somebody else, or no database at all, is refused", async () => {
  const db = new DatabaseSync(path);
  db.exec("CREATE TABLE recipes (name TEXT)");
  db.close();
  await expect(openArchive({ path, journalId })).rejects.toMatchObject({ trouble: "foreign" });
  writeFileSync(path, "a page of text ".repeat(10_000));
  await expect(openArchive({ path, journalId })).rejects.toMatchObject({ trouble: "corrupt" });
});

test("a second master on the same file is told so", async () => {
  const first = await open();
  first.add(1, 5, [jobEvent(1)]);
  await expect(openArchive({ path, journalId })).rejects.toMatchObject({ trouble: "in_use" });
  expect(await first.job(1)).toHaveLength(1);
});

test("damage inside the file is a trouble that says what to do, not a wrong answer", async () => {
  const archive = await open();
  for (let number = 1; number <= 200; number++) archive.add(number, 5, bulk(number, 5_000));
  await archive[Symbol.asyncDispose]();
  const file = openSync(path, "r+");
  const noise = Buffer.alloc(16_384, 0xa5);
  for (let at = 16_384; at < statSync(path).size; at += noise.length) {
    writeSync(file, noise, 0, noise.length, at);
  }
  closeSync(file);
  const ask = async () => {
    const again = await open();
    for (let number = 1; number <= 200; number++) await again.inputs(number, 0, 1);
  };
  await expect(ask()).rejects.toMatchObject({
    trouble: "corrupt",
    code: "data_unusable",
    hint: expect.stringContaining("move the file away"),
  });
});

test("a full disk stops the watermark, refuses reads, and loses nothing (T1)", async () => {
  const archive = await open(60);
  const full = troubleOf(archive);
  const batches = 40;
  for (let index = 1; index <= batches; index++) archive.add(index, 5, bulk(index, 50_000));
  expect((await full)?.trouble).toBe("full");
  expect(archive.trouble?.code).toBe("journal_full");
  expect(archive.watermark).toBeLessThan(batches);
  expect(archive.queuedBytes).toBeGreaterThan(0);
  await expect(archive.job(1)).rejects.toMatchObject({ code: "journal_full" });
  await expect(archive.flush()).rejects.toMatchObject({ code: "journal_full" });
  await archive[Symbol.asyncDispose]();

  const again = await open();
  expect(again.added).toBeLessThan(batches);
  for (let index = 1; index <= batches; index++) again.add(index, 5, bulk(index, 50_000));
  expect((await again.jobs(newest)).total).toBe(batches);
});

test("once a full disk has space again it goes on", async ({ skip }) => {
  const at = tinyDisk();
  if (at === undefined) return skip("only root on Linux can make a small file system");
  try {
    const ballast = join(at, "ballast");
    path = join(at, "archive.db");
    const archive = await open();
    const { bavail, bsize } = statfsSync(at);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - 400_000));
    const full = troubleOf(archive);
    for (let index = 1; index <= 50; index++) archive.add(index, 5, bulk(index, 50_000));
    expect((await full)?.trouble).toBe("full");
    const over = troubleOf(archive);
    rmSync(ballast);
    expect(await over).toBeUndefined();
    expect(archive.trouble).toBeUndefined();
    await archive.flush();
    expect(archive.watermark).toBe(50);
    expect(archive.queuedBytes).toBe(0);
    expect((await archive.inputs(50, 0, 1)).bytes).toHaveLength(50_000);
  } finally {
    for (const archive of opened.splice(0)) await archive[Symbol.asyncDispose]();
    execFileSync("umount", [at]);
    rmSync(at, { recursive: true, force: true });
  }
});

test("a killed process leaves all up to its watermark, and whole batches only (R2)", async () => {
  const here = dirname(fileURLToPath(import.meta.url));
  const url = (file: string) => JSON.stringify(pathToFileURL(join(here, file)).href);
  const script = join(dir, "child.mts");
  writeFileSync(
    script,
    `import { openArchive } from ${url("sqlite-archive.ts")};
     import { jobEvent, outcome, outcomesEvent } from ${url("conformance.ts")};
     const archive = await openArchive({ path: ${JSON.stringify(path)}, journalId: "j1" });
     archive.onWatermark((watermark) => process.stdout.write(watermark + "\\n"));
     for (let index = archive.added + 1; ; index++) {
       archive.add(index, 5, [
         jobEvent(index),
         outcomesEvent(index, 0, [outcome(0)]),
         outcomesEvent(index, 1, [outcome(1)]),
       ]);
       if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
     }`,
  );
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  let said = 0;
  for (let round = 0; round < 2; round++) {
    const child = spawn(process.execPath, ["--import", tsx, script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      said = Number(line);
      if (++lines === 3) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    const archive = await open();
    expect(archive.watermark).toBeGreaterThanOrEqual(said);
    expect((await archive.jobs(newest)).total).toBe(archive.added);
    for (const job of [1, said, archive.added]) {
      expect((await archive.results(job, { from: 0, count: 2 })).missing).toEqual([]);
    }
    expect(await archive.job(archive.added + 1)).toEqual([]);
    await archive[Symbol.asyncDispose]();
  }
});

test("a job created before the archive began is known once it has ended (A6)", async () => {
  const archive = await open();
  archive.skipTo(100);
  const json = JSON.stringify({
    id: "abcdef0000000007",
    queue: "film",
    labels: { shot: "1" },
    task: "cut",
    created: new Date(5_000).toISOString(),
  });
  archive.add(101, 9, [
    outcomesEvent(7, 0, [outcome(0)]),
    { kind: "jobEnded", job: 7, state: "succeeded", json },
  ]);
  const terms = parseFilter("jobs", "label.shot=1 task:cut", 0);
  const [row] = (await archive.jobs({ ...newest, terms, states: ["succeeded"] })).items;
  expect(row).toMatchObject({ number: 7, id: "abcdef0000000007", created: 5_000, ended: 9 });
});

test("a closed archive refuses calls, and closing it again does nothing", async () => {
  const archive = await open();
  archive.add(1, 5, [jobEvent(1)]);
  await archive[Symbol.asyncDispose]();
  await archive[Symbol.asyncDispose]();
  await expect(archive.job(1)).rejects.toMatchObject({ trouble: "closed" });
  const again = await open();
  expect(again.watermark).toBe(1);
});

/** A file system of 6 MiB; only root on Linux can make one. */
function tinyDisk(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const at = join(tmpdir(), `skein-tiny-archive-${process.pid}`);
  try {
    mkdirSync(at, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", at], { stdio: "ignore" });
    return at;
  } catch {
    return undefined; // no right to mount in this container
  }
}

/** As the first version left it: two jobs, four batches. */
function firstLayout(): void {
  const old = new DatabaseSync(path);
  old.exec("PRAGMA application_id = 0x534b4152");
  old.exec(layouts[0] ?? "");
  old.exec("PRAGMA user_version = 1");
  old.exec(
    `INSERT INTO meta VALUES ('journal_id', '${journalId}'), ('watermark', 4), ('bytes', 9)`,
  );
  const insert = old.prepare(
    "INSERT INTO jobs VALUES (?, ?, 'film', '{}', 0, 0, 5, NULL, NULL, 9, ?)",
  );
  insert.run(1, "abcd000000000001", '{"task":"cut","by":"ana"}');
  insert.run(2, "abcd000000000002", "no JSON");
  old.exec("INSERT INTO tags VALUES (1, '', 2, 0, 0, 0)");
  old.exec("INSERT INTO tagged VALUES (1, 0, 1), (1, 0, 2)");
  old.close();
}

test("an archive of layout 1 goes on as layout 2: its timeline begins where it was", async () => {
  firstLayout();
  const archive = await open();
  expect(archive.added).toBe(4);
  expect(await archive.timeline({ limit: 9, terms: [] })).toEqual({
    rows: [],
    total: 0,
    floor: { index: 5, n: 0 },
  });
  expect((await archive.jobs(newest)).total).toBe(2);
  archive.add(5, 6, [{ kind: "jobEnded", job: 1, state: "succeeded", json: '{"tasks":1}' }]);
  const { rows } = await archive.timelineAfter({ index: 5, n: 0 }, 9);
  expect(rows.map(({ text }) => text)).toEqual(["Job abcd000000000001 succeeded: 1 task"]);
  expect((await archive.jobs({ ...newest, states: ["succeeded"] })).total).toBe(1);
});

test("an archive of the first layout is brought up to date, and its jobs are found by task", async () => {
  firstLayout();
  const archive = await open();
  expect(archive.watermark).toBe(4);
  const page = await archive.jobs({ ...newest, terms: parseFilter("jobs", "task:cut by:ana", 0) });
  expect(page).toMatchObject({ total: 1, items: [{ number: 1, task: "cut", by: "ana" }] });
});
