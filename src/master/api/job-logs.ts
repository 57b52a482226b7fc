// GET /v1/jobs/:job/logs: lines of all attempts of a job, merged by the time they were printed (docs/logs.md).

import { SkeinError } from "../../protocol/errors.ts";
import type { LinePlace, LinesQuery } from "../logs/log-calls.ts";
import type { GatheredLines } from "../logs/kept-logs.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { findJob, seeJob } from "./lookup.ts";

/** One answer looks through for so long, and says from where to go on. */
const lookMs = 2_000;

export async function jobLogs(
  context: ApiContext,
  { params, query }: Call<"jobLogs">,
): Promise<Answer<"jobLogs">> {
  const { clock, master } = context;
  const number = await findJob(context, params.job);
  const job = await seeJob(
    context,
    number,
    ({ id }) => id,
    ({ id }) => id,
  );
  const { grep = "", since = 0, stream, limit, cursor } = query;
  const bound = boundTo(job, grep, since, stream);
  const items: GatheredLines["lines"][number][] = [];
  const silent = new Set<string>();
  let after = cursor === undefined ? null : placeIn(cursor, bound);
  let more = true;
  const until = clock.now() + lookMs;
  while (more && items.length < limit) {
    const ask: LinesQuery = { job, after, since, grep, stream, limit: limit - items.length };
    const page = await master.keptLogs.lines(ask);
    items.push(...page.lines);
    for (const address of page.silent) silent.add(address);
    more = page.upTo !== null;
    after = page.upTo ?? items.at(-1)?.place ?? after;
    if (clock.now() > until) break;
  }
  const here = after === null ? null : cursorOf(after, bound);
  return {
    items: items.map(({ place, at, stream: which, text }) => {
      const [, task, attempt, piece, n] = place;
      const id = `${task}.${attempt}.${piece}.${n}`;
      return { id, task, attempt, at: new Date(at).toISOString(), stream: which, text };
    }),
    nextCursor: more ? here : null,
    cursor: here,
    ...(silent.size > 0 && { partial: `no answer from ${[...silent].join(", ")}` }),
  };
}

/** A cursor belongs to the query that it was given for. */
function boundTo(job: string, grep: string, since: number, stream: string): string {
  let hash = 7;
  for (const char of `${job} ${since} ${stream} ${grep}`) {
    hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  }
  return hash.toString(36);
}

function cursorOf(place: LinePlace, bound: string): string {
  return Buffer.from(JSON.stringify([bound, ...place])).toString("base64url");
}

function placeIn(cursor: string, bound: string): LinePlace {
  const [of, ...place] = parsed(cursor);
  const [at, task, attempt, piece, line] = place.map(Number);
  const sane = place.length === 5 && place.every((one) => Number.isFinite(one));
  if (at === undefined || task === undefined || attempt === undefined || !sane) throw noCursor();
  if (of !== bound) {
    const words = "This cursor is of another query: job, grep, since or stream differ.";
    throw new SkeinError("bad_request", words, { hint: "Ask without a cursor first." });
  }
  return [at, task, attempt, piece ?? 0, line ?? 0];
}

function parsed(cursor: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (Array.isArray(value)) return value;
  } catch {
    // What was made up is said to be so, below.
  }
  throw noCursor();
}

function noCursor(): SkeinError {
  return new SkeinError("bad_request", "This is no cursor of this route.", {
    hint: "Use `nextCursor` or `cursor` of an answer as it came.",
  });
}
