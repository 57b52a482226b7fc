// The archive of one master: what happened to jobs, on disk, for readers who come later (A2).
//
//     loop ──add(index, wall, events)──▶ archive ──watermark──▶ loop (snapshots, trims wait for it)
//     API  ──blocks, results, task, jobs …──▶ archive
//
// Results leave the heap as soon as they are applied; from then on they are read here. Each master
// feeds its own archive, in the order of the journal, and never asks another's.
//
//   R1  Every index is added once, in order: index = added + 1, with no events or many. Indexes up
//       to `added` are skipped, so a master that replays its journal after a restart adds all
//       again.
//   R2  `watermark` is an index up to which everything survives a power failure. It never falls.
//   R3  `add` never waits and never throws for the disk's sake; `queuedBytes` is what it costs.
//   R4  A read sees all that was added before it was asked.
//   R5  Blocks, input lines and JSON come back byte for byte as they were added (K2).
//   R6  Totals are counted, not estimated, and what a page leaves out is said (E2, P8).
//
// `memory-archive.ts` is the reference, `sqlite-archive.ts` the one in use; `conformance.ts` holds
// both to this.

import type { Term } from "../../protocol/filter.ts";
import type { JobId, JobNumber, TaskNumber } from "../../protocol/ids.ts";
import type { OutcomeItem } from "../../protocol/outcome-block.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import type { ErrorGroups, Spans, SpansQuery } from "./run-picture.ts";
import type { AttemptsQuery, EndedAttempts } from "./ended-attempts.ts";
import type { StoreTrouble } from "./trouble.ts";
import type { Said } from "./timeline-words.ts";
import type { EventKind } from "../../protocol/event.ts";

export type FinalState = "succeeded" | "failed" | "cancelled";
/** Labels of a job: name → value. */
export type Labels = Readonly<Record<string, string>>;

// ── what is added ────────────────────────────────────────────────────────────────────────

export type ArchiveEvent =
  | JobCreated
  | InputsAdded
  | OutcomesRecorded
  | AttemptEnded
  | JobEnded
  | JobRetired
  | Noted;

export interface JobCreated {
  readonly kind: "job";
  readonly number: JobNumber;
  readonly id: JobId;
  readonly queue: string;
  readonly labels: Labels;
  readonly task: string;
  readonly by: string;
  readonly created: number;
  /** What of the job's view does not change. */
  readonly json: string;
}

/** Tasks first … first + count - 1: their lines, verbatim. */
export interface InputsAdded {
  readonly kind: "inputs";
  readonly job: JobNumber;
  readonly first: TaskNumber;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** A block of outcomes, recorded as entry `n` of the batch. A task stands in one block. */
export interface OutcomesRecorded {
  readonly kind: "outcomes";
  readonly job: JobNumber;
  readonly n: number;
  /** Empty where no worker was concerned. */
  readonly worker: string;
  readonly block: Uint8Array;
}

/** An attempt that ended without being its task's outcome. */
export interface AttemptEnded {
  readonly kind: "attempt";
  readonly job: JobNumber;
  readonly task: TaskNumber;
  readonly attempt: number;
  readonly worker: string;
  /** An end reason's code. */
  readonly code: number;
  readonly charged: boolean;
  /** Wall clock; 0 when it never started, or nobody knows. */
  readonly started: number;
  readonly micros: number;
  readonly logBytes: number;
  readonly error: Uint8Array | null;
}

export interface JobEnded {
  readonly kind: "jobEnded";
  readonly job: JobNumber;
  readonly state: FinalState;
  /** The whole of the job's view, final. */
  readonly json: string;
}

export interface JobRetired {
  readonly kind: "retired";
  readonly job: JobNumber;
}

/** A row of the timeline that follows from nothing else here: see docs/events.md. */
export interface Noted extends Omit<Said, "kind"> {
  readonly kind: "note";
  readonly about: EventKind;
}

// ── what is read ─────────────────────────────────────────────────────────────────────────

export interface RecordedBlock extends Position {
  readonly block: Uint8Array;
}

export interface TaskRange {
  readonly first: TaskNumber;
  readonly count: number;
}

export interface ResultsQuery {
  readonly from: TaskNumber;
  /** At most 4,096 are looked at in one go. */
  readonly count: number;
  /** Bytes of values; at least one item is given. */
  readonly bytesMax?: number;
  /** False leaves values out. */
  readonly values?: boolean;
}

/** Of the tasks from … next - 1: those with an outcome in their order, and those without. */
export interface ResultsPage {
  readonly items: readonly OutcomeItem[];
  readonly missing: readonly TaskRange[];
  readonly next: TaskNumber;
}

export interface RecordedOutcome extends OutcomeItem, Position {
  readonly worker: string;
  /** Of the batch that recorded it. */
  readonly wall: number;
}

export interface AttemptRecord extends Omit<AttemptEnded, "kind" | "job" | "task"> {
  /** Wall clock of the batch that recorded its end. */
  readonly ended: number;
}

export interface TaskRecord {
  readonly outcome: RecordedOutcome | undefined;
  /** In the order recorded; not the one that `outcome` is of. */
  readonly attempts: readonly AttemptRecord[];
}

export interface InputLines extends TaskRange {
  readonly bytes: Uint8Array;
}

export interface EndedTasksQuery {
  readonly states: readonly FinalState[];
  /** Where the page before ended; from the beginning without. */
  readonly after?: Position;
  /** A page ends with the block in which this many are reached. */
  readonly limit: number;
}

export interface EndedTask {
  readonly task: TaskNumber;
  readonly attempt: number;
  readonly code: number;
}

export interface EndedTasks {
  readonly tasks: readonly EndedTask[];
  /** Undefined when these were the last. */
  readonly next: Position | undefined;
}

export interface JobRow {
  readonly number: JobNumber;
  readonly id: JobId;
  readonly queue: string;
  readonly labels: Labels;
  readonly task: string;
  readonly by: string;
  /** Null until it has ended. */
  readonly state: FinalState | null;
  readonly created: number;
  readonly ended: number | null;
  /** Index of the batch that ended it. */
  readonly endedIndex: number | null;
  readonly retired: boolean;
  /** As given when it was created, or, once it has ended, then. */
  readonly json: string;
}

export interface JobsQuery {
  readonly limit: number;
  readonly order: "newest" | "oldest";
  /** Beyond this one, in that order, only. */
  readonly beyond?: JobNumber;
  /** Any of these; whatever they are without. */
  readonly states?: readonly (FinalState | "unfinished")[];
  /** Terms on queue, task, label.*, by, created and ended; all must hold. */
  readonly terms: readonly Term[];
}

export interface JobsPage {
  /** In the order asked for. */
  readonly items: readonly JobRow[];
  /** Of all that fit the query, whatever `beyond` and `limit` say. */
  readonly total: number;
}

/** `n` counts the rows of a batch from 1. */
export interface TimelineRow extends Position, Said {
  readonly wall: number;
}

/** A term of a filter; `job` is the beginning of an id. */

export interface TimelineQuery {
  /** Rows before this position only. */
  readonly before?: Position;
  readonly limit: number;
  /** On kind, job, worker, queue, master and at; all must hold. */
  readonly terms: readonly Term[];
}

export interface TimelinePage {
  /** Newest first. */
  readonly rows: readonly TimelineRow[];
  /** Of all that fit the query, wherever the page begins. */
  readonly total: number;
  readonly floor: Position;
}

export interface TimelineSpan {
  /** Oldest first. */
  readonly rows: readonly TimelineRow[];
  /** All rows up to here were given, or are missing. */
  readonly through: Position;
  /** Rows up to here may be missing. */
  readonly floor: Position;
}

export interface PruneQuery {
  /** Rows of the timeline of either sort: the oldest go until there are no more. */
  readonly rowsMax?: number;
  /** Retired jobs that ended before this (wall clock) go. */
  readonly endedBefore?: number;
  /** Then the retired jobs that ended first go, until the archive holds no more than this. */
  readonly bytesMax?: number;
}

export interface Pruned {
  readonly jobs: number;
  readonly bytes: number;
}

export interface ArchiveUsage {
  readonly jobs: number;
  /** Of what was added and not pruned. */
  readonly bytes: number;
  readonly fileBytes: number;
}

/** Indexes first … last. */
export interface IndexRange {
  readonly first: number;
  readonly last: number;
}

export interface Archive {
  add(index: number, wall: number, events: readonly ArchiveEvent[]): void;
  /** Goes on after `index` without what came before: noted for ever in `lacks` (A6). */
  skipTo(index: number): void;
  /** What was skipped when this archive began or went on. */
  readonly lacks: readonly IndexRange[];
  readonly added: number;
  readonly watermark: number;
  /** Bytes in memory that are not on the disk yet. */
  readonly queuedBytes: number;
  /** Full: it goes on by itself. Anything else: open it again. */
  readonly trouble: StoreTrouble | undefined;
  /** Both return a function that ends it. */
  onWatermark(listener: (watermark: number) => void): () => void;
  onTrouble(listener: (trouble: StoreTrouble | undefined) => void): () => void;
  /** Resolves once the watermark is at what was `added` when it was called. */
  flush(): Promise<void>;

  /** Blocks after a position in the order recorded; at least one if there is any. */
  blocks(job: JobNumber, after: Position, bytesMax: number): Promise<readonly RecordedBlock[]>;
  results(job: JobNumber, query: ResultsQuery): Promise<ResultsPage>;
  task(job: JobNumber, task: TaskNumber): Promise<TaskRecord>;
  /** Exact lines; fewer when they are too many for one answer (8 MiB) or not there: see `count`. */
  inputs(job: JobNumber, first: TaskNumber, count: number): Promise<InputLines>;
  endedTasks(job: JobNumber, query: EndedTasksQuery): Promise<EndedTasks>;
  /** For pictures of a job: see run-picture.ts. Each looks at all that is recorded of it. */
  spans(job: JobNumber, query: SpansQuery): Promise<Spans>;
  codes(job: JobNumber, count: number): Promise<Uint8Array>;
  errors(job: JobNumber, lookMax: number): Promise<ErrorGroups>;
  /** Rows after a position, at most so many. */
  timelineAfter(after: Position, limit: number): Promise<TimelineSpan>;
  timeline(query: TimelineQuery): Promise<TimelinePage>;
  /** Of a job or a worker, newest first. */
  endedAttempts(query: AttemptsQuery): Promise<EndedAttempts>;
  /** By number, or by id or the beginning of one: all that fit, at most 11. */
  job(ref: JobNumber | string): Promise<readonly JobRow[]>;
  jobs(query: JobsQuery): Promise<JobsPage>;

  /** In slices: other calls pass in between. Only retired jobs ever go. */
  prune(query: PruneQuery): Promise<Pruned>;
  usage(): Promise<ArchiveUsage>;
  /** All that was added when it is called, as a file of its own, for another master (A6). Not of one in memory. */
  copyTo?(path: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const archiveLimits = {
  resultsMax: 4_096,
  resultsBytesDefault: 4 * 1024 * 1024,
  inputsBytesMax: 8 * 1024 * 1024,
  jobsMatchedMax: 11,
} as const;
