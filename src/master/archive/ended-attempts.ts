// Attempts that ended, newest first: of a job or of a worker. They stand in two places: those that became their
// task's outcome in blocks, the others in rows; both in the order recorded, and merged by the wall clock of their
// batches. Pure: the archive on disk and the one in memory give the rows, and this merges, filters and cuts pages.

import { holds } from "../../protocol/filter.ts";
import type { Term } from "../../protocol/filter.ts";
import { endReason, endReasons } from "../../protocol/model.ts";
import { decodeOutcomes, outcomeItem, storedBit } from "../../protocol/outcome-block.ts";
import type { OutcomeColumns } from "../../protocol/outcome-block.ts";

export interface AttemptsQuery {
  readonly of: { readonly job: number } | { readonly worker: string };
  /** On state, worker and reason; all must hold. */
  readonly terms: readonly Term[];
  readonly limit: number;
  /** Where the page before ended. */
  readonly before?: AttemptsPlace | undefined;
}

/** What comes later in time has been given: of this block the outcomes from `item` on, and rows from `seq` on. */
export interface AttemptsPlace {
  readonly index: number;
  readonly n: number;
  readonly item: number;
  readonly seq: number;
}

export interface EndedAttempt {
  readonly job: number;
  readonly task: number;
  readonly attempt: number;
  readonly worker: string;
  /** An end reason's code. */
  readonly code: number;
  readonly charged: boolean;
  /** Wall clock; 0 when it never started, or nobody knows. */
  readonly started: number;
  readonly ended: number;
  readonly micros: number;
  readonly logBytes: number;
  /** JSON of the error, where there is one. */
  readonly error: Uint8Array | null;
}

export interface EndedAttempts {
  readonly items: readonly EndedAttempt[];
  /** Undefined when these were the last. */
  readonly next: AttemptsPlace | undefined;
}

export interface AttemptBlock {
  readonly index: number;
  readonly n: number;
  readonly job: number;
  readonly wall: number;
  readonly worker: string;
  readonly block: Uint8Array;
}

export interface AttemptRow extends EndedAttempt {
  readonly seq: number;
}

/** Both newest first, from a place on. */
export interface AttemptSources {
  readonly blocks: Iterator<AttemptBlock>;
  readonly rows: Iterator<AttemptRow>;
}

/** One page looks at so many, however few fit. */
const lookedMax = 50_000;

export const newestPlace: AttemptsPlace = {
  index: Number.MAX_SAFE_INTEGER,
  n: 0,
  item: 0,
  seq: Number.MAX_SAFE_INTEGER,
};

export function pageOfAttempts(query: AttemptsQuery, sources: AttemptSources): EndedAttempts {
  const { terms, limit, before = newestPlace } = query;
  const outcomes = outcomesDown(sources.blocks, before);
  const items: EndedAttempt[] = [];
  let place = before;
  let outcome = next(outcomes);
  let row = next(sources.rows);
  for (let looked = 0; outcome !== undefined || row !== undefined; looked++) {
    if (items.length >= limit || looked >= lookedMax) return { items, next: place };
    const isRow = outcome === undefined || (row !== undefined && row.ended > outcome.item.ended);
    const item = isRow ? row : outcome?.item;
    if (isRow && row !== undefined) {
      place = { ...place, seq: row.seq };
      row = next(sources.rows);
    } else if (outcome !== undefined) {
      place = { ...place, ...outcome.place };
      outcome = next(outcomes);
    }
    if (item && holds(terms, (field) => valueOf(item, field))) items.push(plain(item));
  }
  return { items, next: undefined };
}

function next<T>(from: Iterator<T>): T | undefined {
  const { done, value } = from.next();
  return done ? undefined : value;
}

interface PlacedOutcome {
  readonly item: EndedAttempt;
  readonly place: Omit<AttemptsPlace, "seq">;
}

function* outcomesDown(
  blocks: Iterator<AttemptBlock>,
  before: AttemptsPlace,
): Generator<PlacedOutcome, undefined> {
  for (let found = next(blocks); found !== undefined; found = next(blocks)) {
    const { index, n, block } = found;
    const columns = decodeOutcomes(block);
    const isFirst = index === before.index && n === before.n;
    for (let item = (isFirst ? before.item : columns.count) - 1; item >= 0; item--) {
      // What the master ended itself was no attempt.
      if ((columns.attempts[item] ?? 0) === 0) continue;
      yield { item: fromOutcome(found, columns, item), place: { index, n, item } };
    }
  }
}

function fromOutcome(
  { job, wall, worker }: AttemptBlock,
  columns: OutcomeColumns,
  place: number,
): EndedAttempt {
  const { task, attempt, code: raw, micros, logBytes, value } = outcomeItem(columns, place);
  const code = raw & ~storedBit;
  const { state, charged } = endReason(code);
  const failed = state !== "succeeded" && raw === code && value.length > 0;
  return {
    job,
    task,
    attempt,
    worker,
    code,
    charged,
    started: Math.round(wall - micros / 1_000),
    ended: wall,
    micros,
    logBytes,
    // Not the block around it.
    error: failed ? value.slice() : null,
  };
}

/** How an attempt ended: as a task may, or without its task having ended by it. */
export function attemptStateOf(
  code: number,
): "succeeded" | "failed" | "cancelled" | "lost" | "given_back" {
  if (code === endReasons.workerLost.code) return "lost";
  if (code === endReasons.givenBack.code || code === endReasons.drained.code) return "given_back";
  return endReason(code).state;
}

function valueOf({ code, worker }: EndedAttempt, field: string): string | null {
  if (field === "state") return attemptStateOf(code);
  if (field === "worker") return worker;
  return code === endReasons.succeeded.code ? null : endReason(code).name;
}

function plain(item: EndedAttempt): EndedAttempt {
  const { seq: _, ...rest } = item as AttemptRow;
  return rest;
}
