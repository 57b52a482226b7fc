// What passes between the archive and its thread: bytes to add one way, watermarks the other, and
// calls with one answer each.

import type { Position } from "../../protocol/outcome-stream.ts";
import type { OpenArchiveAsk } from "./archive-connection.ts";
import type { ArchiveUsage, AttemptRecord, EndedTasks, EndedTasksQuery } from "./archive.ts";
import type { IndexRange, JobRow, JobsPage, JobsQuery, Pruned } from "./archive.ts";
import type { PruneQuery, RecordedBlock, RecordedOutcome, ResultsQuery } from "./archive.ts";
import type { ErrorGroups, Spans, SpansQuery } from "./run-picture.ts";
import type { TaskRange, TimelinePage, TimelineQuery, TimelineSpan } from "./archive.ts";
import type { AttemptsQuery, EndedAttempts } from "./ended-attempts.ts";
import type { PlainTrouble } from "./trouble.ts";

export interface OpenedArchive {
  readonly watermark: number;
  readonly lacks: readonly IndexRange[];
}

/** Items as an outcome block: one buffer to hand over, instead of an object and a view each. */
export interface PackedResults {
  readonly packed: Uint8Array;
  readonly missing: readonly TaskRange[];
  readonly next: number;
}

export interface PackedInputs extends TaskRange {
  readonly packed: Uint8Array;
}

/** Every call with what it asks and what it answers. The thread's handlers have the same keys. */
export interface Calls {
  open: { ask: OpenArchiveAsk; answer: OpenedArchive };
  flush: { ask: null; answer: null };
  blocks: { ask: { job: number; after: Position; bytesMax: number }; answer: RecordedBlock[] };
  results: { ask: { job: number; query: ResultsQuery }; answer: PackedResults };
  task: {
    ask: { job: number; task: number };
    answer: { outcome: RecordedOutcome | undefined; attempts: readonly AttemptRecord[] };
  };
  inputs: { ask: { job: number; first: number; count: number }; answer: PackedInputs };
  endedTasks: { ask: { job: number; query: EndedTasksQuery }; answer: EndedTasks };
  spans: { ask: { job: number; query: SpansQuery }; answer: Spans };
  codes: { ask: { job: number; count: number }; answer: { readonly packed: Uint8Array } };
  errors: { ask: { job: number; lookMax: number }; answer: ErrorGroups };
  timelineAfter: { ask: { after: Position; limit: number }; answer: TimelineSpan };
  timeline: { ask: { query: TimelineQuery }; answer: TimelinePage };
  endedAttempts: { ask: { query: AttemptsQuery }; answer: EndedAttempts };
  job: { ask: { ref: number | string }; answer: readonly JobRow[] };
  jobs: { ask: { query: JobsQuery }; answer: JobsPage };
  prune: { ask: { query: PruneQuery }; answer: Pruned };
  usage: { ask: null; answer: ArchiveUsage };
  copy: { ask: { path: string }; answer: null };
  close: { ask: null; answer: null };
}

export type CallKind = keyof Calls;

export type ToThread =
  | { readonly kind: "add"; readonly bytes: Uint8Array }
  | { readonly kind: "skip"; readonly range: IndexRange }
  | { readonly kind: "call"; readonly id: number; readonly call: CallKind; readonly ask: unknown };

export type FromThread =
  | { readonly kind: "committed"; readonly watermark: number; readonly bytes: number }
  | { readonly kind: "trouble"; readonly trouble: PlainTrouble | undefined }
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly trouble: PlainTrouble };
