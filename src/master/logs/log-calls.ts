// What passes between a master and the thread that keeps its logs: calls with one answer each.

export interface LogAddress {
  readonly job: string;
  readonly task: number;
  readonly attempt: number;
}

export interface LogRead extends LogAddress {
  readonly from: number;
}

/** Bytes of a log that follow each other. */
export interface LogBytes {
  /** Where they begin: later than was asked for when what is between is not here. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Where the log ends, if that is known. */
  readonly end: number | null;
}

export interface LogExtent {
  /** Everything before this is here. */
  readonly whole: number;
  readonly end: number | null;
}

/** Place of a line among those of a job: time, task, attempt, position of its piece, which of its lines. */
export type LinePlace = readonly [
  at: number,
  task: number,
  attempt: number,
  piece: number,
  line: number,
];

export interface LogLine {
  readonly place: LinePlace;
  readonly at: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export interface LinesQuery {
  readonly job: string;
  /** Lines behind this one. */
  readonly after: LinePlace | null;
  /** Printed at this wall time of a worker or later. */
  readonly since: number;
  /** Plain text that a line contains; "": any. */
  readonly grep: string;
  readonly stream: "stdout" | "stderr" | "both";
  readonly limit: number;
}

export interface LinesPage {
  readonly lines: readonly LogLine[];
  /** Everything up to here was looked at; null: everything that there is. */
  readonly upTo: LinePlace | null;
}

export interface PruneAsk {
  /** Segments whose last piece came before this wall time. */
  readonly before: number;
  readonly bytesMax: number;
}

export interface LogCalls {
  open: { ask: { readonly dir: string; readonly segmentBytes: number }; answer: OpenedLogs };
  add: {
    ask: { readonly body: Uint8Array; readonly wall: number };
    answer: { readonly pieces: number };
  };
  read: { ask: LogRead; answer: LogBytes | null };
  extent: { ask: LogAddress; answer: LogExtent };
  lines: { ask: LinesQuery; answer: LinesPage };
  prune: { ask: PruneAsk; answer: { readonly segments: number; readonly bytes: number } };
  usage: { ask: null; answer: { readonly segments: number; readonly bytes: number } };
  close: { ask: null; answer: null };
}

export interface OpenedLogs {
  /** Files that were set aside. */
  readonly damaged: readonly string[];
}

export type LogCall = keyof LogCalls;

export type ToLogThread = {
  readonly [K in LogCall]: {
    readonly id: number;
    readonly call: K;
    readonly ask: LogCalls[K]["ask"];
  };
}[LogCall];

export type FromLogThread =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly code: "invalid" | "full" | "failed"; readonly why: string };

export function comparePlaces(a: LinePlace, b: LinePlace): number {
  for (const [i, own] of a.entries()) {
    const other = b[i] ?? 0;
    if (own !== other) return own - other;
  }
  return 0;
}
