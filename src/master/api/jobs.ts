// Jobs: parts and close of an open one, lists, one, cancel.

import type { Job, State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { hashPattern } from "../../protocol/ids.ts";
import type { JobView } from "../../protocol/views.ts";
import type { JobsQuery } from "../archive/archive.ts";
import { ask, look } from "../context.ts";
import { jobStateOf, jobView } from "../views.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { awaitEnd } from "./job-end.ts";
import { findJob, seeJob, viewOfRow } from "./lookup.ts";
import { decodeCursor, encodeCursor } from "./pages.ts";
import { toPart } from "./parts.ts";
import { checkRoom, securePayloads } from "./submit.ts";

export async function part(context: ApiContext, call: Call<"part">): Promise<Answer<"part">> {
  const { master } = context;
  const { params, query, bytes } = call;
  checkRoom(master);
  context.poisoned.check(bytes);
  const payloads = query.payloads ? query.payloads.split(",") : [];
  if (!payloads.every((hash) => hashPattern.test(hash))) {
    throw new SkeinError("bad_request", "payloads: hashes of 64 hex digits, with commas between");
  }
  await securePayloads(master, payloads);
  const input = toPart(bytes, payloads);
  const job = await findJob(context, params.job);
  try {
    const request = { kind: "part", job, part: params.part, input } as const;
    const { tasks } = await ask(master, request, bytes.length + 256);
    return { tasks };
  } catch (error) {
    context.poisoned.note(bytes, error);
    throw error;
  }
}

export async function close(context: ApiContext, call: Call<"close">): Promise<JobView> {
  const job = await findJob(context, call.params.job);
  const retired = await leftTheState(context, job);
  if (retired) return retired;
  const parts = call.body.parts ?? null;
  await ask(context.master, { kind: "close", job, parts });
  return seeJob(context, job, jobView, viewOfRow);
}

export async function cancelJob(context: ApiContext, call: Call<"cancelJob">): Promise<JobView> {
  const { master } = context;
  const job = await findJob(context, call.params.job);
  const retired = await leftTheState(context, job);
  if (retired) return retired;
  master.log.info("a job is cancelled", { job, reason: call.body.reason });
  await ask(master, { kind: "cancelJob", job, reason: "cancelled" });
  return seeJob(context, job, jobView, viewOfRow);
}

/** The view of a job that has ended so long ago that nothing can change it. */
function leftTheState(context: ApiContext, job: number): Promise<JobView | undefined> {
  return seeJob<JobView | undefined>(context, job, () => undefined, viewOfRow);
}

export async function job(context: ApiContext, call: Call<"job">): Promise<JobView> {
  const number = await findJob(context, call.params.job);
  const ms = call.query.wait ?? 0;
  const see = () => seeJob(context, number, jobView, viewOfRow);
  if (ms === 0) return see();
  // First listen, then look: an end in between is heard.
  let stop = () => {};
  const over = new Promise<void>((resolve) => {
    const wait = { job: number, ms, response: call.reply.raw };
    stop = awaitEnd(context, wait, () => resolve());
  });
  const release = context.watch.hold(number);
  try {
    const view = await see();
    if (view.ended !== null) return view;
    await over;
    return await see();
  } finally {
    stop();
    release();
  }
}

// ── lists ────────────────────────────────────────────────────────────────────────────────

const finalStates = ["succeeded", "failed", "cancelled"] as const;
const liveStates = ["open", "waiting", "running"] as const;

export async function jobs(context: ApiContext, call: Call<"jobs">): Promise<Answer<"jobs">> {
  const { limit, cursor, state, queue, label } = call.query;
  if (label !== undefined && !label.includes("=")) {
    throw new SkeinError("bad_request", "label: write it as name=value");
  }
  const before = cursor === undefined ? undefined : Number(decodeCursor(cursor, /^\d{1,15}$/));
  const query = {
    limit: limit + 1,
    ...(before !== undefined && { before }),
    ...(queue !== undefined && { queue }),
    ...(label !== undefined && { label }),
  };
  const found = liveStates.some((live) => live === state)
    ? await liveJobs(context, { ...query, state: state as JobView["state"] })
    : await archivedJobs(context, { ...query, ...finalFilter(state) });
  const items = found.items.slice(0, limit);
  const last = items.at(-1);
  const nextCursor = found.items.length > limit && last ? encodeCursor(String(last.number)) : null;
  return { items, total: found.total, nextCursor };
}

function finalFilter(state: string | undefined): Pick<JobsQuery, "state"> {
  if (state === undefined) return {};
  const known = [...finalStates, "unfinished" as const].find((one) => one === state);
  if (known) return { state: known };
  const names = [...liveStates, ...finalStates, "unfinished"].join(", ");
  throw new SkeinError("bad_request", `state: there is no "${state}"; there are ${names}`);
}

interface Found {
  readonly items: JobView[];
  readonly total: number;
}

/** The archive knows every job; what the state still has is shown as it is now. */
async function archivedJobs(context: ApiContext, query: JobsQuery): Promise<Found> {
  const { items: rows, total } = await context.master.archive.jobs(query);
  const live = await look(context.master, (state) =>
    rows.map(({ number }) => {
      const job = state.jobs.get(number);
      return job && jobView(job);
    }),
  );
  return { items: rows.map((row, i) => live[i] ?? viewOfRow(row)), total };
}

type LiveQuery = Omit<JobsQuery, "state"> & { readonly state: JobView["state"] };

function liveJobs(context: ApiContext, query: LiveQuery): Promise<Found> {
  return look(context.master, (state) => {
    const fitting = [...unfinished(state)].filter((job) => fits(job, query)).toReversed();
    const page = fitting.filter(({ number }) => number < (query.before ?? Infinity));
    return { items: page.slice(0, query.limit).map(jobView), total: fitting.length };
  });
}

function* unfinished(state: State): Iterable<Job> {
  for (const job of state.jobs.values()) if (job.ended === "") yield job;
}

function fits(job: Job, { state, queue, label }: LiveQuery): boolean {
  if (jobStateOf(job) !== state || (queue !== undefined && job.spec.queue !== queue)) return false;
  if (label === undefined) return true;
  const at = label.indexOf("=");
  return job.spec.labels[label.slice(0, at)] === label.slice(at + 1);
}
