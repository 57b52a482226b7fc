// The moves of a task from state to state. Every change of a column goes through here, so that counts,
// classes, queues, accounting and the digest agree with the columns at every moment.
//
//   waiting ─▶ ready ─▶ assigned ─▶ succeeded | failed | cancelled (perhaps held until its worker says so)
//                ▲  ◀──── backoff ◀──┘

import { taskState } from "../protocol/model.ts";
import type { WorkerNumber } from "../protocol/ids.ts";
import { book, unbook } from "./accounting.ts";
import { readyChanged } from "./classes.ts";
import {
  attemptOf,
  bytesOfPart,
  isHeld,
  runBytesPerTask,
  runColumns,
  stateOf,
  sumTask,
  workerOf,
} from "./columns.ts";
import { assert, present } from "./invariants.ts";
import { addTasksOn } from "./on-worker.ts";
import { sumPart } from "./sums.ts";
import { addTimer } from "./timers.ts";
import type { Job, RunColumns, State, Worker } from "./state.ts";

/** Waiting or backed-off tasks in the range become ready; others stay as they are. */
export function wake(state: State, job: Job, first: number, count: number): number {
  let woken = 0;
  for (let task = first; task < first + count; task++) {
    const before = stateOf(job.tasks, task);
    if (before !== taskState.waiting && before !== taskState.backoff) continue;
    move(job, task, before, taskState.ready);
    woken++;
  }
  becameReady(state, job, first, woken);
  return woken;
}

/** Tasks in the range that wait for their first attempt do so from now on: their queue timeout starts. */
export function noteReady(state: State, job: Job, first: number, count: number): void {
  const run = runOf(state, job);
  for (let task = first; task < first + count; task++) {
    if (stateOf(job.tasks, task) !== taskState.ready || run.attempt[task] !== 0) continue;
    run.since[task] = state.time - job.createdTime;
  }
}

/** The range, all ready with the same latest attempt, goes to a worker. */
export function assign(
  state: State,
  job: Job,
  range: { readonly first: number; readonly count: number; readonly attempt: number },
  worker: Worker,
): void {
  const run = runOf(state, job);
  const since = state.time - job.createdTime;
  for (let task = range.first; task < range.first + range.count; task++) {
    assert(job.tasks.state[task] === taskState.ready, `task ${job.id}/${task} is not ready`);
    assert(
      range.attempt > (run.attempt[task] ?? 0),
      `attempt ${range.attempt} of ${job.id}/${task} is not new`,
    );
    sumTask(job, task, -1);
    job.tasks.state[task] = taskState.assigned;
    run.attempt[task] = range.attempt;
    run.worker[task] = worker.number;
    run.fence[task] = state.index;
    run.since[task] = since;
    sumTask(job, task, 1);
  }
  count(job, taskState.ready, -range.count);
  count(job, taskState.assigned, range.count);
  readyChanged(state, job, -range.count, job.tasks.counts[taskState.ready] ?? 0);
  const queue = present(state.queues.get(job.spec.queue), "queue");
  queue.assigned += range.count;
  queue.waiting -= range.count;
  useKey(state, job, range.count);
  book(state, worker, job, range.count);
  addTasksOn(state, worker, { job: job.number, first: range.first, count: range.count });
  job.attempts += range.count;
  state.totals.attempts += range.count;
  if (job.startedWall === 0) job.startedWall = state.wall;
  touch(state, job, worker);
}

/** An assigned task goes back: to ready at once, or to back-off until `until`. Its worker is not told. */
export function unassign(state: State, job: Job, task: number, until: number): void {
  if (until <= state.time) {
    unassignRange(state, job, task, 1);
    return;
  }
  takeBack(state, job, { first: task, count: 1, to: taskState.backoff, since: until });
  addTimer(state.timers, { at: until, kind: "backoff", job: job.number, task });
}

/** Assigned tasks of a range are ready again: very many at once when a worker is lost (K7). */
export function unassignRange(state: State, job: Job, first: number, many: number): void {
  takeBack(state, job, { first, count: many, to: taskState.ready, since: state.time });
  becameReady(state, job, first, many);
}

function takeBack(
  state: State,
  job: Job,
  range: {
    readonly first: number;
    readonly count: number;
    readonly to: number;
    readonly since: number;
  },
): void {
  const run = runOf(state, job);
  const since = range.since - job.createdTime;
  for (let task = range.first; task < range.first + range.count; task++) {
    assert(job.tasks.state[task] === taskState.assigned, `task ${job.id}/${task} is not assigned`);
    sumTask(job, task, -1);
    job.tasks.state[task] = range.to;
    run.worker[task] = 0;
    run.since[task] = since;
    sumTask(job, task, 1);
  }
  count(job, taskState.assigned, -range.count);
  count(job, range.to, range.count);
  const queue = present(state.queues.get(job.spec.queue), "queue");
  queue.assigned -= range.count;
  queue.waiting += range.count;
  useKey(state, job, -range.count);
  state.touched.jobs.add(job.number);
}

/**
 * A task ends. With `attemptOver` an attempt that was assigned is over and its amounts are free; without it
 * they are held until the worker says so (K6).
 */
export function endTask(
  state: State,
  job: Job,
  task: number,
  end: { readonly state: 4 | 5 | 6; readonly reason: number; readonly attemptOver: boolean },
): void {
  const before = stateOf(job.tasks, task);
  assert(before < taskState.succeeded, `task ${job.id}/${task} has ended before`);
  const queue = present(state.queues.get(job.spec.queue), "queue");
  const held = before === taskState.assigned && !end.attemptOver;
  if (before === taskState.assigned) queue.assigned--;
  else queue.waiting--;
  if (before === taskState.assigned && end.attemptOver) useKey(state, job, -1);
  const run = end.reason === 0 ? job.tasks.run : runOf(state, job);
  sumTask(job, task, -1);
  job.tasks.state[task] = held ? end.state | taskState.held : end.state;
  if (run !== null) run.reason[task] = end.reason;
  sumTask(job, task, 1);
  count(job, before, -1);
  count(job, end.state, 1);
  if (held) job.tasks.held++;
  if (before === taskState.ready)
    readyChanged(state, job, -1, job.tasks.counts[taskState.ready] ?? 0);
  if (end.state === taskState.succeeded) state.totals.succeeded++;
  else if (end.state === taskState.failed) state.totals.failed++;
  else state.totals.cancelled++;
  dropInput(state, job, task);
  state.touched.jobs.add(job.number);
}

/** The attempt of an ended task is over: its amounts are free. */
export function release(state: State, job: Job, task: number, worker: Worker): void {
  assert(isHeld(job.tasks, task), `task ${job.id}/${task} holds nothing`);
  sumTask(job, task, -1);
  job.tasks.state[task] = stateOf(job.tasks, task);
  sumTask(job, task, 1);
  job.tasks.held--;
  useKey(state, job, -1);
  unbook(state, worker, job, 1);
  touch(state, job, worker);
}

/** A charged failure of the task's own is counted against its attempts (K4). */
export function chargeFailure(state: State, job: Job, task: number): void {
  const run = runOf(state, job);
  sumTask(job, task, -1);
  run.failures[task] = (run.failures[task] ?? 0) + 1;
  sumTask(job, task, 1);
}

/** True when this very attempt is assigned to this worker. */
export function isCurrent(job: Job, task: number, attempt: number, worker: WorkerNumber): boolean {
  return (
    stateOf(job.tasks, task) === taskState.assigned &&
    attemptOf(job.tasks, task) === attempt &&
    workerOf(job.tasks, task) === worker
  );
}

/** True when the task has ended and this very attempt still holds its amounts. */
export function isHolding(job: Job, task: number, attempt: number, worker: WorkerNumber): boolean {
  return (
    isHeld(job.tasks, task) &&
    attemptOf(job.tasks, task) === attempt &&
    workerOf(job.tasks, task) === worker
  );
}

export function touch(state: State, job: Job, worker: Worker): void {
  state.touched.jobs.add(job.number);
  state.touched.workers.add(worker.number);
}

/** The job's run columns, made when first needed and counted then (P7). */
function runOf(state: State, job: Job): RunColumns {
  if (job.tasks.run === null) state.bytes += job.tasks.count * runBytesPerTask;
  return runColumns(job.tasks);
}

function becameReady(state: State, job: Job, first: number, added: number): void {
  if (added === 0) return;
  job.tasks.readyFrom = Math.min(job.tasks.readyFrom, first);
  readyChanged(state, job, added, job.tasks.counts[taskState.ready] ?? 0);
  state.touched.jobs.add(job.number);
}

function move(job: Job, task: number, from: number, to: number): void {
  sumTask(job, task, -1);
  job.tasks.state[task] = to;
  sumTask(job, task, 1);
  count(job, from, -1);
  count(job, to, 1);
}

function count(job: Job, taskStateByte: number, change: number): void {
  job.tasks.counts[taskStateByte] = (job.tasks.counts[taskStateByte] ?? 0) + change;
}

function useKey(state: State, job: Job, change: number): void {
  if (job.spec.concurrency === null) return;
  const use = present(state.concurrency.get(job.spec.concurrency.key), "concurrency key");
  use.active += change;
}

/** Inputs leave the heap part by part, when all tasks of a part have ended. */
function dropInput(state: State, job: Job, task: number): void {
  const part = present(partOf(job, task), `part of task ${job.id}/${task}`);
  sumPart(job, part, -1);
  part.left--;
  sumPart(job, part, 1);
  if (part.left > 0 || part.bytes === null) return;
  state.bytes -= bytesOfPart(part);
  part.bytes = null;
  part.offsets = null;
  state.bytes += bytesOfPart(part);
}

export function partOf(job: Job, task: number): Job["parts"][number] | undefined {
  let low = 0;
  let high = job.parts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const part = job.parts[middle];
    if (part !== undefined && part.first + part.count <= task) low = middle + 1;
    else high = middle;
  }
  return job.parts[low];
}
