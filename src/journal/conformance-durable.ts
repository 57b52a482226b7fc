// The part of the conformance suite that needs processes: what was acknowledged survives a kill at
// any moment, and every commit reaches the disk. For engines that outlive a process.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { runnableFile } from "../lib/thread.ts";
import type { ChildPlan } from "./conformance-child.ts";
import type { DurableBench, JournalBench, JournalCase } from "./conformance.ts";
import type { Journal } from "./journal.ts";
import { syncCounter, type Started, type SyncCounter } from "./sync-count.ts";

const kills = 20;
const commits = 50;

export const durableCases: readonly JournalCase[] = [
  {
    name: "what was acknowledged is there after kill -9 at any moment",
    durableOnly: true,
    run: killed,
  },
  {
    name: "every commit is fsynced",
    durableOnly: true,
    run: (bench) => everyCommitIsSynced(bench),
  },
];

async function killed(bench: JournalBench): Promise<string> {
  const durable = demandDurable(bench);
  let acknowledged = 0;
  for (let round = 0; round < kills; round++) {
    const child = startChild(durable, { appends: 1_000_000 });
    const lines: string[] = [];
    const ready = new Promise<void>((resolve) => {
      child.lines.on("line", (line) => (line === "ready" ? resolve() : lines.push(line)));
    });
    await Promise.race([ready, child.ended]);
    await sleep(Math.random() * 60);
    child.process.kill("SIGKILL");
    await child.ended;
    await using journal = await bench.open();
    await checkAcknowledged(journal, lines);
    acknowledged += lines.length;
  }
  await using journal = await bench.open();
  await journal.verify();
  assert.ok(acknowledged > 0, "no child lived long enough to append anything");
  return `${kills} kills, ${acknowledged} acknowledged appends, 0 lost`;
}

/** Every acknowledged append is stored, and at most the one in flight beyond them. */
async function checkAcknowledged(journal: Journal, lines: readonly string[]): Promise<void> {
  const pairs = lines.map((line) => line.split(" "));
  for (const [index, batchId] of pairs) {
    assert.equal((await journal.read(Number(index)))?.batchId, batchId, `index ${index} was lost`);
  }
  const last = pairs.at(-1)?.[0];
  const { index } = await journal.head();
  if (last !== undefined) assert.ok(index - Number(last) <= 1, `${index} after ${last}`);
}

/** Exported for the test that a way of counting tells a durable engine from another. */
export async function everyCommitIsSynced(
  bench: JournalBench,
  ways?: readonly SyncCounter["how"][],
): Promise<string> {
  const durable = demandDurable(bench);
  if (durable.countSyncs) return everyCommitIsCounted(durable, () => durable.countSyncs?.());
  const counter = syncCounter(durable.scratch, ways);
  if (!counter) {
    assert.ok(await durable.claimsToSync(), "the engine itself says that it does not fsync");
    return "fsyncs not counted (neither strace nor a compiler here): the engine's settings read back";
  }
  const child = startChild(durable, { appends: commits, counter });
  child.lines.resume();
  assert.equal(await child.ended, 0, "the appending process failed");
  const syncs = counter.count();
  assert.ok(
    syncs >= commits,
    `${commits} commits issued only ${syncs} fsyncs (counted by ${counter.how})`,
  );
  return `${commits} commits, ${syncs} fsyncs, counted by ${counter.how}`;
}

/** The engine is a process of its own, and counts by itself. */
async function everyCommitIsCounted(
  durable: DurableBench,
  countSyncs: () => Promise<number> | undefined,
): Promise<string> {
  const before = (await countSyncs()) ?? 0;
  const child = startChild(durable, { appends: commits });
  child.lines.resume();
  assert.equal(await child.ended, 0, "the appending process failed");
  const syncs = ((await countSyncs()) ?? 0) - before;
  assert.ok(syncs >= commits, `${commits} commits issued only ${syncs} fsyncs`);
  return `${commits} commits, ${syncs} fsyncs, counted by the engine`;
}

interface Child {
  readonly process: ChildProcess;
  readonly lines: ReturnType<typeof createInterface>;
  /** Its exit code, after all its output was read; null if it was killed. */
  readonly ended: Promise<number | null>;
}

function startChild(
  { url, options }: DurableBench,
  { appends, counter }: { appends: number; counter?: SyncCounter },
): Child {
  const plan: ChildPlan = { url, options, appends };
  const file = runnableFile(new URL("./conformance-child.ts", import.meta.url));
  const args = [file, JSON.stringify(plan)];
  const started: Started = counter?.wrap(process.execPath, args) ?? {
    command: process.execPath,
    args,
    env: process.env,
  };
  const child = spawn(started.command, started.args, {
    env: started.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const read = once(lines, "close");
  const exited = once(child, "close");
  const ended = Promise.all([exited, read]).then(([[code]]) => code as number | null);
  return { process: child, lines, ended };
}

function demandDurable({ durable }: JournalBench): DurableBench {
  assert.ok(durable, "this case is for durable engines");
  return durable;
}
