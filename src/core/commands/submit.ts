// How a job comes into being: created, given its inputs in parts, closed (K1). Keys make each step safe to
// repeat (K8): the same key and body give the same job, another body is refused.

import { limits } from "../../protocol/limits.ts";
import { splitLines } from "../../protocol/lines.ts";
import { taskState } from "../../protocol/model.ts";
import type { JobSpec } from "../../protocol/model.ts";
import { armJobTimers, classKeyOf, sortedAmounts } from "../classes.ts";
import {
  bytesOfPart,
  bytesPerInput,
  bytesPerJob,
  bytesPerPart,
  createColumns,
  growColumns,
  runBytesPerTask,
  stateBytesPerTask,
  sumTask,
} from "../columns.ts";
import type { Effect } from "../effect.ts";
import type { JobClosed, JobCreated, PartAdded, RequestKey } from "../entry.ts";
import { present } from "../invariants.ts";
import { refuse } from "../refusal.ts";
import type { Answer, Refusal } from "../refusal.ts";
import type { Job, Part, State } from "../state.ts";
import { sumDependent, sumPart } from "../sums.ts";
import { wake } from "../tasks.ts";
import { addTimer } from "../timers.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";
import { endJobIfDone } from "./end-job.ts";
import { findKey, rememberKey } from "./keys.ts";
import { ensureQueue } from "./queue.ts";
import { stopJob } from "./stop.ts";
import { useStored } from "./payloads.ts";

export interface SubmitRequest {
  readonly kind: "submit";
  /** A fresh id; not used when the key names a job that exists. */
  readonly id: string;
  readonly spec: JobSpec;
  readonly open: boolean;
  readonly key: RequestKey | null;
  readonly parts: readonly PartInput[];
  /** Dependencies that are retired already: their ids and how they ended. */
  readonly archived: ReadonlyMap<string, string>;
  readonly strictQueues: boolean;
}

export interface PartInput {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly sum: number;
  readonly payloads: readonly string[];
}

export function submit(
  turn: Turn,
  request: SubmitRequest,
): Answer<{ job: number; isNew: boolean }> {
  const { state } = turn;
  const known = request.key === null ? null : findKey(state, request.key);
  if (known !== null) return known.ok ? { ok: true, job: known.job, isNew: false } : known;
  const refusal = checkRoom(state, request) ?? checkDependencies(state, request);
  if (refusal) return refusal;
  ensureQueue(turn, request.spec);
  const number = state.nextJob;
  const { waitsFor, pairedWith, failed } = dependencies(state, request);
  emit(turn, {
    kind: "jobCreated",
    v: 1,
    job: number,
    id: request.id,
    spec: request.spec,
    open: true,
    waitsFor,
    pairedWith,
    key: request.key,
  });
  for (const [part, input] of request.parts.entries()) addPart(turn, number, part, input);
  if (!request.open) emit(turn, { kind: "jobClosed", v: 1, job: number });
  if (failed) stopJob(turn, number, "upstream");
  return { ok: true, job: number, isNew: true };
}

function checkRoom(state: State, request: SubmitRequest): Refusal | undefined {
  if (state.jobNumbers.has(request.id)) return refuse("conflict", `The id ${request.id} is taken.`);
  const name = request.spec.queue;
  const queue = state.queues.get(name);
  if (request.strictQueues && !queue) {
    const known = [...state.queues.keys()].join(", ") || "none";
    return refuse("unknown_queue", `There is no queue "${name}"; there are: ${known}.`);
  }
  return roomFor(state, request.spec.queue, request.parts);
}

/** P7: past the limit a submit is told to come back. */
function roomFor(state: State, name: string, parts: readonly PartInput[]): Refusal | undefined {
  const each = bytesPerPart + bytesPerInput;
  const more = parts.reduce((sum, part) => sum + part.bytes.length + part.count * 32 + each, 0);
  if (state.bytes + more > limits.stateBytesMax) {
    return refuse("overloaded", "The cluster's memory for queued work is full.", { retryAfter: 5 });
  }
  const queue = state.queues.get(name);
  const tasks = parts.reduce((sum, part) => sum + part.count, 0);
  if (queue && queue.settings.queuedMax > 0 && queue.waiting + tasks > queue.settings.queuedMax) {
    return refuse(
      "queue_full",
      `Queue "${name}" takes ${queue.settings.queuedMax} waiting tasks and has ${queue.waiting}.`,
      { retryAfter: 5 },
    );
  }
  return undefined;
}

function checkDependencies(state: State, request: SubmitRequest): Refusal | undefined {
  for (const { job, mode } of request.spec.after) {
    if (state.jobNumbers.has(job)) continue;
    const ended = request.archived.get(job);
    if (ended === undefined) {
      return refuse("unknown_dependency", `The job it waits for, ${job}, does not exist.`);
    }
    // Its tasks are not in the state any more: which of them succeeded nobody can decide here.
    if (mode === "each" && ended !== "succeeded") {
      const hint =
        "Retry the failed tasks of that job, and pair with the job that the retry makes.";
      return refuse("conflict", `Job ${job} has ${ended} and left the state long ago.`, { hint });
    }
  }
  return undefined;
}

function dependencies(state: State, request: SubmitRequest) {
  const waitsFor: number[] = [];
  const pairedWith: number[] = [];
  let failed = false;
  for (const { job: id, mode } of request.spec.after) {
    const upstream = state.jobs.get(state.jobNumbers.get(id) ?? 0);
    const ended = upstream ? upstream.ended : (request.archived.get(id) ?? "");
    if (upstream && mode === "each") pairedWith.push(upstream.number);
    else if (upstream && ended === "") waitsFor.push(upstream.number);
    else if (ended !== "succeeded") failed = true;
  }
  return { waitsFor, pairedWith, failed };
}

export function applyJobCreated(state: State, entry: JobCreated, effects: Effect[]): void {
  const { spec } = entry;
  const job: Job = {
    number: entry.job,
    id: entry.id,
    spec,
    classKey: classKeyOf(spec),
    amounts: sortedAmounts(spec.needs),
    createdTime: state.time,
    createdWall: state.wall,
    startedWall: 0,
    endedTime: 0,
    endedWall: 0,
    open: entry.open,
    ended: "",
    stopping: null,
    waitsFor: new Set(entry.waitsFor),
    pairedWith: entry.pairedWith,
    dependents: new Set(),
    paired: new Set(),
    wakeTime: state.time + spec.delayMs,
    tasks: createColumns(),
    parts: [],
    payloads: new Map(),
    attempts: 0,
    attemptsLost: 0,
    runMicros: 0,
    runCount: 0,
    deaths: new Map(),
    sumA: 0,
    sumB: 0,
    otherA: 0,
    otherB: 0,
  };
  state.jobs.set(job.number, job);
  state.jobNumbers.set(job.id, job.number);
  state.nextJob = job.number + 1;
  state.bytes += bytesPerJob;
  state.totals.submitted++;
  present(state.queues.get(spec.queue), `queue ${spec.queue}`).jobs++;
  for (const upstream of [...entry.waitsFor, ...entry.pairedWith]) {
    const other = present(state.jobs.get(upstream), `job ${upstream}`);
    if (!other.dependents.has(job.number)) sumDependent(other, job.number, 1);
    other.dependents.add(job.number);
    state.touched.jobs.add(upstream);
  }
  for (const upstream of entry.pairedWith) state.jobs.get(upstream)?.paired.add(job.number);
  if (spec.concurrency !== null) {
    const use = state.concurrency.get(spec.concurrency.key);
    if (use) {
      use.jobs++;
      use.limit = spec.concurrency.limit;
    } else {
      state.concurrency.set(spec.concurrency.key, {
        limit: spec.concurrency.limit,
        active: 0,
        jobs: 1,
      });
    }
  }
  if (spec.code.kind === "function") useStored(state, job, spec.code.bundle, true);
  if (entry.key !== null) rememberKey(state, entry.key, job.number);
  armJobTimers(state, job);
  state.touched.jobs.add(job.number);
  effects.push({ kind: "jobCreated", job: job.number });
}

// ── parts ────────────────────────────────────────────────────────────────────────────────

export interface PartRequest {
  readonly kind: "part";
  readonly job: number;
  readonly part: number;
  readonly input: PartInput;
}

export function part(turn: Turn, request: PartRequest): Answer<{ tasks: number }> {
  const { state } = turn;
  const job = state.jobs.get(request.job);
  if (!job) return refuse("not_found", `There is no job ${request.job}.`);
  const before = job.parts[request.part];
  if (before) {
    if (before.sum === request.input.sum && before.count === request.input.count) {
      return { ok: true, tasks: job.tasks.count };
    }
    return refuse(
      "part_differs",
      `Part ${request.part} of job ${job.id} was sent with other bytes.`,
    );
  }
  if (!job.open) return refuse("job_closed", `Job ${job.id} is closed.`);
  if (request.part !== job.parts.length) {
    return refuse(
      "part_gap",
      `Part ${request.part} of job ${job.id} came before part ${job.parts.length}.`,
    );
  }
  if (job.tasks.count + request.input.count > limits.tasksPerJobMax) {
    return refuse("too_large", `A job has at most ${limits.tasksPerJobMax} tasks.`);
  }
  const full = roomFor(state, job.spec.queue, [request.input]);
  if (full) return full;
  addPart(turn, job.number, request.part, request.input);
  return { ok: true, tasks: job.tasks.count };
}

function addPart(turn: Turn, job: number, partNumber: number, input: PartInput): void {
  emit(turn, { kind: "partAdded", v: 1, job, part: partNumber, ...input });
}

export function applyPartAdded(state: State, entry: PartAdded, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  const first = job.tasks.count;
  growColumns(job.tasks, entry.count);
  job.tasks.counts[taskState.waiting] = (job.tasks.counts[taskState.waiting] ?? 0) + entry.count;
  for (let task = first; task < first + entry.count; task++) sumTask(job, task, 1);
  const made: Part = {
    first,
    count: entry.count,
    createdTime: state.time,
    sum: entry.sum,
    bytes: entry.bytes,
    offsets: splitLines(entry.bytes, entry.count),
    left: entry.count,
  };
  job.parts.push(made);
  sumPart(job, made, 1);
  for (const hash of entry.payloads) useStored(state, job, hash);
  const perTask = stateBytesPerTask + (job.tasks.run === null ? 0 : runBytesPerTask);
  state.bytes += bytesOfPart(made) + entry.count * perTask;
  present(state.queues.get(job.spec.queue), "queue").waiting += entry.count;
  if (isFree(state, job)) wake(state, job, first, entry.count);
  else state.unsettled.set(job.number, Math.min(first, state.unsettled.get(job.number) ?? first));
  if (job.spec.timeouts.queuedMs > 0) {
    const at = state.time + job.spec.timeouts.queuedMs;
    const { count } = entry;
    addTimer(state.timers, { at, kind: "queued", job: job.number, first, count });
  }
  state.touched.jobs.add(job.number);
  effects.push({
    kind: "inputs",
    job: job.number,
    part: entry.part,
    first,
    count: entry.count,
    bytes: entry.bytes,
  });
}

/** Nothing holds back the job's tasks: no dependency, no delay, no stop. */
export function isFree(state: State, job: Job): boolean {
  return (
    job.waitsFor.size === 0 &&
    job.pairedWith.length === 0 &&
    job.wakeTime <= state.time &&
    job.stopping === null
  );
}

// ── close ────────────────────────────────────────────────────────────────────────────────

export interface CloseRequest {
  readonly kind: "close";
  readonly job: number;
  /** How many parts the client sent, if it says so: a missing one is refused. */
  readonly parts: number | null;
}

export function close(turn: Turn, request: CloseRequest): Answer {
  const job = turn.state.jobs.get(request.job);
  if (!job) return refuse("not_found", `There is no job ${request.job}.`);
  if (request.parts !== null && request.parts > job.parts.length) {
    return refuse("part_gap", `Job ${job.id} has ${job.parts.length} parts, not ${request.parts}.`);
  }
  if (job.open) emit(turn, { kind: "jobClosed", v: 1, job: job.number });
  return { ok: true };
}

export function applyJobClosed(state: State, entry: JobClosed, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  job.open = false;
  state.touched.jobs.add(job.number);
  if (job.pairedWith.length > 0) state.unsettled.set(job.number, 0);
  for (const dependent of job.dependents) state.unsettled.set(dependent, 0);
  endJobIfDone(state, job, effects);
}
