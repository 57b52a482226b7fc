// Which tasks are with a worker: the ranges that were assigned to it, so that whoever asks looks at these and
// not at every task of its jobs. Derived from the columns, which alone say what is true: a range may name tasks
// that have left since. Those are dropped when they are the most, so that the ranges stay as many as the tasks.

import { taskState } from "../protocol/model.ts";
import type { JobNumber } from "../protocol/ids.ts";
import { isHeld, stateOf, workerOf } from "./columns.ts";
import type { Columns, Job, State, Worker } from "./state.ts";

export interface TaskRange {
  readonly job: JobNumber;
  readonly first: number;
  count: number;
}

/** So many tasks may have left before anything is dropped. */
const slack = 1_024;

/** The range was assigned to the worker, and is booked there. */
export function addTasksOn(state: State, worker: Worker, range: TaskRange): void {
  append(worker.ranges, range.job, range.first, range.count);
  worker.ranged += range.count;
  if (worker.ranged <= 2 * (worker.activeCount + worker.aheadCount) + slack) return;
  worker.ranges = tasksOn(state, worker);
  worker.ranged = worker.ranges.reduce((sum, { count }) => sum + count, 0);
}

export function clearTasksOn(worker: Worker): void {
  worker.ranges = [];
  worker.ranged = 0;
}

/** After a load: what the job's columns say. */
export function deriveTasksOn(state: State, job: Job): void {
  const { counts, held, count } = job.tasks;
  if ((counts[taskState.assigned] ?? 0) + held === 0) return;
  for (let task = 0; task < count; task++) {
    if (!isOnAny(job.tasks, task)) continue;
    const worker = state.workers.get(workerOf(job.tasks, task));
    if (!worker) continue;
    append(worker.ranges, job.number, task, 1);
    worker.ranged++;
  }
}

/** The tasks whose attempts are assigned to this worker or held by it: by job, rising, each once. */
export function tasksOn(state: State, worker: Worker): TaskRange[] {
  const exact: TaskRange[] = [];
  let number = 0;
  let past = 0;
  for (const range of worker.ranges.toSorted(byPlace)) {
    const job = state.jobs.get(range.job);
    if (!job) continue;
    if (range.job !== number) past = 0;
    number = range.job;
    const over = range.first + range.count;
    for (let task = Math.max(past, range.first); task < over; task++) {
      if (workerOf(job.tasks, task) !== worker.number || !isOnAny(job.tasks, task)) continue;
      append(exact, number, task, 1);
    }
    past = Math.max(past, over);
  }
  return exact;
}

function isOnAny(tasks: Columns, task: number): boolean {
  return stateOf(tasks, task) === taskState.assigned || isHeld(tasks, task);
}

function byPlace(a: TaskRange, b: TaskRange): number {
  return a.job === b.job ? a.first - b.first : a.job - b.job;
}

function append(ranges: TaskRange[], job: JobNumber, first: number, count: number): void {
  const last = ranges[ranges.length - 1];
  if (last?.job === job && last.first + last.count === first) last.count += count;
  else ranges.push({ job, first, count });
}
