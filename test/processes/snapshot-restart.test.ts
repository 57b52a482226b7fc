import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Skein } from "skein";
import { expect, test } from "vitest";
import { resultOf, work } from "./ledger-tasks.ts";
import type { Work } from "./ledger-tasks.ts";
import { wrongOutcomes } from "./outcomes.ts";
import { hasEnded, ProcessCluster, until } from "./process-cluster.ts";

const often = () => ({ SKEIN_SNAPSHOT_BATCHES: "100" });

type Jobs = Map<string, readonly Work[]>;

test("masters that are killed go on from snapshots, and no result is lost with the trimmed journal (A2, A4, A5)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, env: often });
  await using skein = await cluster.connect();
  const jobs: Jobs = new Map();
  const restarts: string[] = [];
  for (let kill = 0; kill < 5; kill++) {
    const running = runJobs(cluster, skein, jobs, 250);
    await until(() => jobs.size > kill * 250 + 125);
    await cluster.killMaster();
    await cluster.startMaster();
    restarts.push(grounded(cluster));
    await running;
  }
  const { journal, snapshot } = await skein.client.status();
  expect(snapshot?.index).toBeGreaterThan(0);
  expect(journal.trimmed).toBeGreaterThan(0);
  // More than the state keeps: the first ones are in the archive only.
  expect(jobs.size).toBeGreaterThan(1_000);
  const [first = ""] = jobs.keys();
  await until(async () => (await skein.client.job(first)).retired);
  await readAll(skein, jobs);
  expect(cluster.errors).toEqual([]);
  const files = await readdir(join(cluster.dir, "masters", "m1", "snapshots"));
  expect(files.length).toBe(2);
  console.log(
    `${jobs.size} jobs in ${journal.index} batches, trimmed up to ${journal.trimmed}; ` +
      `restarts from ${restarts.join(", from ")}`,
  );
});

test("a damaged snapshot is named, and the one before it is used; without either the master says what is missing", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, env: often });
  await using skein = await cluster.connect();
  const jobs = await untilTrimmed(cluster, skein);
  await cluster.killMaster();
  const [newest = "", older = ""] = await snapshotFiles(cluster);
  flip(newest, 1_000);
  await cluster.startMaster();
  expect(cluster.stderr).toContain("a snapshot cannot be used");
  expect(cluster.stderr).toContain("is damaged");
  expect(grounded(cluster)).toContain(`snapshot ${indexOf(older)} `);
  await readAll(skein, jobs);

  await cluster.killMaster();
  for (const file of await snapshotFiles(cluster)) writeFileSync(file, "no snapshot at all");
  const { code, said } = await refusedStart(cluster);
  expect(code).toBeGreaterThan(0);
  expect(said).toMatch(/the journal begins at batch \d+, the newest usable snapshot is at 0/);
  expect(said).toContain("restore");
});

test("a journal with a byte that was not written halts the master, which says so", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1 });
  await using skein = await cluster.connect();
  await runJobs(cluster, skein, new Map(), 20);
  const { id } = await skein.submit(work, { n: 1, ms: 0, ledger: "/mark/of/this/batch" });
  await skein.job(id).wait();
  expect(await cluster.stopMaster()).toBe(0);
  const file = join(cluster.dir, "journal.db");
  flip(file, readFileSync(file).lastIndexOf("/mark/of/this/batch"));
  const { code, said } = await refusedStart(cluster);
  expect(code).toBeGreaterThan(0);
  expect(said).toMatch(/batch \d+/);
  expect(said).toContain("restore this journal");
});

test("a journal that has lost its end halts the master, for the archive knows more (J5)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1 });
  await using skein = await cluster.connect();
  await runJobs(cluster, skein, new Map(), 50);
  // Whatever is written is in the write-ahead log, until it is copied into the file.
  await until(async () => {
    const { journal, archive } = await skein.client.status();
    return archive.watermark >= journal.index - 1;
  });
  await cluster.killMaster();
  rmSync(join(cluster.dir, "journal.db-wal"));
  const { code, said } = await refusedStart(cluster);
  expect(code).toBeGreaterThan(0);
  expect(said).toMatch(/the journal ends at batch \d+, the archive/);
});

test("a master whose archive is gone says what it lacks, and works on", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, env: often });
  await using skein = await cluster.connect();
  const jobs = await untilTrimmed(cluster, skein);
  const [old = ""] = jobs.keys();
  expect(await cluster.stopMaster()).toBe(0);
  for (const end of ["", "-wal", "-shm"]) {
    rmSync(join(cluster.dir, "masters", "m1", `archive.db${end}`), { force: true });
  }
  await cluster.startMaster();
  expect(cluster.stderr).toContain("the archive lacks");
  expect((await skein.client.status()).verdict).toMatch(/archive lacks .*1 to \d+/);
  const gone = { code: "archive_gone" };
  const { client } = skein;
  await expect(skein.job(old).results()).rejects.toMatchObject(gone);
  await expect(client.task(old, 0)).rejects.toMatchObject(gone);
  await expect(client.results(old).next()).rejects.toMatchObject(gone);
  const fresh: Jobs = new Map();
  await runJobs(cluster, skein, fresh, 20);
  for (const [id, inputs] of fresh) expect(await wrongOutcomes(skein, id, inputs)).toEqual([]);
});

/** Small jobs, several at once; each is in `jobs` as soon as it is acknowledged. */
async function runJobs(
  cluster: ProcessCluster,
  skein: Skein,
  jobs: Jobs,
  count: number,
): Promise<void> {
  let left = count;
  const ledger = join(cluster.dir, "ledger");
  const client = async () => {
    while (left-- > 0) {
      const input = { n: jobs.size + left * 7, ms: 0, ledger };
      const task = await skein.submit(work, input);
      jobs.set(task.id, [input]);
      expect(await task.result()).toBe(resultOf(input));
    }
  };
  await Promise.all(Array.from({ length: 4 }, client));
}

async function untilTrimmed(cluster: ProcessCluster, skein: Skein): Promise<Jobs> {
  const jobs: Jobs = new Map();
  const isTrimmed = async () => (await skein.client.status()).journal.trimmed > 0;
  while (!(await isTrimmed())) await runJobs(cluster, skein, jobs, 50);
  return jobs;
}

async function readAll(skein: Skein, jobs: Jobs): Promise<void> {
  const wrong: string[] = [];
  for (const [id, inputs] of jobs) wrong.push(...(await wrongOutcomes(skein, id, inputs)));
  expect(wrong).toEqual([]);
  expect((await skein.client.jobs()).total).toBe(jobs.size);
}

/** What the last master that started said of where its state came from. */
function grounded({ stderr }: ProcessCluster): string {
  const lines = stderr.split("\n").filter((line) => line.includes("at the head of the journal"));
  const { index, snapshot } = JSON.parse(lines.at(-1) ?? "{}") as Record<string, number>;
  return `snapshot ${snapshot} to ${index}`;
}

/** Newest first. */
async function snapshotFiles({ dir }: ProcessCluster): Promise<string[]> {
  const folder = join(dir, "masters", "m1", "snapshots");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".skein"));
  return names
    .toSorted()
    .toReversed()
    .map((name) => join(folder, name));
}

function indexOf(file: string): number {
  return Number(/(\d+)\.skein$/.exec(file)?.[1]);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

async function refusedStart(cluster: ProcessCluster): Promise<{ code: number; said: string }> {
  const before = cluster.stderr.length;
  const master = cluster.beginMaster();
  await until(() => hasEnded(master));
  await until(() => cluster.stderr.length > before);
  return { code: master.exitCode ?? 0, said: cluster.stderr.slice(before) };
}
