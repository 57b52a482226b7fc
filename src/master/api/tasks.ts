// Tasks: how one is shown, and cancelling one.

import { attemptOf, isEnded, stateOf, workerOf } from "../../core/columns.ts";
import type { Job, State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { taskName } from "../../protocol/ids.ts";
import { taskState } from "../../protocol/model.ts";
import type { OutcomeItem } from "../../protocol/outcome-block.ts";
import type { TaskView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { ask } from "../context.ts";
import { taskView } from "../views.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { findJob, seeJob } from "./lookup.ts";
import { reasonOf } from "./outcome-json.ts";

/** A task of a job in the state, with what its worker says in passing. */
export function liveTaskView(master: Master, state: State, job: Job, task: number): TaskView {
  const view = taskView(state, job, task);
  if (view.state !== "assigned") return view;
  const running = isRunning(master, job, task);
  const progress = master.sessions.progressOf(job.number, task) ?? null;
  return { ...view, state: running ? "running" : "assigned", progress };
}

export function isRunning({ sessions }: Master, job: Job, task: number): boolean {
  return (
    stateOf(job.tasks, task) === taskState.assigned &&
    sessions.isStarted(workerOf(job.tasks, task), [job.number, task, attemptOf(job.tasks, task)])
  );
}

/** A task of a job that has left the state. */
export function endedTaskView(
  job: string,
  { task, attempt, code }: Pick<OutcomeItem, "task" | "attempt" | "code">,
): TaskView {
  const { state, name } = reasonOf(code);
  return {
    job,
    task,
    name: taskName(job, task),
    state,
    reason: name === "succeeded" ? null : name,
    attempt,
    worker: null,
    fence: null,
    progress: null,
  };
}

export function noSuchTask(job: string, task: number): SkeinError {
  return new SkeinError("not_found", `There is no task ${taskName(job, task)}.`, {
    hint: "Tasks are numbered from 0; `skein job get` says how many there are.",
  });
}

export function noSuchWorker(id: string): SkeinError {
  return new SkeinError("not_found", `There is no worker ${id}.`, {
    hint: "`skein worker list` shows them.",
  });
}

export async function cancelTask(
  context: ApiContext,
  { params }: Call<"cancelTask">,
): Promise<TaskView> {
  const { master } = context;
  const { task } = params;
  const job = await findJob(context, params.job);
  const see = () =>
    seeJob(
      context,
      job,
      (live, state) => {
        if (task >= live.tasks.count) throw noSuchTask(live.id, task);
        return { view: liveTaskView(master, state, live, task), over: isEnded(live.tasks, task) };
      },
      async ({ id }) => ({ view: await archivedView(context, id, job, task), over: true }),
    );
  const before = await see();
  if (before.over) return before.view;
  await ask(master, { kind: "cancelTask", job, task });
  return (await see()).view;
}

async function archivedView(
  { master }: ApiContext,
  id: string,
  job: number,
  task: number,
): Promise<TaskView> {
  const { outcome } = await master.archive.task(job, task);
  if (!outcome) throw noSuchTask(id, task);
  return endedTaskView(id, outcome);
}
