/** A worker dies by SIGKILL, and its slots with it: when does what it ran begin again on another? */
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../test/processes/process-cluster.ts";
import type { World } from "./world.ts";

export interface WorkerRound {
  readonly worker: string;
  readonly at: number;
  /** Of each task that ran there. */
  readonly againMs: readonly number[];
  /** Those, and those that had ended there and whose outcomes may have died with it. */
  readonly excused: readonly string[];
}

const boundMs = 60_000;
/** An outcome is on its way to the leader for less than this. */
const reportMs = 2_000;

/** There are free slots elsewhere for what must run again (L2 of load.ts). */
export async function killWorker(world: World): Promise<WorkerRound> {
  const { notes, cluster } = world;
  await world.settled();
  let victim: string | undefined;
  await until(async () => {
    notes.read();
    victim = busiest(world);
    if (victim === undefined) await sleep(20);
    return victim !== undefined;
  });
  if (victim === undefined) throw new Error("no worker runs a long task");
  const worker = victim;
  const { at } = world.now();
  world.deathsFrom = Math.min(world.deathsFrom, at);
  await cluster.killWorker(worker);
  notes.read();
  const tasks = notes.running().flatMap((run) => (run.worker === worker ? [run.task] : []));
  for (const task of tasks) world.deaths.set(task, (world.deaths.get(task) ?? 0) + 1);
  const again = new Map<string, number>();
  await until(async () => {
    notes.read();
    for (const start of notes.starts.slice(-1_000)) {
      if (start.at < at || start.worker === worker || !tasks.includes(start.task)) continue;
      if (!again.has(start.task)) again.set(start.task, start.at - at);
    }
    if (again.size === tasks.length) return true;
    await sleep(5);
    return false;
  }, boundMs);
  notes.forget(worker);
  cluster.startWorker(worker);
  const ended = notes.starts.filter(
    (run) => run.worker === worker && (run.endedAt ?? 0) > at - reportMs,
  );
  const excused = [...tasks, ...ended.map(({ task }) => task)];
  return { worker, at, againMs: [...again.values()], excused };
}

/**
 * The worker that runs most long tasks, if any does; one that has only just begun may as well be between two. None whose
 * task has died with two workers already: a third death makes it poison (W9), and it would not run again.
 */
function busiest(world: World): string | undefined {
  const { at } = world.now();
  const counts = new Map<string, number>();
  for (const run of world.notes.running()) {
    if (at - run.at > 200) counts.set(run.worker, (counts.get(run.worker) ?? 0) + 1);
  }
  for (const { task, worker } of world.notes.running()) {
    if ((world.deaths.get(task) ?? 0) >= 2) counts.delete(worker);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0];
}
