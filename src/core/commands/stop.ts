// How work ends that nobody finished: cancelled by a person, stopped after a failure, or because what it
// needs did not succeed. A job is marked first (nothing of it is assigned any more); then its tasks end in
// slices, so that no turn is long (K7). What runs holds its amounts until its worker says it is over (K6).

import { limits } from "../../protocol/limits.ts";
import { encodeOutcomes } from "../../protocol/outcome-block.ts";
import type { OutcomeItem } from "../../protocol/outcome-block.ts";
import { endReason, endReasons, taskState } from "../../protocol/model.ts";
import { attemptOf, isEnded, stateOf, workerOf } from "../columns.ts";
import type { Effect } from "../effect.ts";
import type { JobStopping, Swept, Woken } from "../entry.ts";
import { present } from "../invariants.ts";
import { refuse } from "../refusal.ts";
import type { Answer } from "../refusal.ts";
import type { Job, State } from "../state.ts";
import { endTask, noteReady, wake } from "../tasks.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";
import { endJobIfDone } from "./end-job.ts";

const noValue = new Uint8Array(0);

export interface CancelJobRequest {
  readonly kind: "cancelJob";
  readonly job: number;
  readonly reason: "cancelled" | "clientGone";
}

export function cancelJob(turn: Turn, request: CancelJobRequest): Answer {
  const job = turn.state.jobs.get(request.job);
  if (!job) return refuse("not_found", `There is no job ${request.job}.`);
  if (job.ended === "") stopJob(turn, job.number, request.reason);
  return { ok: true };
}

export interface CancelTaskRequest {
  readonly kind: "cancelTask";
  readonly job: number;
  readonly task: number;
}

export function cancelTask(turn: Turn, request: CancelTaskRequest): Answer {
  const job = turn.state.jobs.get(request.job);
  if (!job || request.task >= job.tasks.count) return refuse("not_found", "There is no such task.");
  if (!isEnded(job.tasks, request.task)) {
    sweep(turn, job, request.task, 1, endReasons.cancelled.code);
  }
  return { ok: true };
}

export function stopJob(turn: Turn, number: number, reason: keyof typeof endReasons): void {
  const job = present(turn.state.jobs.get(number), `job ${number}`);
  if (job.stopping !== null || job.ended !== "") return;
  emit(turn, { kind: "jobStopping", v: 1, job: number, reason: endReasons[reason].code });
  sweepSlice(turn, job);
}

export function applyJobStopping(state: State, entry: JobStopping, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  job.stopping = { reason: entry.reason, next: 0 };
  job.open = false;
  state.sweeping.add(job.number);
  state.unsettled.delete(job.number);
  state.touched.jobs.add(job.number);
  const note = { about: "job.cancelled", job: job.number, reason: entry.reason } as const;
  effects.push({ kind: "note", note });
  endJobIfDone(state, job, effects);
}

/** Ends the next slice of a stopping job. */
export function sweepSlice(turn: Turn, job: Job): void {
  if (job.stopping === null || job.ended !== "") {
    turn.state.sweeping.delete(job.number);
    return;
  }
  const first = job.stopping.next;
  const count = Math.min(limits.sliceTasksMax, job.tasks.count - first);
  if (count > 0) sweep(turn, job, first, count, job.stopping.reason);
}

/** Ends the unended tasks of a range. What is paired with them is settled later, not here: a long chain of jobs
 * would else be one deep recursion and one long turn (K7). */
export function sweep(turn: Turn, job: Job, first: number, count: number, reason: number): void {
  emit(turn, { kind: "swept", v: 1, job: job.number, first, count, reason });
  settlePairedLater(turn.state, job, first);
}

/** Tasks of jobs paired with this one, from the first on, are looked at slice by slice. */
export function settlePairedLater(state: State, job: Job, first: number): void {
  for (const number of job.paired) {
    state.unsettled.set(number, Math.min(first, state.unsettled.get(number) ?? first));
  }
}

export function applySwept(state: State, entry: Swept, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  const reason = endReason(entry.reason);
  const end = reason.state === "failed" ? taskState.failed : taskState.cancelled;
  const ended: OutcomeItem[] = [];
  const over = entry.first + entry.count;
  for (let task = entry.first; task < over; task++) {
    const before = stateOf(job.tasks, task);
    if (before >= taskState.succeeded) continue;
    const attempt = attemptOf(job.tasks, task);
    endTask(state, job, task, { state: end, reason: entry.reason, attemptOver: false });
    ended.push({ task, attempt, code: entry.reason, micros: 0, logBytes: 0, value: noValue });
    if (before === taskState.assigned) {
      effects.push({
        kind: "cancel",
        worker: workerOf(job.tasks, task),
        job: job.number,
        first: task,
        count: 1,
        attempt,
        reason: entry.reason,
      });
    }
  }
  if (job.stopping !== null && job.stopping.next === entry.first) {
    job.stopping.next = over;
    if (over >= job.tasks.count) state.sweeping.delete(job.number);
  }
  if (ended.length > 0) {
    effects.push({ kind: "outcomes", job: job.number, worker: 0, block: encodeOutcomes(ended) });
  }
  state.touched.jobs.add(job.number);
  endJobIfDone(state, job, effects);
}

// ── waiting for other jobs ───────────────────────────────────────────────────────────────

/** Tasks of jobs paired with this one may start or end, now that these have ended. */
export function settlePaired(turn: Turn, job: Job, first: number, count: number): void {
  for (const number of [...job.paired]) {
    const dependent = turn.state.jobs.get(number);
    if (dependent) settle(turn, dependent, first, count);
  }
}

/** Decides on the job's waiting tasks in the range: they start, end, or go on waiting. */
export function settle(turn: Turn, job: Job, first: number, count: number): void {
  if (job.stopping !== null || job.ended !== "") return;
  const verdict = waitsForJobs(turn.state, job);
  if (verdict === "failed") return stopJob(turn, job.number, "upstream");
  if (verdict === "waits" || job.wakeTime > turn.time) return;
  const over = Math.min(first + count, job.tasks.count);
  let from = first;
  while (from < over) {
    const kind = fateOf(turn.state, job, from);
    let to = from + 1;
    while (to < over && fateOf(turn.state, job, to) === kind) to++;
    if (kind === "starts") {
      emit(turn, { kind: "woken", v: 1, job: job.number, first: from, count: to - from });
    } else if (kind === "ends") sweep(turn, job, from, to - from, endReasons.upstream.code);
    from = to;
  }
}

/** What the jobs it waits for as a whole say: mode all. */
function waitsForJobs(state: State, job: Job): "free" | "waits" | "failed" {
  let waits = false;
  for (const number of job.waitsFor) {
    const ended = state.jobs.get(number)?.ended ?? "";
    if (ended === "") waits = true;
    else if (ended !== "succeeded") return "failed";
  }
  return waits ? "waits" : "free";
}

/** What the tasks of the same number say: mode each. */
function fateOf(state: State, job: Job, task: number): "starts" | "ends" | "waits" {
  if (stateOf(job.tasks, task) !== taskState.waiting) return "waits";
  let fate: "starts" | "ends" | "waits" = "starts";
  for (const number of job.pairedWith) {
    const upstream = present(state.jobs.get(number), `job ${number}`);
    if (task >= upstream.tasks.count) {
      if (!upstream.open) return "ends";
      fate = "waits";
      continue;
    }
    const before = stateOf(upstream.tasks, task);
    if (before > taskState.succeeded) return "ends";
    if (before < taskState.succeeded) fate = "waits";
  }
  return fate;
}

export function applyWoken(state: State, entry: Woken): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  wake(state, job, entry.first, entry.count);
  if (job.spec.timeouts.queuedMs > 0) noteReady(state, job, entry.first, entry.count);
}
