// GET /v1/jobs: jobs in the order of their numbers. The archive knows every job, and how those that ended did; whether
// one that has not ended is open, waiting or running is known to the state alone.

import type { Job, State } from "../../core/state.ts";
import { holds, labelOf, labelPrefix } from "../../protocol/filter.ts";
import type { Term } from "../../protocol/filter.ts";
import type { JobView } from "../../protocol/views.ts";
import type { FinalState, JobsQuery } from "../archive/archive.ts";
import { look } from "../context.ts";
import { jobStateOf, jobView } from "../views.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { readListing } from "./list-query.ts";
import type { ListQuery, Page } from "./list-query.ts";
import { viewOfRow } from "./lookup.ts";

const finalStates = ["succeeded", "failed", "cancelled"] as const;
const liveStates = ["open", "waiting", "running"] as const;
type LiveState = (typeof liveStates)[number];

export async function jobs(context: ApiContext, call: Call<"jobs">): Promise<Page<JobView>> {
  return listJobs(context, call.query);
}

export async function listJobs(
  context: ApiContext,
  query: ListQuery,
  onlyStates: readonly JobView["state"][] = [...liveStates, ...finalStates],
): Promise<Page<JobView>> {
  const wall = context.clock.wall();
  const listing = readListing(query, { resource: "jobs", wall, place: /^\d{1,15}$/ });
  const { limit, place } = listing;
  const order = query.sort === "created" ? "oldest" : "newest";
  const { terms, states } = splitStates(listing.terms, onlyStates);
  const asked = {
    limit: limit + 1,
    order,
    ...(place !== undefined && { beyond: Number(place) }),
    terms,
  } as const;
  const found = await findJobs(context, asked, states);
  const items = found.items.slice(0, limit);
  const last = items.at(-1);
  const more = found.items.length > limit && last !== undefined;
  const nextCursor = more ? listing.next(String(last.number)) : null;
  return { items, total: found.total, nextCursor };
}

/** What terms on the state leave of all states, and the other terms. */
function splitStates(
  all: readonly Term[],
  only: readonly JobView["state"][],
): { readonly terms: readonly Term[]; readonly states: readonly JobView["state"][] } {
  const terms = all.filter(({ field }) => field !== "state");
  const onState = all.filter(({ field }) => field === "state");
  const states = only.filter((state) =>
    onState.every((term) => {
      if (term.kind !== "is") return false;
      const live = liveStates.some((one) => one === state);
      const named = term.values.includes(state) || (live && term.values.includes("unfinished"));
      return named !== term.not;
    }),
  );
  return { terms, states };
}

interface Found {
  readonly items: readonly JobView[];
  readonly total: number;
}

type Asked = Omit<JobsQuery, "states">;

async function findJobs(
  context: ApiContext,
  asked: Asked,
  states: readonly JobView["state"][],
): Promise<Found> {
  const live = liveStates.filter((state) => states.includes(state));
  const final = finalStates.filter((state) => states.includes(state));
  if (live.length === 0) return archivedJobs(context, asked, final);
  if (live.length === liveStates.length) {
    return archivedJobs(context, asked, [...final, "unfinished"]);
  }
  const unfinished = await liveJobs(context, asked, live);
  if (final.length === 0) return unfinished;
  const ended = await archivedJobs(context, asked, final);
  const sign = asked.order === "newest" ? -1 : 1;
  const both = [...unfinished.items, ...ended.items].sort((a, b) => (a.number - b.number) * sign);
  return { items: both.slice(0, asked.limit), total: unfinished.total + ended.total };
}

/** What the state still has is shown as it is now. */
async function archivedJobs(
  { master }: ApiContext,
  asked: Asked,
  states: readonly (FinalState | "unfinished")[],
): Promise<Found> {
  const { items: rows, total } = await master.archive.jobs(
    states.length === finalStates.length + 1 ? asked : { ...asked, states },
  );
  const live = await look(master, (state) =>
    rows.map(({ number }) => {
      const job = state.jobs.get(number);
      return job && jobView(job);
    }),
  );
  return { items: rows.map((row, i) => live[i] ?? viewOfRow(row)), total };
}

function liveJobs(
  { master }: ApiContext,
  { limit, order, beyond, terms }: Asked,
  states: readonly LiveState[],
): Promise<Found> {
  return look(master, (state) => {
    const fitting = [...unfinished(state)].filter(
      (job) =>
        states.some((one) => one === jobStateOf(job)) &&
        holds(terms, (field) => valueOf(job, field)),
    );
    if (order === "newest") fitting.reverse();
    const sign = order === "newest" ? -1 : 1;
    const rest = fitting.filter(({ number }) => {
      return beyond === undefined || (number - beyond) * sign > 0;
    });
    return { items: rest.slice(0, limit).map(jobView), total: fitting.length };
  });
}

function* unfinished(state: State): Iterable<Job> {
  for (const job of state.jobs.values()) if (job.ended === "") yield job;
}

function valueOf({ spec, createdWall }: Job, field: string): string | number | null | undefined {
  if (field.startsWith(labelPrefix)) return labelOf(spec.labels, field);
  const { queue, task, by } = spec;
  return { queue, task, by, created: createdWall, ended: null }[field];
}
