import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { latestUsable, listSnapshots, readSnapshot, writeSnapshot } from "./snapshots.ts";
import { snapshotName } from "./snapshots.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "skein-snapshots-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const draft = (index: number, bytes: Uint8Array = Buffer.from(`state ${index}`)) => ({
  journalId: "j1",
  index,
  term: 3,
  time: 123,
  wall: 456,
  digest: "d1",
  bytes,
});

test("what was written is read back, in one piece or as it was made", async () => {
  const large = new Uint8Array(3_500_000).map((_, i) => i % 251);
  const written = await writeSnapshot(dir, draft(7, large));
  const read = await readSnapshot(written.file);
  expect(Buffer.compare(read.bytes, large)).toBe(0);
  expect(read).toMatchObject({ journalId: "j1", index: 7, term: 3, time: 123, wall: 456 });
  expect(read).toMatchObject({ digest: "d1", hash: written.hash });
  async function* parts(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < large.length; at += 999_999) yield large.subarray(at, at + 999_999);
  }
  const streamed = await writeSnapshot(dir, { ...draft(8), bytes: parts() });
  expect(Buffer.compare((await readSnapshot(streamed.file)).bytes, large)).toBe(0);
  const empty = await writeSnapshot(dir, draft(9, new Uint8Array(0)));
  expect((await readSnapshot(empty.file)).bytes).toHaveLength(0);
});

test("the newest two are kept and listed newest first", async () => {
  for (const index of [5, 90, 1000, 20_000]) await writeSnapshot(dir, draft(index));
  expect((await listSnapshots(dir)).map(({ index }) => index)).toEqual([20_000, 1000]);
  expect(await listSnapshots(join(dir, "nowhere"))).toEqual([]);
});

test("any flipped bit and any cut is found, and the one before is used", async () => {
  const older = await writeSnapshot(dir, draft(1));
  const { file } = await writeSnapshot(dir, draft(2));
  const good = readFileSync(file);
  const damaged: Buffer[] = [];
  for (let at = 0; at < good.length; at++) {
    const flipped = Buffer.from(good);
    flipped[at] = (flipped[at] ?? 0) ^ 0x10;
    damaged.push(flipped, good.subarray(0, at));
  }
  for (const bytes of damaged) {
    writeFileSync(file, bytes);
    await expect(readSnapshot(file)).rejects.toMatchObject({ code: "data_unusable" });
  }
  const { found, problems } = await latestUsable(dir, { journalId: "j1" });
  expect(found?.file.file).toBe(older.file);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ trouble: "corrupt" });
});

test("a damaged snapshot is neither removed nor counted among those kept", async () => {
  for (const index of [1, 2, 3]) await writeSnapshot(dir, draft(index), { keep: 3 });
  writeFileSync(join(dir, snapshotName(2)), "rot");
  await writeSnapshot(dir, draft(4));
  expect((await listSnapshots(dir)).map(({ index }) => index)).toEqual([4, 3]);
  writeFileSync(join(dir, snapshotName(4)), "rot");
  await writeSnapshot(dir, draft(5));
  expect((await listSnapshots(dir)).map(({ index }) => index)).toEqual([5, 4, 3]);
});

test("a snapshot of another journal, of another name, or too new is not used", async () => {
  await writeSnapshot(dir, draft(5), { keep: 9 });
  await writeSnapshot(dir, { ...draft(8), journalId: "other" }, { keep: 9 });
  writeFileSync(join(dir, snapshotName(9)), readFileSync(join(dir, snapshotName(5))));
  const { found, problems } = await latestUsable(dir, { journalId: "j1" });
  expect(found?.snapshot.index).toBe(5);
  expect(problems.map(({ trouble }) => trouble)).toEqual(["corrupt", "foreign"]);
  expect((await latestUsable(dir, { indexMax: 4 })).found).toBeUndefined();
  expect((await latestUsable(dir, { indexMax: 8 })).found?.snapshot.index).toBe(8);
});

test("what fails while it is made, or was left by a crash, does not stay", async () => {
  async function* failing(): AsyncIterable<Uint8Array> {
    yield Buffer.from("half");
    throw new Error("the fold failed");
  }
  const failed = writeSnapshot(dir, { ...draft(5), bytes: failing() });
  await expect(failed).rejects.toThrow("the fold failed");
  expect(readdirSync(dir)).toEqual([]);
  writeFileSync(join(dir, `${snapshotName(4)}.1.unfinished`), "half");
  expect(await listSnapshots(dir)).toEqual([]);
  await writeSnapshot(dir, draft(6));
  expect(readdirSync(dir)).toEqual([snapshotName(6)]);
});

test("a snapshot that is gone says so", async () => {
  await expect(readSnapshot(join(dir, snapshotName(1)))).rejects.toMatchObject({ trouble: "gone" });
});
