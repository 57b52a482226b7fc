// Disks that are full, and files that are not what they were. What was acknowledged is not lost (P1), nothing
// hangs once there is room again (P6), and a master that must not start says why.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster, until } from "../processes/process-cluster.ts";
import { slow, square } from "./fault-tasks.ts";
import { Said, mayMount, skein as run, smallDisk } from "./tools.ts";

const command = { task: "t", code: { kind: "command" as const, argv: ["true"] } };

describe.skipIf(!mayMount)("a disk without a free page (only root may mount one)", () => {
  test("under the master: results wait, submits are refused, and all goes on when there is room", async () => {
    await using disk = smallDisk(160);
    await using cluster = await startWithin(disk?.path ?? "");
    await using skein = await cluster.connect();
    const elsewhere = mkdtempSync(join(tmpdir(), "skein-worker-"));
    cluster.startWorker("w1", ["--data", elsewhere, "--cpus", "2"]);
    await cluster.workersActive(1);
    const count = 40;
    const job = await skein.map(
      slow,
      Array.from({ length: count }, (_, i) => i),
    );
    await until(async () => (await job.view()).counts.succeeded > 2);
    disk?.fill();
    await until(async () => (await job.why(count - 1)).verdict.includes("Nothing is started"));
    const before = (await job.view()).counts.succeeded;
    const refused = skein.client.submit({ spec: command, inputs: [null] }, { retryMs: 0 });
    await expect(refused).rejects.toMatchObject({ code: "journal_full", kind: { exit: 9 } });
    disk?.free();
    const results = await job.results();
    expect(results.map((text) => Number.parseInt(text, 10))).toEqual([...results.keys()]);
    expect(results).toHaveLength(count);
    expect(before).toBeLessThan(count);
    // It waited in peace: a line every two seconds, not a thousand.
    expect(cluster.stderr.match(/the state is built again/g)?.length ?? 0).toBeLessThan(60);
    await cluster.killWorker("w1");
    rmSync(elsewhere, { recursive: true, force: true });
  });

  test("under a worker: its tasks wait, none fails for it, and they run when there is room", async () => {
    await using cluster = await ProcessCluster.start({ workers: 0 });
    const workers = join(cluster.dir, "workers");
    mkdirSync(workers);
    await using disk = smallDisk(24, workers);
    cluster.startWorker("w1", ["--cpus", "2"]);
    await cluster.workersActive(1);
    await using skein = await cluster.connect();
    disk?.fill();
    const job = await skein.map(square, [1, 2, 3, 4]);
    const held = run(cluster, "run", "--", "sh", "-c", "echo held; exit 5");
    // Slots were tried, and tried again.
    await until(() => (cluster.stderr.match(/ended before it ran anything/g)?.length ?? 0) >= 6);
    expect((await job.view()).state).toBe("running");
    disk?.free();
    expect(await job.results()).toEqual([1, 4, 9, 16]);
    const { child, stdout } = await held;
    expect([stdout, child.exitCode]).toEqual(["held\n", 5]);
    await cluster.killAll();
  });
});

/** A cluster whose directory is made in `folder`. */
async function startWithin(folder: string): Promise<ProcessCluster> {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  try {
    return await ProcessCluster.start({ workers: 0 });
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
}

describe("a master that is started on", () => {
  let sound: string;
  let copy: string;
  beforeAll(async () => {
    sound = mkdtempSync(join(tmpdir(), "skein-sound-"));
    copy = `${sound}-copy`;
    const env = () => ({ SKEIN_SNAPSHOT_BATCHES: "10" });
    await using cluster = await ProcessCluster.start({ workers: 1, env });
    await using skein = await cluster.connect();
    const trimmed = async () => (await skein.client.status()).journal.trimmed > 0;
    for (let i = 0; !(await trimmed()); i++) expect(await skein.run(square, i)).toBe(i * i);
    await cluster.stopMaster();
    cpSync(cluster.dir, sound, { recursive: true });
  });
  afterAll(() => {
    for (const path of [sound, copy]) rmSync(path, { recursive: true, force: true });
  });

  /** Starts a master on a copy that was damaged; resolves with what it says, and how it ended. */
  async function startOn(damage: (own: string) => void) {
    rmSync(copy, { recursive: true, force: true });
    cpSync(sound, copy, { recursive: true });
    damage(join(copy, "masters", "m1"));
    const args = ["master", "--data", copy, "--port", "0", "--log-format", "text"];
    const said = new Said(args);
    await until(() => said.child.exitCode !== null || said.stderr.includes("master ready"));
    const ready = said.stderr.includes("master ready");
    said.child.kill("SIGTERM");
    return { ready, code: await said.ended(), stderr: said.stderr };
  }

  function flip(file: string): void {
    const bytes = readFileSync(file);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(file, bytes);
  }

  function snapshotsIn(own: string): string[] {
    const folder = join(own, "snapshots");
    return readdirSync(folder)
      .toSorted()
      .map((name) => join(folder, name));
  }

  test("a sound directory is ready", async () => {
    expect(await startOn(() => {})).toMatchObject({ ready: true, code: 0 });
  });

  test("a damaged newest snapshot takes the one before it, and says so", async () => {
    const { ready, stderr } = await startOn((own) => flip(snapshotsIn(own).at(-1) ?? ""));
    expect(stderr).toMatch(/a snapshot cannot be used.*is damaged/);
    expect(ready).toBe(true);
  });

  test.each<[string, (own: string) => void, RegExp]>([
    [
      "snapshots that are all damaged, the journal trimmed",
      (own) => snapshotsIn(own).forEach(flip),
      /the newest usable snapshot is at 0/,
    ],
    [
      "a journal that is no database",
      () => writeFileSync(join(copy, "journal.db"), Buffer.alloc(100_000, 7)),
      /not a SQLite database/,
    ],
    [
      "a journal that was cut",
      () => truncateSync(join(copy, "journal.db"), 12_288),
      /journal is damaged|malformed/,
    ],
    ["a journal of another cluster", () => rmSync(join(copy, "journal.db")), /belongs to journal/],
    [
      "an archive that is no database",
      (own) => writeFileSync(join(own, "archive.db"), Buffer.alloc(100_000, 7)),
      /archive.db cannot be opened/,
    ],
  ])("%s does not start, and says why", async (_, damage, words) => {
    const { ready, code, stderr } = await startOn(damage);
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/fix {2}\S/);
    expect([ready, code]).toEqual([false, 5]);
  });

  test("a token that is too short says so", async () => {
    const { code, stderr } = await startOn(() => writeFileSync(join(copy, "token"), "short\n"));
    expect(stderr).toMatch(/fewer than 32 characters[^]*Delete the file/);
    expect(code).toBe(2);
  });
});
