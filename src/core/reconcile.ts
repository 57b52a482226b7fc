// A worker registered: what it holds is held against the state (W2, W3). What it should hold and does not is
// sent again; what it holds and should not must end; what it was believed to hold for an ended task is free.

import { attemptOf, isHeld } from "./columns.ts";
import { present } from "./invariants.ts";
import { tasksOn } from "./on-worker.ts";
import type { TaskRange } from "./on-worker.ts";
import type { Answer } from "./refusal.ts";
import { isCurrent } from "./tasks.ts";
import type { Job, State, Worker } from "./state.ts";
import { emit } from "./turn.ts";
import type { Turn } from "./turn.ts";

export interface HeldRange {
  readonly job: number;
  readonly first: number;
  readonly count: number;
  readonly attempt: number;
}

export interface Reconciliation {
  /** Must end: superseded, cancelled, or of no job known here (A3). */
  readonly kill: HeldRange[];
  /** Assigned to this worker but not held there: the same attempts are sent again (W3). */
  readonly resend: (HeldRange & { readonly fence: number })[];
}

export function reconcile(
  state: State,
  worker: Worker,
  held: readonly HeldRange[],
): Reconciliation {
  const kill: HeldRange[] = [];
  const kept = new Map<number, Set<number>>();
  for (const range of held) {
    const job = state.jobs.get(range.job);
    if (!job) {
      kill.push(range);
      continue;
    }
    const tasks = kept.get(range.job) ?? new Set<number>();
    kept.set(range.job, tasks);
    for (let task = range.first; task < range.first + range.count; task++) {
      if (isCurrent(job, task, range.attempt, worker.number)) tasks.add(task);
      else kill.push({ job: range.job, first: task, count: 1, attempt: range.attempt });
    }
  }
  return { kill, resend: missing(state, worker, kept) };
}

function missing(
  state: State,
  worker: Worker,
  kept: ReadonlyMap<number, ReadonlySet<number>>,
): Reconciliation["resend"] {
  const resend: Reconciliation["resend"] = [];
  for (const range of tasksOn(state, worker)) {
    const job = present(state.jobs.get(range.job), `job ${range.job}`);
    missingOf(job, range, kept.get(range.job) ?? none, resend);
  }
  // Orders run in the order sent: the oldest assignment goes first again.
  return resend.toSorted((a, b) => a.fence - b.fence);
}

const none: ReadonlySet<number> = new Set();

function missingOf(
  job: Job,
  range: TaskRange,
  kept: ReadonlySet<number>,
  resend: Reconciliation["resend"],
): void {
  const run = job.tasks.run;
  if (run === null) return;
  for (let task = range.first; task < range.first + range.count; task++) {
    if (isHeld(job.tasks, task) || kept.has(task)) continue;
    const attempt = run.attempt[task] ?? 0;
    const fence = run.fence[task] ?? 0;
    const last = resend[resend.length - 1];
    const follows = last?.job === job.number && last.first + last.count === task;
    if (follows && last.attempt === attempt && last.fence === fence) {
      resend[resend.length - 1] = { ...last, count: last.count + 1 };
    } else resend.push({ job: job.number, first: task, count: 1, attempt, fence });
  }
}

export interface SettleHeldRequest {
  readonly kind: "settleHeld";
  readonly worker: number;
  readonly incarnation: string;
  readonly held: readonly HeldRange[];
}

/** Attempts of ended tasks that the state believes held here, but the worker does not hold, are over. */
export function settleHeld(turn: Turn, request: SettleHeldRequest): Answer {
  const { state } = turn;
  const worker = state.workers.get(request.worker);
  if (!worker || worker.info.incarnation !== request.incarnation) return { ok: true };
  const over = new Map<number, number[]>();
  for (const { job, task } of forgotten(state, worker, request.held)) {
    const tasks = over.get(job);
    if (tasks) tasks.push(task);
    else over.set(job, [task]);
  }
  for (const [job, tasks] of over) {
    emit(turn, { kind: "released", v: 1, job, worker: worker.number, tasks });
  }
  return { ok: true };
}

/** Attempts of ended tasks that hold amounts here by the state, and that the worker does not list. */
export function forgotten(
  state: State,
  worker: Worker,
  held: readonly HeldRange[],
): { readonly job: number; readonly task: number; readonly attempt: number }[] {
  const found: { job: number; task: number; attempt: number }[] = [];
  for (const { job: number, first, count } of tasksOn(state, worker)) {
    const tasks = state.jobs.get(number)?.tasks;
    if (!tasks || tasks.held === 0) continue;
    for (let task = first; task < first + count; task++) {
      if (!isHeld(tasks, task)) continue;
      found.push({ job: number, task, attempt: attemptOf(tasks, task) });
    }
  }
  if (found.length === 0) return found;
  const listed = new Map<number, Set<number>>();
  for (const { job, first, count, attempt } of held) {
    const marks = listed.get(job) ?? new Set();
    listed.set(job, marks);
    for (let task = first; task < first + count; task++) marks.add(markOf(task, attempt));
  }
  return found.filter(({ job, task, attempt }) => !listed.get(job)?.has(markOf(task, attempt)));
}

/** One number for a task's attempt: both are below 2^26, far more than a job has. */
function markOf(task: number, attempt: number): number {
  return attempt * 0x4000000 + task;
}
