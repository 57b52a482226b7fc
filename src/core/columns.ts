// A job's tasks as columns of typed arrays (A7): growth, reading, and the digest of each task.
// The columns of a task's running are made when the first task of the job is assigned.

import { taskState } from "../protocol/model.ts";
import type { Columns, Job, Part, RunColumns } from "./state.ts";

/** Bytes per task in `state` and in `run`: what P7 counts. */
export const stateBytesPerTask = 1;
export const runBytesPerTask = 4 + 4 + 8 + 8 + 2 + 1;
export const offsetBytesPerTask = 4;
/** Fixed bytes that a job costs in memory beside its tasks: measured, rounded up. */
export const bytesPerJob = 2_048;
/** Beside its lines: what a part costs, and while its lines are here what holds them. Measured as well. */
export const bytesPerPart = 96;
export const bytesPerInput = 400;
/** A stored payload that is known, and each job, retired or not, that names it. */
export const bytesPerPayload = 320;
export const bytesPerUse = 80;

export function bytesOfPart({ bytes, count }: Part): number {
  if (bytes === null) return bytesPerPart;
  return bytesPerPart + bytesPerInput + bytes.length + count * offsetBytesPerTask;
}

export function createColumns(): Columns {
  return {
    count: 0,
    state: new Uint8Array(0),
    run: null,
    readyFrom: 0,
    counts: new Int32Array(7),
    held: 0,
  };
}

/** Adds `count` waiting tasks. Capacity grows by doubling, exactly for a job's first part. */
export function growColumns(columns: Columns, count: number): void {
  const needed = columns.count + count;
  if (needed > columns.state.length) {
    const capacity = columns.count === 0 ? needed : Math.max(needed, columns.count * 2);
    const grown = new Uint8Array(capacity);
    grown.set(columns.state);
    columns.state = grown;
    if (columns.run !== null) columns.run = growRun(columns.run, capacity);
  }
  columns.count = needed;
}

export function runColumns(columns: Columns): RunColumns {
  columns.run ??= growRun(null, columns.state.length);
  return columns.run;
}

function growRun(old: RunColumns | null, capacity: number): RunColumns {
  const run: RunColumns = {
    attempt: new Uint32Array(capacity),
    worker: new Uint32Array(capacity),
    fence: new Float64Array(capacity),
    since: new Float64Array(capacity),
    failures: new Uint16Array(capacity),
    reason: new Uint8Array(capacity),
  };
  if (old === null) return run;
  run.attempt.set(old.attempt);
  run.worker.set(old.worker);
  run.fence.set(old.fence);
  run.since.set(old.since);
  run.failures.set(old.failures);
  run.reason.set(old.reason);
  return run;
}

/** The state byte without the bit that says an attempt still holds its amounts. */
export function stateOf(columns: Columns, task: number): number {
  return (columns.state[task] ?? 0) & 0x7f;
}

export function isHeld(columns: Columns, task: number): boolean {
  return ((columns.state[task] ?? 0) & taskState.held) !== 0;
}

export function isEnded(columns: Columns, task: number): boolean {
  return stateOf(columns, task) >= taskState.succeeded;
}

export function attemptOf(columns: Columns, task: number): number {
  return columns.run?.attempt[task] ?? 0;
}

export function workerOf(columns: Columns, task: number): number {
  return columns.run?.worker[task] ?? 0;
}

/** The first ready task, or -1. Moves the cursor, so that a job is scanned once as it is worked off. */
export function firstReady(columns: Columns): number {
  if ((columns.counts[taskState.ready] ?? 0) === 0) return -1;
  const found = columns.state.indexOf(taskState.ready, columns.readyFrom);
  columns.readyFrom = found < 0 ? columns.count : found;
  return found < columns.count ? found : -1;
}

/** How many tasks from `first` on are ready with the same latest attempt, at most `most`. */
export function readyRun(columns: Columns, first: number, most: number): number {
  const attempt = attemptOf(columns, first);
  const end = Math.min(first + most, columns.count);
  let task = first + 1;
  while (
    task < end &&
    columns.state[task] === taskState.ready &&
    attemptOf(columns, task) === attempt
  ) {
    task++;
  }
  return task - first;
}

/** Two 32-bit lanes of one task's hash, added to (sign 1) or taken from (sign -1) the job's sums. */
export function sumTask(job: Job, task: number, sign: 1 | -1): void {
  const { state, run } = job.tasks;
  let a = Math.imul(task + 1, 0x9e3779b1) ^ Math.imul((state[task] ?? 0) + 1, 0x85ebca6b);
  // Columns that are not there yet count as zeros: making them must not change any sum.
  a ^= Math.imul((run?.attempt[task] ?? 0) + 1, 0xc2b2ae35);
  a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d) ^ Math.imul((run?.worker[task] ?? 0) + 1, 0x297a2d39);
  a ^= Math.imul((run?.failures[task] ?? 0) + 1, 0x1b56c4e9) ^ ((run?.reason[task] ?? 0) << 24);
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  a = Math.imul(a ^ (a >>> 15), 0x846ca68b);
  const b = Math.imul(a ^ (a >>> 13) ^ job.number, 0xcc9e2d51);
  job.sumA = (job.sumA + sign * (a ^ (a >>> 16))) | 0;
  job.sumB = (job.sumB + sign * (b ^ (b >>> 14))) | 0;
}
