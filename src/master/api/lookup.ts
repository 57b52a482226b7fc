// Which job a reference names: its id, or the beginning of one that only one job has. Jobs in the state come
// first, retired ones are found in the archive.

import type { Job, State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { JobSpec } from "../../protocol/model.ts";
import type { JobView } from "../../protocol/views.ts";
import { archiveLimits } from "../archive/archive.ts";
import type { JobRow } from "../archive/archive.ts";
import { look } from "../context.ts";
import type { ApiContext } from "./handlers.ts";

const idLength = 16;
const matchesMax = archiveLimits.jobsMatchedMax;

/** The number of the one job meant. */
export async function findJob(context: ApiContext, ref: string): Promise<number> {
  const number = await numberOf(context, ref);
  context.watch.touch(number);
  return number;
}

async function numberOf({ master }: ApiContext, ref: string): Promise<number> {
  const live = await look(master, (state) => matchesIn(state, ref));
  if (ref.length === idLength && live.size > 0) return [...live.values()][0] ?? 0;
  // The archive also knows the jobs that are in the state.
  const all = new Map(live);
  for (const { id, number } of await master.archive.job(ref)) all.set(id, number);
  const [first, ...others] = all;
  if (!first) throw new SkeinError("not_found", `There is no job ${ref}.`);
  if (others.length === 0) return first[1];
  const ids = [...all.keys()].toSorted();
  const shown = ids.slice(0, matchesMax - 1).join(", ");
  const more = ids.length >= matchesMax ? " and more" : "";
  throw new SkeinError("ambiguous", `${ref} may be ${shown}${more}.`);
}

function matchesIn(state: State, ref: string): Map<string, number> {
  const found = new Map<string, number>();
  if (ref.length === idLength) {
    const number = state.jobNumbers.get(ref);
    if (number !== undefined) found.set(ref, number);
    return found;
  }
  for (const [id, number] of state.jobNumbers) {
    if (!id.startsWith(ref)) continue;
    found.set(id, number);
    if (found.size >= matchesMax) break;
  }
  return found;
}

/** What `see` says of a job in the state, or `seeRow` of one that has left it. */
export async function seeJob<T>(
  context: ApiContext,
  number: number,
  see: (job: Job, state: State, time: number) => T,
  seeRow: (row: JobRow) => T | Promise<T>,
): Promise<T> {
  const { master } = context;
  const seen = await look(master, (state, time) => {
    const job = state.jobs.get(number);
    return job ? { value: see(job, state, time) } : undefined;
  });
  if (seen) return seen.value;
  const [row] = await master.archive.job(number);
  if (!row) throw new SkeinError("not_found", "The job has left the archive too.");
  return seeRow(row);
}

/** What this master's archive lost is said to be gone: not to be unfinished, and never to come (A6). */
export async function checkArchived({ master }: ApiContext, job: number): Promise<void> {
  const { lacks } = master.archive;
  if (lacks.length === 0 || (await master.archive.job(job)).length > 0) return;
  const text = `Job ${job} began in batches that the archive lacks: ${rangesText(lacks)}.`;
  throw new SkeinError("archive_gone", text);
}

export function rangesText(
  ranges: readonly { readonly first: number; readonly last: number }[],
): string {
  return ranges.map(({ first, last }) => `${first} to ${last}`).join(", ");
}

/** The archive keeps the view of a job, and its spec beside it. */
interface RowJson extends JobView {
  readonly spec: JobSpec;
}

export function viewOfRow(row: JobRow): JobView {
  const { spec: _, ...view } = JSON.parse(row.json) as RowJson; // as feed.ts wrote it
  return { ...view, retired: row.retired };
}

export function specOfRow(row: JobRow): JobSpec {
  return (JSON.parse(row.json) as RowJson).spec; // as feed.ts wrote it
}
