// GET /v1/tasks: tasks over all jobs in the state, those of the newest job first. It says what it does not look at.

import type { Job, State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { Term } from "../../protocol/filter.ts";
import type { TaskView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { look } from "../context.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { readListing } from "./list-query.ts";
import type { Listing, Page } from "./list-query.ts";
import { liveScanMax, TaskSieve } from "./task-sieve.ts";
import { liveTaskView } from "./tasks.ts";

export async function findTasks(
  context: ApiContext,
  { query }: Call<"findTasks">,
): Promise<Page<TaskView>> {
  const { master, clock } = context;
  const scope = {
    resource: "tasks",
    of: "all",
    wall: clock.wall(),
    place: /^\d{1,15}\.\d{1,9}$/,
  } as const;
  const listing = readListing(query, scope);
  if (!listing.terms.some(({ field, not }) => !not && (field === "state" || field === "worker"))) {
    throw new SkeinError("bad_request", "filter: tasks of all jobs are asked by state or worker.", {
      hint: "Write filter=state:failed or filter=worker:w1; the tasks of one job are listed without.",
      fields: [{ pointer: "/filter", detail: "state or worker is missing" }],
    });
  }
  return look(master, (state) => pageIn(master, state, listing));
}

function pageIn(master: Master, state: State, listing: Listing): Page<TaskView> {
  const sieve = new TaskSieve(master, state, listing.terms);
  const jobs = candidates(state, listing.terms)
    .filter((job) => sieve.mayFit(job))
    .reverse();
  const { items, nextCursor } = itemsIn(master, state, jobs, sieve, listing);
  const said = sieve.mayFitEnded
    ? ["Of tasks that ended only those of jobs not yet retired are shown."]
    : [];
  let total = 0;
  let left = liveScanMax;
  for (const job of jobs) {
    const counted = sieve.count(job, left);
    total += counted.total;
    left -= counted.looked;
    if (counted.of === undefined) continue;
    said.push(`The total counts the first ${liveScanMax - left} tasks only.`);
    break;
  }
  return { items, total, nextCursor, ...(said.length > 0 && { partial: said.join(" ") }) };
}

/** Jobs that may have such tasks, by number: with a worker only those that have something there. */
function candidates(state: State, terms: readonly Term[]): Job[] {
  const all = [...state.jobs.values()];
  const onWorker = terms.find(({ field, not }) => field === "worker" && !not);
  if (onWorker?.kind !== "is") return all;
  const numbers = new Set<number>();
  for (const id of onWorker.values) {
    const worker = state.workers.get(state.workerNumbers.get(id) ?? 0);
    for (const { job } of worker?.ranges ?? []) numbers.add(job);
  }
  return all.filter(({ number }) => numbers.has(number));
}

function itemsIn(
  master: Master,
  state: State,
  jobs: readonly Job[],
  sieve: TaskSieve,
  { place, limit, next }: Listing,
): Pick<Page<TaskView>, "items" | "nextCursor"> {
  const [fromJob = Infinity, fromTask = 0] = place?.split(".").map(Number) ?? [];
  const items: TaskView[] = [];
  let looked = 0;
  for (const job of jobs) {
    if (job.number > fromJob) continue;
    for (let task = job.number === fromJob ? fromTask : 0; task < job.tasks.count; task++) {
      if (++looked > liveScanMax) return { items, nextCursor: next(`${job.number}.${task}`) };
      if (!sieve.fits(job, task)) continue;
      if (items.length === limit) return { items, nextCursor: next(`${job.number}.${task}`) };
      items.push(liveTaskView(master, state, job, task));
    }
  }
  return { items, nextCursor: null };
}
