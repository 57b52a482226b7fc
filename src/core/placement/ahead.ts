// What may be sent ahead of time, and what gives way (W8). `place` asks before it sends, `recallsFor` before it
// recalls: both ask the same, or attempts would be sent back and forth for ever.

import { limits } from "../../protocol/limits.ts";
import { present } from "../invariants.ts";
import type { Job, State, TaskClass, Worker } from "../state.ts";
import { isEligible, keyRoom, queueRoom } from "./filters.ts";

/** Classes that one going ahead is held against: the first ones, so that a turn stays short. */
export const stuckClassesMax = 8;

/**
 * Attempts to send ahead per slot: at most 100 ms of measured run time, at most 1,024, and never more than
 * have ended already, so that it grows by doubling. None of jobs that must not wait in a line (W8).
 */
export function aheadDepth(job: Job): number {
  if (job.spec.concurrency !== null || job.spec.group !== null || job.runCount === 0) return 0;
  const averageMicros = Math.max(1, Math.floor(job.runMicros / job.runCount));
  const byTime = Math.floor((limits.aheadMs * 1000) / averageMicros);
  return Math.min(byTime, limits.aheadPerSlotMax - 1, job.runCount);
}

/**
 * True when tasks of the job must not stand in line at this worker, because a class that found no room could
 * take the slot that the next end of such a task makes free, or is more urgent in the same queue.
 */
export function givesWay(
  state: State,
  job: Job,
  worker: Worker,
  stuck: readonly TaskClass[],
): boolean {
  return stuck.slice(0, stuckClassesMax).some((other) => {
    const first = state.jobs.get(other.jobs[other.head] ?? 0);
    if (!first || keyRoom(state, first) === 0) return false;
    const queue = present(state.queues.get(other.queue), `queue ${other.queue}`);
    if (queueRoom(queue) === 0 || !isEligible(state, first, other, worker)) return false;
    return isMoreUrgent(other, job) || (aheadDepth(first) === 0 && wouldFit(job, first, worker));
  });
}

/** True when what is in line here for this job should come back at once. */
export function isRecalled(
  state: State,
  job: Job,
  worker: Worker,
  stuck: readonly TaskClass[],
): boolean {
  const urgent = stuck.slice(0, stuckClassesMax).filter((other) => isMoreUrgent(other, job));
  return urgent.length > 0 && givesWay(state, job, worker, urgent);
}

function isMoreUrgent(other: TaskClass, job: Job): boolean {
  return other.queue === job.spec.queue && other.priority > job.spec.priority;
}

/** The end of one attempt of `job` makes room for one of `first`. */
function wouldFit(job: Job, first: Job, worker: Worker): boolean {
  const freed = new Map(job.amounts);
  return first.amounts.every(([name, amount]) => {
    const free = (worker.total.get(name) ?? 0) - (worker.used.get(name) ?? 0);
    return amount <= free + (freed.get(name) ?? 0);
  });
}
