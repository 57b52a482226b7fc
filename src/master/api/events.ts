// GET /v1/events: the timeline in pages, or a stream of it and of other topics. See docs/events.md.

import { SkeinError } from "../../protocol/errors.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import { formatPosition, parsePosition } from "../../protocol/outcome-stream.ts";
import { eventStreamType } from "../../protocol/routes.ts";
import { afterIndex } from "../archive/timeline-order.ts";

import { stream } from "./body-stream.ts";
import type { BodyStream } from "./body-stream.ts";
import { eventView, message, reset, tickOf } from "./event-messages.ts";
import { parseTopics } from "./event-topics.ts";
import type { Wanted } from "./event-topics.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { readListing } from "./list-query.ts";
import { findJob, viewOfRow } from "./lookup.ts";

export async function events(context: ApiContext, call: Call<"events">): Promise<Answer<"events">> {
  const { accept = "" } = call.request.headers;
  return accept.includes(eventStreamType) ? follow(context, call) : list(context, call);
}

async function list(
  { master, clock }: ApiContext,
  { query }: Call<"events">,
): Promise<Answer<"events">> {
  const scope = { resource: "events", wall: clock.wall(), place: pattern } as const;
  const { limit, place, terms, next } = readListing(query, scope);
  const before = place === undefined ? undefined : parsePosition(place);
  const page = await master.archive.timeline({
    limit: limit + 1,
    terms,
    ...(before && { before }),
  });
  const rows = page.rows.slice(0, limit);
  const last = rows.at(-1);
  const more = page.rows.length > limit && last;
  const nextCursor = more ? next(formatPosition(last)) : null;
  const { floor, total } = page;
  const partial = !more && floor.index > 0 ? { partial: partialText(floor) } : {};
  return { items: rows.map(eventView), total, nextCursor, ...partial };
}

/** What fits into the archive's own numbers. */
const pattern = /^\d{1,12}\.\d{1,6}$/;

function partialText(floor: Position): string {
  return `Rows up to batch ${floor.index} are not all here: older ones are pruned in time.`;
}

async function follow(context: ApiContext, call: Call<"events">): Promise<Answer<"events">> {
  const { streams } = context;
  streams.checkRoom();
  const wanted = await parseTopics(call.query.topics, (ref) => findJob(context, ref));
  const asked = positionAsked(call);
  const options = {
    reply: call.reply,
    type: eventStreamType,
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" },
    whenStopped: "end",
  } as const;
  return stream(context, options, async (body) => {
    body.begin();
    const at = await startAt(context, call, asked);
    if (body.over) return;
    body.push(message("tick", tickOf(context.master), at.from));
    if (at.why !== undefined) {
      body.push(reset({ why: at.why, index: context.master.archive.added }, at.from));
    }
    // First listen, then look: what changes in between is told.
    const leave = streams.add(body, wanted, at.from);
    try {
      for (const bytes of await presentValues(context, wanted)) if (!body.over) body.push(bytes);
      await ended(body);
    } finally {
      leave();
    }
  });
}

function ended(body: BodyStream): Promise<void> {
  return new Promise((resolve) => body.onStop(resolve));
}

/** Of jobs that have left the state too: once, since they change no more. */
async function presentValues(context: ApiContext, wanted: Wanted): Promise<readonly Buffer[]> {
  const values = [...(await context.streams.values(wanted))];
  const retired = context.master.loop.peek((state) =>
    [...wanted.jobs].filter((job) => !state.jobs.has(job)),
  );
  for (const number of retired) {
    const [row] = await context.master.archive.job(number);
    if (row) values.push(message("job", viewOfRow(row)));
  }
  return values;
}

// ── where to begin ───────────────────────────────────────────────────────────────────────

type Asked = { readonly at: Position | undefined } | { readonly garbage: true };

/** @throws SkeinError `bad_request`: a browser cannot mend its Last-Event-ID, who writes `after` can. */
function positionAsked({ query, request }: Call<"events">): Asked {
  const last = request.headers["last-event-id"];
  if (typeof last === "string" && last !== "") {
    const at = pattern.test(last) ? parsePosition(last) : undefined;
    return at ? { at } : { garbage: true };
  }
  if (query.after === undefined) return { at: undefined };
  const at = pattern.test(query.after) ? parsePosition(query.after) : undefined;
  if (!at) throw new SkeinError("bad_request", "after: a position is written index.n");
  return { at };
}

interface Begin {
  readonly from: Position;
  /** Why it is not where the reader wanted to go on. */
  readonly why?: string;
}

/** S7; that rows are pruned is found when they are read. */
async function startAt(
  { master, reads }: ApiContext,
  { query }: Call<"events">,
  asked: Asked,
): Promise<Begin> {
  const now = () => afterIndex(master.archive.added);
  if ("garbage" in asked) return { from: now(), why: "Last-Event-ID is no position." };
  const { at } = asked;
  if (at === undefined) return { from: now() };
  if (query.journal !== undefined && query.journal !== master.journal.journalId) {
    return { from: now(), why: `The position is of journal ${query.journal}, not of this one.` };
  }
  const atLeast = at.n === 0 ? at.index - 1 : at.index;
  try {
    if (atLeast > master.archive.added) await reads.ready({ atLeast });
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    const why = `There is no batch ${atLeast} here: this master stands at ${master.archive.added}.`;
    return { from: now(), why };
  }
  return { from: at };
}
