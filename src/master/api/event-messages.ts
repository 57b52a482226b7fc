// Messages of the event stream as bytes (docs/events.md). JSON text has no line ends of its own, so that a message is
// as many lines as it has fields.

import type { Position } from "../../protocol/outcome-stream.ts";
import { formatPosition } from "../../protocol/outcome-stream.ts";
import type { ChangedView, EventView, ResetView, TickView } from "../../protocol/views.ts";
import type { TimelineRow } from "../archive/archive.ts";
import { isBefore } from "../archive/timeline-order.ts";
import type { Master } from "../context.ts";

/** Without `at` it does not move the position (S2). */
export function message(event: string, data: object, at?: Position): Buffer {
  const id = at === undefined ? "" : `id: ${formatPosition(at)}\n`;
  return Buffer.from(`${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

export function eventView(row: TimelineRow): EventView {
  const { wall, kind, level, text, job, worker, queue, master } = row;
  return {
    id: formatPosition(row),
    at: new Date(wall).toISOString(),
    kind,
    level,
    text,
    ...(job !== "" && { job }),
    ...(worker !== "" && { worker }),
    ...(queue !== "" && { queue }),
    ...(master !== "" && { master }),
  };
}

/** Rows that are sent to many: made into bytes once. */
export interface Chunk {
  /** Behind this position … */
  readonly from: Position;
  /** … up to this one there are these rows and no others. */
  readonly to: Position;
  readonly rows: readonly { readonly at: Position; readonly bytes: Buffer }[];
  readonly bytes: Buffer;
}

export function chunkOf(from: Position, to: Position, rows: readonly TimelineRow[]): Chunk {
  const made = rows.map((row) => {
    const at = { index: row.index, n: row.n };
    return { at, bytes: message("timeline", eventView(row), at) };
  });
  return { from, to, rows: made, bytes: Buffer.concat(made.map(({ bytes }) => bytes)) };
}

/** What of it is new to a reader that stands at `at`, which is not before its beginning. */
export function restOf(chunk: Chunk, at: Position): Buffer {
  if (!isBefore(chunk.from, at)) return chunk.bytes;
  return Buffer.concat(chunk.rows.filter((row) => isBefore(at, row.at)).map(({ bytes }) => bytes));
}

export function changed(topic: string, view: ChangedView): Buffer {
  return message(topic, view);
}

export function reset(view: ResetView, at: Position): Buffer {
  return message("reset", view, at);
}

export function tickOf(master: Master): TickView {
  const { loop, identity, leadership, journal } = master;
  const { leads } = loop;
  // A leader's state may be ahead of the journal: what it says of itself is not (M2).
  const leader = loop.peek((state) => state.leader?.id ?? null);
  return {
    index: loop.durableIndex,
    term: loop.peek((state) => state.term),
    leader: leads ? identity.id : leader,
    master: identity.id,
    leads,
    ageMs: leadership.newsAgeMs(),
    journal: journal.journalId,
  };
}
