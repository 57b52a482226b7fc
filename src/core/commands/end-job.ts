// How a job ends: when it is closed and each of its tasks has ended. And how it leaves the state (A2).

import { taskState } from "../../protocol/model.ts";
import { bytesOfPart, bytesPerJob, runBytesPerTask, stateBytesPerTask } from "../columns.ts";
import type { Effect } from "../effect.ts";
import type { Retired } from "../entry.ts";
import { assert, present } from "../invariants.ts";
import type { Job, State } from "../state.ts";
import { sumDependent } from "../sums.ts";
import { keepForArchive } from "./payloads.ts";

export function unended(job: Job): number {
  const { counts } = job.tasks;
  return (
    (counts[taskState.waiting] ?? 0) +
    (counts[taskState.ready] ?? 0) +
    (counts[taskState.backoff] ?? 0) +
    (counts[taskState.assigned] ?? 0)
  );
}

/** Part of every entry's apply that can end a job's last task. */
export function endJobIfDone(state: State, job: Job, effects: Effect[]): void {
  if (job.ended !== "" || job.open || unended(job) > 0) return;
  const { counts } = job.tasks;
  if ((counts[taskState.failed] ?? 0) > 0) job.ended = "failed";
  else if ((counts[taskState.cancelled] ?? 0) > 0 || job.stopping !== null) job.ended = "cancelled";
  else job.ended = "succeeded";
  job.endedTime = state.time;
  job.endedWall = state.wall;
  state.finished.add(job.number);
  state.finishedTasks += job.tasks.count;
  state.unsettled.delete(job.number);
  state.sweeping.delete(job.number);
  present(state.queues.get(job.spec.queue), "queue").jobs--;
  for (const dependent of job.dependents) state.unsettled.set(dependent, 0);
  for (const upstream of [...job.waitsFor, ...job.pairedWith]) {
    const other = state.jobs.get(upstream);
    if (!other?.dependents.delete(job.number)) continue;
    other.paired.delete(job.number);
    sumDependent(other, job.number, -1);
    state.touched.jobs.add(upstream);
  }
  dropKey(state, job);
  state.touched.jobs.add(job.number);
  effects.push({ kind: "jobEnded", job: job.number });
}

function dropKey(state: State, job: Job): void {
  if (job.spec.concurrency === null) return;
  const use = present(state.concurrency.get(job.spec.concurrency.key), "concurrency key");
  use.jobs--;
  dropKeyIfUnused(state, job);
}

/** A key outlives its last job while an ended task's attempt still holds it (K6). */
export function dropKeyIfUnused(state: State, job: Job): void {
  const key = job.spec.concurrency?.key;
  if (key === undefined) return;
  const use = state.concurrency.get(key);
  if (use && use.jobs === 0 && use.active === 0) state.concurrency.delete(key);
}

/** A finished job may leave when nothing holds amounts in its name and no unfinished job needs it. */
export function isRetirable(job: Job): boolean {
  return job.ended !== "" && job.tasks.held === 0 && job.dependents.size === 0;
}

export function applyRetired(state: State, entry: Retired, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  assert(isRetirable(job), `job ${job.id} cannot be retired`);
  effects.push({ kind: "retired", job: job.number });
  keepForArchive(state, job);
  state.finished.delete(job.number);
  state.finishedTasks -= job.tasks.count;
  state.jobs.delete(job.number);
  state.jobNumbers.delete(job.id);
  const perTask = stateBytesPerTask + (job.tasks.run === null ? 0 : runBytesPerTask);
  state.bytes -= bytesPerJob + job.tasks.count * perTask;
  for (const part of job.parts) state.bytes -= bytesOfPart(part);
  state.touched.jobs.add(job.number);
}
