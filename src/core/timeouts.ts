// What time brings: back-offs and delays that are over, queues waited in too long, drains past their
// deadline, keys and payloads past their time; and the work that is done in slices. The leader calls this
// once a turn; each piece is small, what is left over comes in the next turn.

import { limits } from "../protocol/limits.ts";
import { endReasons, taskState } from "../protocol/model.ts";
import { isRetirable } from "./commands/end-job.ts";
import { settle, sweep, sweepSlice } from "./commands/stop.ts";
import { forgetWorkers } from "./commands/forget-worker.ts";
import { finishDrains } from "./commands/worker.ts";
import { freePayloads } from "./commands/payloads.ts";
import { stateOf } from "./columns.ts";
import type { Job, Part } from "./state.ts";
import { partOf } from "./tasks.ts";
import { addTimer, nextTimerAt, takeTimer } from "./timers.ts";
import type { QueuedTimer, Timer } from "./timers.ts";
import { emit } from "./turn.ts";
import type { Turn } from "./turn.ts";

/** Timers looked at in one turn. */
const timersPerTurn = 5_000;

/** Emits what has fallen due. True when more is waiting for the next turn. */
export function expire(turn: Turn): boolean {
  let looked = 0;
  const slice: Slice = { looks: 10 * limits.sliceTasksMax, ends: limits.sliceTasksMax };
  for (; looked < timersPerTurn && slice.looks > 0 && slice.ends > 0; looked++) {
    const timer = takeTimer(turn.state.timers, turn.time);
    if (!timer) break;
    fire(turn, timer, slice);
  }
  for (const number of [...turn.state.sweeping]) {
    const job = turn.state.jobs.get(number);
    if (job) sweepSlice(turn, job);
    else turn.state.sweeping.delete(number);
    break;
  }
  settleSome(turn);
  finishDrains(turn);
  forgetWorkers(turn);
  forgetSome(turn);
  retireSome(turn);
  const { timers, sweeping, unsettled } = turn.state;
  return nextTimerAt(timers) <= turn.time || sweeping.size > 0 || unsettled.size > 0;
}

/** What is left of this turn for queue timeouts (K7): tasks that may be looked at, and that may end. */
interface Slice {
  looks: number;
  ends: number;
}

function fire(turn: Turn, timer: Timer, slice: Slice): void {
  const { state } = turn;
  if (timer.kind === "backoff") {
    const job = state.jobs.get(timer.job);
    if (!job || stateOf(job.tasks, timer.task) !== taskState.backoff) return;
    const due = job.createdTime + (job.tasks.run?.since[timer.task] ?? 0);
    if (due <= turn.time) {
      emit(turn, { kind: "woken", v: 1, job: timer.job, first: timer.task, count: 1 });
    }
  } else if (timer.kind === "wake") {
    if (state.jobs.has(timer.job)) state.unsettled.set(timer.job, 0);
  } else if (timer.kind === "queued") endOverdue(turn, timer, slice);
  else if (timer.kind === "payload")
    freePayloads(turn, { kind: "freePayloads", hashes: freeable(turn, timer.hash) });
  else if (timer.kind === "key") forgetUserKey(turn, timer.key);
  else if (timer.kind === "keys") forgetClient(turn, timer.client);
  // "drain" needs no entry: the worker keeps the deadline (T2), the shell follows it up.
}

/**
 * Tasks end that have been ready for the queue timeout and were never assigned. What this turn has no time for
 * is due in the next one; each task stays in one timer.
 */
function endOverdue(turn: Turn, timer: QueuedTimer, slice: Slice): void {
  const { timers } = turn.state;
  const job = turn.state.jobs.get(timer.job);
  const part = job && partOf(job, timer.first);
  if (!job || !part || job.ended !== "" || job.stopping !== null) return;
  const over = timer.first + timer.count;
  const stop = Math.min(over, timer.first + slice.looks);
  let next = never;
  let from = timer.first;
  while (from < stop && slice.ends > 0) {
    const due = queueDue(turn, job, part, from);
    let to = from + 1;
    if (due > turn.time) next = Math.min(next, due);
    else {
      const most = Math.min(stop, from + slice.ends);
      while (to < most && queueDue(turn, job, part, to) <= turn.time) to++;
      slice.ends -= to - from;
      sweep(turn, job, from, to - from, endReasons.queueTimeout.code);
    }
    from = to;
  }
  slice.looks -= from - timer.first;
  if (next < never) addTimer(timers, { ...timer, at: next, count: from - timer.first });
  if (from < over && job.ended === "") {
    addTimer(timers, { ...timer, first: from, count: over - from });
  }
}

const never = Number.MAX_SAFE_INTEGER;

/** When the task has been ready for too long. One that waits cannot say; it is looked at again. */
function queueDue(turn: Turn, job: Job, part: Part, task: number): number {
  const { queuedMs } = job.spec.timeouts;
  const { run } = job.tasks;
  if ((run?.attempt[task] ?? 0) > 0) return never;
  const state = stateOf(job.tasks, task);
  if (state === taskState.waiting) return turn.time + Math.max(queuedMs, 1_000);
  if (state !== taskState.ready) return never;
  return Math.max(part.createdTime, job.createdTime + (run?.since[task] ?? 0)) + queuedMs;
}

function freeable(turn: Turn, hash: string): string[] {
  const use = turn.state.payloads.get(hash);
  return use && use.uses <= 0 ? [hash] : [];
}

function forgetUserKey(turn: Turn, key: string): void {
  const known = turn.state.userKeys.get(key);
  if (!known || known.expires > turn.time) return;
  emit(turn, { kind: "keysForgotten", v: 1, clients: [], userKeys: [key] });
}

function forgetClient(turn: Turn, client: string): void {
  const known = turn.state.clients.get(client);
  if (!known) return;
  const at = known.seenTime + limits.clientForgottenMs;
  if (at > turn.time) addTimer(turn.state.timers, { at, kind: "keys", client });
  else emit(turn, { kind: "keysForgotten", v: 1, clients: [client], userKeys: [] });
}

/** What looking at a job costs beside its tasks, in tasks. */
const jobWeight = 100;

/** Waiting tasks of jobs that may start or end by now, a slice in all. */
function settleSome(turn: Turn): void {
  const { state } = turn;
  let left: number = limits.sliceTasksMax;
  // Jobs that become unsettled meanwhile are met in the same walk: a chain moves on many links a turn.
  for (const [number, from] of state.unsettled) {
    const job = state.jobs.get(number);
    state.unsettled.delete(number);
    if (!job || job.ended !== "") continue;
    settle(turn, job, from, left);
    const next = from + left;
    left -= Math.max(jobWeight, Math.min(left, job.tasks.count - from));
    if (next < job.tasks.count && !state.unsettled.has(number)) state.unsettled.set(number, next);
    if (left <= 0) return;
  }
}

/** Finished jobs leave when there are too many of them, or when they are old (A2). */
function retireSome(turn: Turn): void {
  const { state } = turn;
  let retired = 0;
  // What ended in this very batch stays for one more: archive and followers read its end from the state.
  const fresh = new Set<number>();
  for (const effect of turn.effects) if (effect.kind === "jobEnded") fresh.add(effect.job);
  for (const number of state.finished) {
    const job = state.jobs.get(number);
    const crowded =
      state.finished.size > limits.finishedJobsMax || state.finishedTasks > limits.finishedTasksMax;
    const old = job !== undefined && turn.time - job.endedTime > limits.finishedMs;
    if (!job || (!crowded && !old) || retired >= 256) return;
    // One that is still needed does not stand in the way of those behind it.
    if (!isRetirable(job) || fresh.has(number)) continue;
    emit(turn, { kind: "retired", v: 1, job: number });
    retired++;
  }
}

/** What retired jobs had stored is let go when the archive may forget them. Retention goes by the wall (T1). */
function forgetSome(turn: Turn): void {
  const jobs: number[] = [];
  for (const [number, { endedWall }] of turn.state.kept) {
    if (endedWall > turn.wall - limits.archiveMs || jobs.length >= 256) break;
    jobs.push(number);
  }
  if (jobs.length > 0) emit(turn, { kind: "forgotten", v: 1, jobs });
}
