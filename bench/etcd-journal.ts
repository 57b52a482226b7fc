/**
 * `npx tsx bench/etcd-journal.ts`: appends to a journal in etcd (three members on this machine, etcd's
 * own timers) beside one in SQLite, one in flight, and how long appends stand still when etcd loses
 * its leader. By hand; asserts nothing. It does not measure a network: members here share one disk
 * and the cores, which makes etcd slower than on three machines.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nextBatch } from "../src/journal/batches.fixture.ts";
import { headOf } from "../src/journal/chain.ts";
import { openEtcdJournal } from "../src/journal/etcd.ts";
import type { Journal } from "../src/journal/journal.ts";
import { openSqliteJournal } from "../src/journal/sqlite.ts";
import { EtcdCluster } from "../test/tools/etcd.ts";

const rounds = 3;
const appends = 300;
const sizes = [256, 65_536];

const folder = mkdtempSync(join(tmpdir(), "skein-bench-"));
await using etcd = await EtcdCluster.start({ heartbeatMs: 100, electionMs: 1_000 });
await using inEtcd = await openEtcdJournal({ url: etcd.url("/skein") });
await using inSqlite = await openSqliteJournal({ path: join(folder, "journal.db") });
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

console.log(`etcd ${inEtcd.settings.versions.join()}, ${inEtcd.settings.members} members`);
for (const size of sizes) {
  const times = new Map<Journal, number[]>([inEtcd, inSqlite].map((one) => [one, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [journal, found] of times) found.push(...(await measure(journal, size)));
  }
  for (const [{ engine }, found] of times) console.log(`${engine}, ${size} B: ${summary(found)}`);
}

const killed = await etcd.leader();
await etcd.kill(killed);
console.log(`leader of etcd killed: next append after ${await untilAppended()} ms`);
await etcd.restart(killed);
const paused = await etcd.leader();
await untilAppended();
etcd.pause(paused);
console.log(`leader of etcd silent: next append after ${await untilAppended()} ms`);
etcd.resume(paused);

async function measure(journal: Journal, size: number): Promise<number[]> {
  const times: number[] = [];
  let head = await journal.head();
  for (let count = 0; count < appends; count++) {
    const batch = nextBatch(journal, head, size);
    const start = performance.now();
    const { kind } = await journal.append(head.index, batch);
    times.push(performance.now() - start);
    if (kind !== "appended") throw new Error(`append ended ${kind}`);
    head = headOf(batch);
  }
  return times;
}

async function untilAppended(): Promise<number> {
  const start = performance.now();
  for (;;) {
    const head = await inEtcd.head().catch(() => undefined);
    const result = head && (await inEtcd.append(head.index, nextBatch(inEtcd, head, 256)));
    if (result?.kind === "appended") return Math.round(performance.now() - start);
  }
}

function summary(times: number[]): string {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${times.length} appends)`;
}
