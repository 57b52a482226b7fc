// GET …/tasks/{task}: one task with its attempts, its input and how it ended.

import { attemptOf, stateOf, workerOf } from "../../core/columns.ts";
import type { Job, State } from "../../core/state.ts";
import { isReferenceLine } from "../../protocol/lines.ts";
import { taskState } from "../../protocol/model.ts";
import type { TaskDetailView, TaskView } from "../../protocol/views.ts";
import type { AttemptRecord, RecordedOutcome } from "../archive/archive.ts";
import { attemptStateOf } from "../archive/ended-attempts.ts";
import { iso } from "../views.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { checkArchived, findJob, seeJob } from "./lookup.ts";
import { errorOf, parsed, reasonOf, runMsOf, storedOf } from "./outcome-json.ts";
import { endedTaskView, isRunning, liveTaskView, noSuchTask } from "./tasks.ts";

type AttemptView = TaskDetailView["attempts"][number];

interface Live {
  readonly view: TaskView;
  /** The attempt that is assigned now. */
  readonly current: AttemptView | undefined;
  /** Where the latest attempt ran, or runs. */
  readonly worker: string;
}

export async function task(context: ApiContext, call: Call<"task">): Promise<TaskDetailView> {
  const { archive } = context.master;
  const number = call.params.task;
  const job = await findJob(context, call.params.job);
  await checkArchived(context, job);
  const { id, live } = await seeJob<{ id: string; live: Live | undefined }>(
    context,
    job,
    (found, state) => ({ id: found.id, live: seeLive(context, state, found, number) }),
    (row) => ({ id: row.id, live: undefined }),
  );
  const [{ outcome, attempts }, lines] = await Promise.all([
    archive.task(job, number),
    archive.inputs(job, number, 1),
  ]);
  const view = live?.view ?? (outcome && endedTaskView(id, outcome));
  if (!view) throw noSuchTask(id, number);
  const all = attempts.map((attempt) => attemptView(id, number, attempt));
  if (outcome && outcome.attempt > 0) all.push(lastView(id, number, outcome, live?.worker ?? ""));
  if (live?.current && !outcome) all.push(live.current);
  return {
    ...view,
    attempts: all.toSorted((a, b) => a.attempt - b.attempt),
    ...(lines.count > 0 && { input: inputOf(lines.bytes) }),
    ...(outcome && endOf(outcome)),
  };
}

function seeLive({ master }: ApiContext, state: State, job: Job, task: number): Live {
  if (task >= job.tasks.count) throw noSuchTask(job.id, task);
  const worker = state.workers.get(workerOf(job.tasks, task))?.info.id ?? "";
  const view = liveTaskView(master, state, job, task);
  if (stateOf(job.tasks, task) !== taskState.assigned) return { view, current: undefined, worker };
  const attempt = attemptOf(job.tasks, task);
  const current: AttemptView = {
    attempt,
    worker,
    state: isRunning(master, job, task) ? "running" : "assigned",
    reason: null,
    charged: false,
    started: iso(job.createdWall + (job.tasks.run?.since[task] ?? 0)),
    ended: null,
    runMs: null,
    log: { worker, file: logFile(job.id, task, attempt), length: 0 },
    error: null,
  };
  return { view, current, worker };
}

/** An attempt that was not the task's outcome. */
function attemptView(job: string, task: number, record: AttemptRecord): AttemptView {
  const { attempt, worker, code, charged, logBytes } = record;
  const state = attemptStateOf(code);
  const ran = state !== "lost" && state !== "given_back";
  return {
    attempt,
    worker,
    state,
    reason: reasonOf(code).name,
    charged,
    started: iso(record.started),
    ended: iso(record.ended),
    runMs: ran ? runMsOf(record) : null,
    log: logBytes === 0 ? null : { worker, file: logFile(job, task, attempt), length: logBytes },
    error: record.error === null || record.error.length === 0 ? null : parsed(record.error),
  };
}

/** The attempt that ended the task. */
function lastView(
  job: string,
  task: number,
  outcome: RecordedOutcome,
  lastWorker: string,
): AttemptView {
  const { attempt, code, logBytes, wall } = outcome;
  const { name, state, charged } = reasonOf(code);
  // Where the master itself ended the task, its record names no worker.
  const worker = outcome.worker === "" ? lastWorker : outcome.worker;
  return {
    attempt,
    worker,
    state,
    reason: state === "succeeded" ? null : name,
    charged,
    started: iso(Math.round(wall - runMsOf(outcome))),
    ended: iso(wall),
    runMs: runMsOf(outcome),
    log: logBytes === 0 ? null : { worker, file: logFile(job, task, attempt), length: logBytes },
    error: state === "succeeded" ? null : errorOf(outcome),
  };
}

/** Below the worker's folder of logs. */
function logFile(job: string, task: number, attempt: number): string {
  return `${job}/${task}.${attempt}.log`;
}

/** A reference is shown as what it says: {"stored": …} or {"value": …, "refs": …}. */
function inputOf(line: Uint8Array): unknown {
  const end = line.at(-1) === 10 ? line.length - 1 : line.length;
  return parsed(line.subarray(isReferenceLine(line) ? 1 : 0, end));
}

function endOf(outcome: RecordedOutcome): { result?: unknown; error?: unknown } {
  if (reasonOf(outcome.code).state !== "succeeded") return { error: errorOf(outcome) };
  const stored = storedOf(outcome);
  if (stored) return { result: { stored } };
  return outcome.value.length === 0 ? {} : { result: parsed(outcome.value) };
}
