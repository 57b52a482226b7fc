// What the archive knows of a job's attempts, condensed for pictures: who ran what when, how each task ended, and
// which errors there were. Inside the archive's thread; what is kept between two looks is in run-columns.ts.

import { endReason, endReasons } from "../../protocol/model.ts";
import { decodeOutcomes, outcomeItem, storedBit } from "../../protocol/outcome-block.ts";
import type { AttemptRecord } from "./archive.ts";
import type { Ends } from "./run-columns.ts";

/** Rows as they were recorded, in any order. */
export interface EndRows {
  blocks(): Iterable<{
    readonly wall: number;
    readonly worker: string;
    readonly block: Uint8Array;
  }>;
  attempts(): Iterable<AttemptRecord & { readonly task: number }>;
}

// ── who ran what when ────────────────────────────────────────────────────────────────────

export interface SpansQuery {
  /** Wall clock in ms. */
  readonly from: number;
  readonly to: number;
  /** More than these are given as cells. */
  readonly spansMax: number;
  /** Cells of time that from … to is cut into. */
  readonly cells: number;
}

/** Of every attempt that ran between from and to, as columns; times in wall clock ms. */
export interface Spans {
  readonly workers: readonly string[];
  readonly total: number;
  /** Undefined when there are more than `spansMax`. */
  readonly spans: SpanColumns | undefined;
  /** Undefined when there are not. */
  readonly cells: SpanCells | undefined;
}

export interface SpanColumns {
  readonly worker: number[];
  readonly task: number[];
  readonly attempt: number[];
  readonly start: number[];
  readonly end: number[];
  readonly code: number[];
}

/** Only cells in which something ran. */
export interface SpanCells {
  readonly ms: number;
  readonly worker: number[];
  readonly cell: number[];
  /** Run time of all attempts in the cell; more than `ms` when several ran at once. */
  readonly busyMs: number[];
  /** The code of the worst end in it. */
  readonly code: number[];
}

export function spansOf(ends: Ends, query: SpansQuery): Spans {
  const { from, to, spansMax } = query;
  const workers = new Map<string, number>();
  const spans: SpanColumns = { worker: [], task: [], attempt: [], start: [], end: [], code: [] };
  let cells: Cells | undefined;
  let total = 0;
  ends.each((name, task, attempt, start, end, code) => {
    if (start === 0 || end < from || start > to || name === "") return;
    const worker = workers.get(name) ?? workers.size;
    workers.set(name, worker);
    total++;
    if (total > spansMax) {
      cells ??= cellsOf(spans, query);
      return cells.add(worker, start, end, code);
    }
    spans.worker.push(worker);
    spans.task.push(task);
    spans.attempt.push(attempt);
    spans.start.push(start);
    spans.end.push(end);
    spans.code.push(code);
  });
  const names = [...workers.keys()];
  return cells
    ? { workers: names, total, spans: undefined, cells: cells.done() }
    : { workers: names, total, spans, cells: undefined };
}

function cellsOf({ worker, start, end, code }: SpanColumns, query: SpansQuery): Cells {
  const cells = new Cells(query);
  for (const [i, one] of worker.entries()) {
    cells.add(one, start[i] ?? 0, end[i] ?? 0, code[i] ?? 0);
  }
  return cells;
}

/** Of all workers together. */
const cellsMax = 40_000;

/** Run time by worker and cell of time. */
class Cells {
  readonly #query: SpansQuery;
  readonly #ms: number;
  readonly #busy = new Map<number, Float64Array>();
  readonly #worst = new Map<number, Uint8Array>();

  constructor(query: SpansQuery) {
    this.#query = query;
    this.#ms = Math.max(1, (query.to - query.from) / query.cells);
  }

  add(worker: number, start: number, end: number, code: number): void {
    const { from, to, cells } = this.#query;
    const busy = this.#busy.get(worker) ?? new Float64Array(cells);
    const worst = this.#worst.get(worker) ?? new Uint8Array(cells);
    this.#busy.set(worker, busy);
    this.#worst.set(worker, worst);
    const begin = Math.max(start, from);
    const over = Math.min(end, to);
    const last = Math.min(cells - 1, Math.floor((over - from) / this.#ms));
    for (let cell = Math.floor((begin - from) / this.#ms); cell <= last; cell++) {
      const left = from + cell * this.#ms;
      const part = Math.min(over, left + this.#ms) - Math.max(begin, left);
      busy[cell] = (busy[cell] ?? 0) + Math.max(0, part);
    }
    if (isWorse(code, worst[last] ?? 0)) worst[last] = code;
  }

  done(): SpanCells {
    // Many workers have wider cells, so that the picture does not grow with them.
    const per = Math.ceil((this.#busy.size * this.#query.cells) / cellsMax);
    const cells: SpanCells = { ms: this.#ms * per, worker: [], cell: [], busyMs: [], code: [] };
    for (const [worker, busy] of this.#busy) {
      const worst = this.#worst.get(worker) ?? new Uint8Array(0);
      for (let from = 0; from < busy.length; from += per) {
        const ms = busy.subarray(from, from + per).reduce((sum, one) => sum + one, 0);
        const code = worst
          .subarray(from, from + per)
          .reduce((most, one) => (isWorse(one, most) ? one : most), 0);
        if (ms === 0 && code === 0) continue;
        cells.worker.push(worker);
        cells.cell.push(from / per);
        cells.busyMs.push(Math.round(ms * 1_000) / 1_000);
        cells.code.push(code);
      }
    }
    return cells;
  }
}

const rank = { succeeded: 0, cancelled: 1, failed: 2 } as const;

function isWorse(code: number, than: number): boolean {
  return rank[endReason(code).state] > rank[endReason(than).state];
}

function plain(code: number): number {
  return code & ~storedBit;
}

// ── how each task ended ──────────────────────────────────────────────────────────────────

export const noCode = 255;

/** An end reason's code for each of the tasks 0 … count - 1; `noCode` where none is recorded. */
export function codesOf(ends: Ends, count: number): Uint8Array {
  const codes = new Uint8Array(count).fill(noCode);
  ends.each((_worker, task, _attempt, _start, _end, code, isOutcome) => {
    // The first recorded stands (K3).
    if (isOutcome && codes[task] === noCode) codes[task] = code;
  });
  return codes;
}

// ── which errors there were ──────────────────────────────────────────────────────────────

export interface ErrorGroup {
  /** Equal for errors that differ by numbers, ids and quoted names only. */
  readonly fingerprint: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** The first that was recorded. */
  readonly first: {
    readonly task: number;
    readonly attempt: number;
    readonly worker: string;
    readonly at: number;
  };
}

export interface ErrorGroups {
  /** The largest first. */
  readonly groups: readonly ErrorGroup[];
  /** Ends that were looked at; there may be more. */
  readonly looked: number;
  readonly complete: boolean;
}

/** Groups kept; errors of further ones are counted under one that says so. */
const groupsMax = 200;

/** Failed attempts, those that were tried again included. */
export function errorsOf(rows: EndRows, lookMax: number): ErrorGroups {
  const groups = new Map<string, ErrorGroup & { count: number }>();
  let looked = 0;
  const take = (code: number, value: Uint8Array, first: ErrorGroup["first"]): boolean => {
    const { state, name, text } = endReason(plain(code));
    if (state !== "failed" || isReturned(plain(code))) return true;
    if (looked === lookMax) return false;
    looked++;
    const message = messageOf(value) ?? text;
    const full = `${name}: ${alike(message)}`;
    const fingerprint = groups.has(full) || groups.size < groupsMax ? full : `${name}: (others)`;
    const group = groups.get(fingerprint);
    if (group) group.count++;
    else groups.set(fingerprint, { fingerprint, reason: name, message, count: 1, first });
    return true;
  };
  const done = () => ({
    groups: [...groups.values()].sort((a, b) => b.count - a.count),
    looked,
    complete: looked < lookMax,
  });
  for (const { wall, worker, block } of rows.blocks()) {
    const columns = decodeOutcomes(block);
    for (let i = 0; i < columns.count; i++) {
      if (plain(columns.codes[i] ?? 0) === 0) continue;
      const { task, attempt, code, value } = outcomeItem(columns, i);
      if (!take(code, value, { task, attempt, worker, at: wall })) return done();
    }
  }
  for (const { task, attempt, worker, code, error, ended } of rows.attempts()) {
    if (!take(code, error ?? nothing, { task, attempt, worker, at: ended })) return done();
  }
  return done();
}

const nothing = new Uint8Array(0);

/** Given back unstarted: nothing went wrong. */
function isReturned(code: number): boolean {
  return code === endReasons.givenBack.code || code === endReasons.drained.code;
}

const messageMax = 300;

function messageOf(value: Uint8Array): string | undefined {
  if (value.length === 0) return undefined;
  try {
    const said: unknown = JSON.parse(Buffer.from(value).toString());
    if (typeof said !== "object" || said === null || !("message" in said)) return undefined;
    const head = String(said.message).split("\n", 1)[0] ?? "";
    return head.length > messageMax ? `${head.slice(0, messageMax)}…` : head;
  } catch {
    return undefined; // a stored value's hash
  }
}

function alike(message: string): string {
  return message
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, "…")
    .replace(/\b[0-9a-f]{8,}\b|\d+/gi, "#")
    .slice(0, 200);
}
