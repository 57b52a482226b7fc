// GET …/grid: the state of every task of a job, a byte each, for a picture in which each is a square. Of several
// tasks in one square the state is shown that needs a look most.

import { stateOf } from "../../core/columns.ts";
import type { Job } from "../../core/state.ts";
import { taskState, taskStates } from "../../protocol/model.ts";
import { pictureStates } from "../../protocol/picture-states.ts";
import type { PictureState } from "../../protocol/picture-states.ts";
import type { GridView } from "../../protocol/picture-views.ts";
import { noCode } from "../archive/run-picture.ts";
import type { Master } from "../context.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { checkArchived, findJob, seeJob, viewOfRow } from "./lookup.ts";
import { pictureStateOf } from "./task-stream.ts";
import { isRunning } from "./tasks.ts";

/** Number in `pictureStates` by the state column's byte. */
const byByte = Uint8Array.from(taskStates, (name) => pictureStates.indexOf(name));
const running = pictureStates.indexOf("running");

/** Those that need a look first. */
const urgency: readonly PictureState[] = [
  "failed",
  "backoff",
  "running",
  "assigned",
  "ready",
  "waiting",
  "cancelled",
  "succeeded",
];
const rank = Uint8Array.from(pictureStates, (state) => urgency.length - urgency.indexOf(state));

export async function grid(context: ApiContext, call: Call<"grid">): Promise<GridView> {
  const job = await findJob(context, call.params.job);
  await checkArchived(context, job);
  const { cells } = call.query;
  const live = await seeJob<GridView | number>(
    context,
    job,
    (found) => packed(found.tasks.count, cells, liveState(context.master, found)),
    (row) => viewOfRow(row).tasks,
  );
  if (typeof live !== "number") return live;
  const codes = await context.master.archive.codes(job, live);
  return packed(live, cells, (task) => {
    const code = codes[task] ?? noCode;
    return code === noCode ? 0 : pictureStates.indexOf(pictureStateOf(code));
  });
}

function liveState(master: Master, job: Job): (task: number) => number {
  return (task) => {
    const byte = stateOf(job.tasks, task);
    if (byte === taskState.assigned && isRunning(master, job, task)) return running;
    return byByte[byte] ?? 0;
  };
}

function packed(tasks: number, cells: number, stateOfTask: (task: number) => number): GridView {
  const perCell = Math.max(1, Math.ceil(tasks / cells));
  const states = Buffer.alloc(Math.ceil(tasks / perCell));
  for (let task = 0; task < tasks; task++) {
    const cell = Math.floor(task / perCell);
    const state = stateOfTask(task);
    const first = task % perCell === 0;
    if (first || (rank[state] ?? 0) > (rank[states[cell] ?? 0] ?? 0)) states[cell] = state;
  }
  return { tasks, perCell, states: states.toString("base64") };
}
