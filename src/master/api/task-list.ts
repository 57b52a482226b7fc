// GET …/tasks: pages of a job's tasks, in their order. Totals come from counters (E2), or are counted; a page that
// looked at many tasks and found few ends early and says where to go on, and a total that is only a bound is said
// to be one (P8).

import type { Job, State } from "../../core/state.ts";
import { holds } from "../../protocol/filter.ts";
import type { Term } from "../../protocol/filter.ts";
import type { TaskView } from "../../protocol/views.ts";
import { archiveLimits } from "../archive/archive.ts";
import type { Archive, JobRow } from "../archive/archive.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { readListing } from "./list-query.ts";
import type { Listing, Page } from "./list-query.ts";
import { findJob, seeJob, viewOfRow } from "./lookup.ts";
import { liveScanMax, TaskSieve } from "./task-sieve.ts";
import { endedTaskView, liveTaskView } from "./tasks.ts";

/** Tasks that one page looks at: what an archive reads in a moment. */
const archiveScanMax = 64 * archiveLimits.resultsMax;
/** Tasks that did not succeed, of which an end reason is looked for. */
const reasonScanMax = 100_000;

export async function tasks(context: ApiContext, call: Call<"tasks">): Promise<Page<TaskView>> {
  const number = await findJob(context, call.params.job);
  const wall = context.clock.wall();
  const scope = { resource: "tasks", of: number, wall, place: /^\d{1,9}$/ } as const;
  const listing = readListing(call.query, scope);
  return seeJob(
    context,
    number,
    (job, now) => livePage(context, now, job, listing),
    (row) => archivedPage(context, row, listing),
  );
}

function livePage(
  { master }: ApiContext,
  state: State,
  job: Job,
  { terms, limit, place, next }: Listing,
): Page<TaskView> {
  const sieve = new TaskSieve(master, state, terms);
  const from = Number(place ?? 0);
  const { count } = job.tasks;
  const items: TaskView[] = [];
  const end = Math.min(count, from + liveScanMax);
  let task = sieve.mayFit(job) ? from : count;
  for (; task < end && items.length < limit; task++) {
    if (sieve.fits(job, task)) items.push(liveTaskView(master, state, job, task));
  }
  const { total, of } = sieve.count(job);
  const complete = task >= count || (from === 0 && of === undefined && items.length === total);
  const nextCursor = complete ? null : next(String(task));
  const partial = `The total counts the first ${of} tasks only.`;
  return { items, total, nextCursor, ...(of !== undefined && { partial }) };
}

interface Fitting {
  readonly total: number;
  /** Those that fit, where they were all looked for. */
  readonly found: readonly TaskView[] | undefined;
  readonly partial: string | undefined;
}

async function archivedPage(
  { master }: ApiContext,
  row: JobRow,
  { terms, limit, place, next: cursorOf }: Listing,
): Promise<Page<TaskView>> {
  const from = Number(place ?? 0);
  const fits = ({ state, reason }: { state: string; reason: string | null }) =>
    holds(terms, (field) => ({ state, reason })[field]);
  const { total, found, partial } = await fittingOf(master.archive, row, terms, fits);
  const said = partial === undefined ? {} : { partial };
  if (found) {
    const rest = found.filter(({ task }) => task >= from);
    const after = rest[limit];
    const nextCursor = after ? cursorOf(String(after.task)) : null;
    return { items: rest.slice(0, limit), total, nextCursor, ...said };
  }
  const count = viewOfRow(row).tasks;
  const items: TaskView[] = [];
  const end = Math.min(count, from + archiveScanMax);
  let next = total === 0 ? count : from;
  while (next < end && items.length < limit) {
    const wanted = terms.length === 0 ? limit - items.length : archiveLimits.resultsMax;
    const size = Math.min(wanted, archiveLimits.resultsMax, end - next);
    const page = await master.archive.results(row.number, {
      from: next,
      count: size,
      values: false,
    });
    next = page.next;
    for (const item of page.items) {
      const view = endedTaskView(row.id, item);
      if (!fits(view)) continue;
      if (items.length === limit) {
        next = item.task;
        break;
      }
      items.push(view);
    }
  }
  const complete = next >= count || (from === 0 && items.length === total);
  return { items, total, nextCursor: complete ? null : cursorOf(String(next)), ...said };
}

/** End reasons have no counters: what did not succeed is looked at, since there is seldom much of it. */
async function fittingOf(
  archive: Archive,
  row: JobRow,
  terms: readonly Term[],
  fits: (task: { state: string; reason: string | null }) => boolean,
): Promise<Fitting> {
  const { counts } = viewOfRow(row);
  const succeeded = fits({ state: "succeeded", reason: null }) ? counts.succeeded : 0;
  if (!terms.some(({ field }) => field === "reason")) {
    const others = (["failed", "cancelled"] as const).filter((state) =>
      fits({ state, reason: null }),
    );
    const total = others.reduce((sum, state) => sum + counts[state], succeeded);
    return { total, found: undefined, partial: undefined };
  }
  const states = ["failed", "cancelled"] as const;
  const ended = await archive.endedTasks(row.number, { states, limit: reasonScanMax });
  const found = ended.tasks
    .map((task) => endedTaskView(row.id, task))
    .filter(fits)
    .sort((a, b) => a.task - b.task);
  const many = reasonScanMax.toLocaleString("en-US");
  return {
    total: found.length + succeeded,
    found: succeeded === 0 ? found : undefined,
    partial:
      ended.next && `Of the tasks that did not succeed only the first ${many} were looked at.`,
  };
}
