// GET …/tasks: pages of a job's tasks, in their order. Totals come from counters (E2); a page that looked at many
// tasks and found few of a state ends early and says where to go on.

import { stateOf } from "../../core/columns.ts";
import type { Job, State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { taskState, taskStates } from "../../protocol/model.ts";
import type { TaskState } from "../../protocol/model.ts";
import type { TaskView } from "../../protocol/views.ts";
import { archiveLimits } from "../archive/archive.ts";
import type { JobRow } from "../archive/archive.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { findJob, seeJob, viewOfRow } from "./lookup.ts";
import { decodeCursor, encodeCursor } from "./pages.ts";
import type { Page } from "./pages.ts";
import { endedTaskView, isRunning, liveTaskView } from "./tasks.ts";

/** Tasks that one page looks at: what a loop turn can spare, what an archive reads in a moment. */
const liveScanMax = 1_000_000;
const archiveScanMax = 64 * archiveLimits.resultsMax;

/** `assigned` is what the journal knows; `running` those of them that a worker says have begun. */
type Filter = TaskState | "running" | undefined;

interface ListQuery {
  readonly from: number;
  readonly limit: number;
  readonly filter: Filter;
}

export async function tasks(context: ApiContext, call: Call<"tasks">): Promise<Page<TaskView>> {
  const { limit, cursor, state } = call.query;
  const from = cursor === undefined ? 0 : Number(decodeCursor(cursor, /^\d{1,9}$/));
  const query = { from, limit, filter: parseFilter(state) };
  const number = await findJob(context, call.params.job);
  return seeJob(
    context,
    number,
    (job, now) => livePage(context, now, job, query),
    (row) => archivedPage(context, row, query),
  );
}

function parseFilter(state: string | undefined): Filter {
  if (state === undefined || state === "running") return state;
  const known = taskStates.find((one) => one === state);
  if (known) return known;
  const names = [...taskStates, "running"].join(", ");
  throw new SkeinError("bad_request", `state: there is no "${state}"; there are ${names}`);
}

function livePage(
  { master }: ApiContext,
  state: State,
  job: Job,
  { from, limit, filter }: ListQuery,
): Page<TaskView> {
  const byte = filter === undefined ? -1 : taskState[filter === "running" ? "assigned" : filter];
  const fits = (task: number) =>
    (byte < 0 || stateOf(job.tasks, task) === byte) &&
    (filter !== "running" || isRunning(master, job, task));
  const { count, counts } = job.tasks;
  const items: TaskView[] = [];
  const end = Math.min(count, from + liveScanMax);
  let task = from;
  for (; task < end && items.length < limit; task++) {
    if (fits(task)) items.push(liveTaskView(master, state, job, task));
  }
  let total = byte < 0 ? count : (counts[byte] ?? 0);
  if (filter === "running") {
    total = 0;
    for (let other = 0; other < count; other++) if (fits(other)) total++;
  }
  const complete = task >= count || (from === 0 && items.length === total);
  return { items, total, nextCursor: complete ? null : encodeCursor(String(task)) };
}

async function archivedPage(
  { master }: ApiContext,
  row: JobRow,
  { from, limit, filter }: ListQuery,
): Promise<Page<TaskView>> {
  const { tasks: count, counts } = viewOfRow(row);
  const total = filter === undefined ? count : filter === "running" ? 0 : counts[filter];
  const items: TaskView[] = [];
  const end = Math.min(count, from + archiveScanMax);
  let next = total === 0 ? count : from;
  while (next < end && items.length < limit) {
    const wanted = filter === undefined ? limit - items.length : archiveLimits.resultsMax;
    const size = Math.min(wanted, archiveLimits.resultsMax, end - next);
    const page = await master.archive.results(row.number, {
      from: next,
      count: size,
      values: false,
    });
    next = page.next;
    for (const item of page.items) {
      const view = endedTaskView(row.id, item);
      if (filter !== undefined && view.state !== filter) continue;
      if (items.length === limit) {
        next = item.task;
        break;
      }
      items.push(view);
    }
  }
  const complete = next >= count || (from === 0 && items.length === total);
  return { items, total, nextCursor: complete ? null : encodeCursor(String(next)) };
}
