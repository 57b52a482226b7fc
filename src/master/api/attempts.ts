// GET …/attempts, of a job and of a worker: first what is under way, in the order of tasks, then what ended, newest
// first, from the archive. An attempt that ends between two pages may so be on both, never on none.

import { attemptOf, stateOf, workerOf } from "../../core/columns.ts";
import { tasksOn } from "../../core/on-worker.ts";
import type { Job, State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { holds } from "../../protocol/filter.ts";
import { taskName } from "../../protocol/ids.ts";
import { endReasons, taskState } from "../../protocol/model.ts";
import type { ListedAttemptView } from "../../protocol/views.ts";
import { attemptStateOf } from "../archive/ended-attempts.ts";
import type { AttemptsPlace, AttemptsQuery, EndedAttempt } from "../archive/ended-attempts.ts";
import { look } from "../context.ts";
import type { Master } from "../context.ts";
import { iso } from "../views.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { readListing } from "./list-query.ts";
import type { Listing, ListQuery } from "./list-query.ts";
import { checkArchived, findJob, rangesText, seeJob } from "./lookup.ts";
import { parsed, reasonOf, runMsOf } from "./outcome-json.ts";
import { isRunning, noSuchWorker } from "./tasks.ts";

/** Tasks that one page looks at for those under way. */
const scanMax = 1_000_000;
const messageCharsMax = 300;

type Of = AttemptsQuery["of"];
interface Page {
  readonly items: ListedAttemptView[];
  readonly total: null;
  readonly nextCursor: string | null;
  readonly partial: string;
}

export async function jobAttempts(
  context: ApiContext,
  { params, query }: Call<"jobAttempts">,
): Promise<Page> {
  const job = await findJob(context, params.job);
  await checkArchived(context, job);
  return listAttempts(context, { job }, query);
}

/** Also of a worker that was forgotten, as long as the archive knows of it. */
export async function workerAttempts(
  context: ApiContext,
  { params, query }: Call<"workerAttempts">,
): Promise<Page> {
  const { worker } = params;
  const known = await look(context.master, (state) => state.workerNumbers.has(worker));
  const page = await listAttempts(context, { worker }, query);
  const nothing = page.items.length === 0 && query.cursor === undefined && !query.filter;
  if (!known && nothing) throw noSuchWorker(worker);
  return page;
}

async function listAttempts(context: ApiContext, of: Of, query: ListQuery): Promise<Page> {
  const { master, clock } = context;
  const listing = readListing(query, {
    resource: "attempts",
    of: "job" in of ? of.job : of.worker,
    wall: clock.wall(),
    place: /^(?:live\.\d{1,15}\.\d{1,9}|ended(?:\.\d{1,17}){4}|ended)$/,
  });
  const live = await livePage(master, of, listing);
  const left = listing.limit - live.items.length;
  const partial = partialText(master);
  const head = { total: null, partial };
  if (live.more !== undefined) return { ...head, items: live.items, nextCursor: live.more };
  if (left === 0) return { ...head, items: live.items, nextCursor: listing.next("ended") };
  const ended = await master.archive.endedAttempts({
    of,
    terms: listing.terms,
    limit: left,
    before: placeOf(listing.place),
  });
  const items = [...live.items, ...(await endedViews(context, ended.items))];
  const { next } = ended;
  const place = next && `ended.${next.index}.${next.n}.${next.item}.${next.seq}`;
  return { ...head, items, nextCursor: place === undefined ? null : listing.next(place) };
}

function partialText({ archive }: Master): string {
  const text = "The total is not counted.";
  const { lacks } = archive;
  if (lacks.length === 0) return text;
  return `${text} This master's archive lacks what was recorded in batches ${rangesText(lacks)}.`;
}

function placeOf(place: string | undefined): AttemptsPlace | undefined {
  const [kind, index, n, item, seq] = place?.split(".") ?? [];
  if (kind !== "ended" || seq === undefined) return undefined;
  return { index: Number(index), n: Number(n), item: Number(item), seq: Number(seq) };
}

// ── under way ────────────────────────────────────────────────────────────────────────────

interface LivePage {
  readonly items: ListedAttemptView[];
  /** The cursor after them, where there are more. */
  readonly more: string | undefined;
}

async function livePage(master: Master, of: Of, listing: Listing): Promise<LivePage> {
  const { place, limit, terms, next } = listing;
  if (place?.startsWith("ended")) return { items: [], more: undefined };
  const [, afterJob = -1, afterTask = -1] = (place?.split(".") ?? []).map(Number);
  return look(master, (state) => {
    const items: ListedAttemptView[] = [];
    let last = "";
    for (const [job, task] of assignedOf(state, of)) {
      if (job.number < afterJob || (job.number === afterJob && task <= afterTask)) continue;
      const view = liveView(master, state, job, task);
      if (!holds(terms, (field) => ({ state: view.state, worker: view.worker })[field])) continue;
      if (items.length === limit) return { items, more: next(last) };
      items.push(view);
      last = `live.${job.number}.${task}`;
    }
    return { items, more: undefined };
  });
}

/** By job and task, rising. */
function* assignedOf(state: State, of: Of): Iterable<[job: Job, task: number]> {
  if ("job" in of) {
    const job = state.jobs.get(of.job);
    if (!job || job.tasks.counts[taskState.assigned] === 0) return;
    const end = Math.min(job.tasks.count, scanMax);
    for (let task = 0; task < end; task++) if (isAssigned(job, task)) yield [job, task];
    return;
  }
  const worker = state.workers.get(state.workerNumbers.get(of.worker) ?? 0);
  if (!worker) return;
  for (const { job: number, first, count } of tasksOn(state, worker)) {
    const job = state.jobs.get(number);
    for (let task = first; job && task < first + count; task++) {
      if (isAssigned(job, task)) yield [job, task];
    }
  }
}

function isAssigned({ tasks }: Job, task: number): boolean {
  return stateOf(tasks, task) === taskState.assigned;
}

function liveView(master: Master, state: State, job: Job, task: number): ListedAttemptView {
  return {
    job: job.id,
    task,
    name: taskName(job.id, task),
    attempt: attemptOf(job.tasks, task),
    worker: state.workers.get(workerOf(job.tasks, task))?.info.id ?? "",
    state: isRunning(master, job, task) ? "running" : "assigned",
    reason: null,
    charged: false,
    started: iso(job.createdWall + (job.tasks.run?.since[task] ?? 0)),
    ended: null,
    runMs: null,
    log: null,
    message: null,
  };
}

// ── ended ────────────────────────────────────────────────────────────────────────────────

async function endedViews(
  context: ApiContext,
  attempts: readonly EndedAttempt[],
): Promise<ListedAttemptView[]> {
  const ids = new Map<number, string>();
  for (const { job } of attempts) if (!ids.has(job)) ids.set(job, await idOf(context, job));
  return attempts.map((attempt) => endedView(ids.get(attempt.job) ?? "", attempt));
}

/** A job may be pruned from the archive between two calls; its number is all that is left then. */
async function idOf(context: ApiContext, job: number): Promise<string> {
  try {
    return await seeJob(
      context,
      job,
      ({ id }) => id,
      ({ id }) => id,
    );
  } catch (error) {
    if (error instanceof SkeinError && error.code === "not_found") return `#${job}`;
    throw error;
  }
}

function endedView(id: string, attempt: EndedAttempt): ListedAttemptView {
  const { task, attempt: number, worker, code, charged, started, ended, logBytes } = attempt;
  const state = attemptStateOf(code);
  const file = `${id}/${task}.${number}.log`;
  const ran = state !== "lost" && state !== "given_back";
  return {
    job: id,
    task,
    name: taskName(id, task),
    attempt: number,
    worker,
    state,
    reason: code === endReasons.succeeded.code ? null : reasonOf(code).name,
    charged,
    started: iso(started),
    ended: iso(ended),
    runMs: ran ? runMsOf(attempt) : null,
    log: logBytes === 0 ? null : { worker, file, length: logBytes },
    message: messageOf(attempt),
  };
}

function messageOf({ error, code }: EndedAttempt): string | null {
  if (code === endReasons.succeeded.code) return null;
  const said = error === null || error.length === 0 ? undefined : parsed(error);
  const message =
    typeof said === "object" && said !== null && "message" in said ? String(said.message) : "";
  return (message === "" ? reasonOf(code).text : message).slice(0, messageCharsMax);
}
