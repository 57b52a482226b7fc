// A worker registered: what it holds is held against the state (W2, W3). What it should hold and does not is
// sent again; what it holds and should not must end; what it was believed to hold for an ended task is free.

import { taskState } from "../protocol/model.ts";
import { attemptOf, isHeld, stateOf, workerOf } from "./columns.ts";
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
  for (const number of jobsOf(worker)) {
    const job = state.jobs.get(number);
    if (job) missingOf(job, worker, kept.get(number) ?? new Set(), resend);
  }
  // Orders run in the order sent: the oldest assignment goes first again.
  return resend.toSorted((a, b) => a.fence - b.fence);
}

function missingOf(
  job: Job,
  worker: Worker,
  kept: ReadonlySet<number>,
  resend: Reconciliation["resend"],
): void {
  const run = job.tasks.run;
  if (run === null) return;
  for (let task = 0; task < job.tasks.count; task++) {
    if (run.worker[task] !== worker.number || kept.has(task)) continue;
    if (stateOf(job.tasks, task) !== taskState.assigned) continue;
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
  const listed = new Set<string>();
  for (const { job, first, count, attempt } of request.held) {
    for (let task = first; task < first + count; task++) listed.add(`${job}/${task}/${attempt}`);
  }
  for (const number of jobsOf(worker)) {
    const job = state.jobs.get(number);
    if (!job || job.tasks.held === 0) continue;
    const tasks: number[] = [];
    for (let task = 0; task < job.tasks.count; task++) {
      if (!isHeld(job.tasks, task) || workerOf(job.tasks, task) !== worker.number) continue;
      if (!listed.has(`${number}/${task}/${attemptOf(job.tasks, task)}`)) tasks.push(task);
    }
    if (tasks.length > 0) {
      emit(turn, { kind: "released", v: 1, job: number, worker: worker.number, tasks });
    }
  }
  return { ok: true };
}

function jobsOf(worker: Worker): number[] {
  const jobs = new Set([...worker.active.keys(), ...worker.ahead.map((run) => run.job)]);
  return [...jobs].toSorted((a, b) => a - b);
}
