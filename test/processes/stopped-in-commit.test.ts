/** A leader that is stopped while it holds the lock of the journal's file: its commit cannot end, and nobody else's begin. */
import { DatabaseSync } from "@photostructure/sqlite";
import type { DatabaseSyncInstance } from "@photostructure/sqlite";
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, test } from "vitest";
import { limits } from "../../src/protocol/limits.ts";
import { readLedger, startsByTask } from "./ledger.ts";
import { between, Load } from "./load.ts";
import type { MasterProcess } from "./master-process.ts";
import { wrongOutcomes } from "./outcomes.ts";
import { hasEnded, ProcessCluster, until } from "./process-cluster.ts";

interface Line {
  readonly ts: string;
  readonly msg: string;
  readonly from: string;
}

/** Within its lease nobody stands yet. */
const briefMs = 500;

test("a leader stopped inside a commit is killed by who stands, in much less than another lease; stopped for a moment it leads on", async () => {
  const lines: Line[] = [];
  const spawned = (from: string, child: ChildProcess) => listen(from, child, lines);
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2, masters: 3, spawned });
  onTestFailed(() => console.log(cluster.stderr));
  const ledger = join(cluster.dir, "ledger");
  const load = new Load(cluster, { ledger, longMs: 2_000 });
  using probe = open(join(cluster.dir, "journal.db"));

  const brief = await settled(cluster);
  const { term } = (await brief.status())?.master ?? {};
  await stopInCommit(brief, probe.db);
  await sleep(briefMs);
  brief.resume();
  await load.passed();
  const { master } = (await brief.status()) ?? {};
  expect([master?.leads, master?.term]).toEqual([true, term]);

  const took: number[] = [];
  for (let times = 0; times < 3; times++) {
    const leader = await settled(cluster);
    const before = lines.length;
    await stopInCommit(leader, probe.db);
    await until(() => hasEnded(leader.child));
    expect(leader.child.signalCode).toBe("SIGKILL");
    expect((await cluster.leader()).id).not.toBe(leader.id);
    await load.passed();
    const killed = await said(lines, before, "it is killed");
    const stood = await said(lines, before, "stands for election", killed.from);
    took.push(Date.parse(killed.ts) - Date.parse(stood.ts));
    await leader.restart();
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(Math.max(...took)).toBeLessThan(limits.leaseMs);
  console.log(`killed ${took.join(", ")} ms after a standby stood`);

  await using skein = await cluster.connect();
  const wrong: string[] = [];
  for (const [id, inputs] of load.jobs) wrong.push(...(await wrongOutcomes(skein, id, inputs)));
  expect(wrong).toEqual([]);
  const runs = readLedger(ledger);
  expect([...startsByTask(runs)].filter(([, count]) => count !== 1)).toEqual([]);
  expect(runs.length).toBe(load.tasks);
});

/** All masters stand by, so that the lock can be nobody's but the leader's. */
async function settled(cluster: ProcessCluster): Promise<MasterProcess> {
  await until(async () => {
    const status = await (await cluster.leader()).status();
    return status?.masters.standingBy.length === cluster.masters.length - 1;
  });
  return cluster.leader();
}

async function stopInCommit(leader: MasterProcess, probe: DatabaseSyncInstance): Promise<void> {
  for (;;) {
    await sleep(between(5, 25));
    leader.pause();
    await until(() => everyThreadStands(leader.child.pid ?? 0));
    if (!mayWrite(probe)) return;
    leader.resume();
  }
}

/** A thread that waits for the disk stops when that has answered. */
function everyThreadStands(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").includes(") T "),
  );
}

function mayWrite(probe: DatabaseSyncInstance): boolean {
  try {
    probe.exec("BEGIN IMMEDIATE; ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

function open(path: string): { readonly db: DatabaseSyncInstance } & Disposable {
  const db = new DatabaseSync(path, { timeout: 0 });
  db.exec("PRAGMA wal_autocheckpoint = 0");
  return { db, [Symbol.dispose]: () => db.close() };
}

function listen(from: string, { stderr }: ChildProcess, lines: Line[]): void {
  if (!stderr) return;
  createInterface({ input: stderr }).on("line", (line) => {
    if (line.startsWith("{")) lines.push({ ...(JSON.parse(line) as Line), from });
  });
}

async function said(lines: Line[], after: number, what: string, who?: string): Promise<Line> {
  const find = () =>
    lines.slice(after).find(({ msg, from }) => msg.includes(what) && from === (who ?? from));
  await until(() => find() !== undefined);
  const found = find();
  if (!found) throw new Error(`nobody said: ${what}`);
  return found;
}
