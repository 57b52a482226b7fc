// Answers of the API that are pictures of the cluster rather than lists.

import type { JobView } from "../../../src/client/index.ts";

export interface Attention {
  readonly level: "ok" | "warn" | "bad";
  readonly text: string;
  readonly hint: string;
  readonly link: string;
}

export interface RunningJob {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly counts: JobView["counts"];
  readonly tasks: number;
  readonly started: string | null;
  readonly etaMs: number | null;
}

export interface WorkerTile {
  readonly id: string;
  readonly state: string;
  readonly used: number;
  readonly total: number;
  readonly running: number;
}

export interface ErrorGroup {
  readonly fingerprint: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly job?: string;
  readonly first: {
    readonly task: number;
    readonly attempt: number;
    readonly worker: string;
    readonly at: string | null;
    readonly job?: string;
  };
}

export interface Overview {
  readonly verdict: string;
  readonly level: "ok" | "warn" | "bad";
  readonly workers: readonly WorkerTile[];
  readonly running: readonly RunningJob[];
  readonly attention: readonly Attention[];
  readonly errors: readonly ErrorGroup[];
  readonly rates: { readonly succeeded: number; readonly failed: number };
  readonly oldestWaitMs: number | null;
}

/** Columns, a value each `stepMs`. */
export interface Series {
  readonly stepMs: number;
  readonly from: number;
  readonly succeeded: readonly (number | null)[];
  readonly failed: readonly (number | null)[];
  readonly queued: readonly (number | null)[];
  readonly running: readonly (number | null)[];
  readonly used: readonly (number | null)[];
  readonly total: readonly (number | null)[];
  readonly oldestWaitMs: readonly (number | null)[];
}

export interface JobErrors {
  readonly groups: readonly ErrorGroup[];
  readonly failed: number;
  readonly looked: number;
  readonly partial?: string;
}

export interface TaskStream {
  readonly from: number;
  readonly to: number;
  readonly lanes: readonly { readonly worker: string; readonly slot: number }[];
  readonly bars: {
    readonly lane: readonly number[];
    readonly task: readonly number[];
    readonly attempt: readonly number[];
    readonly start: readonly number[];
    readonly end: readonly number[];
    readonly state: readonly (string | number)[];
  };
  readonly aggregated: boolean;
  readonly bucketMs?: number;
  readonly verdict: string;
  readonly partial?: string;
}

/** One byte of state a cell; a cell of several tasks shows the worst. */
export interface TaskGrid {
  readonly tasks: number;
  readonly perCell: number;
  readonly states: Uint8Array;
  readonly partial?: string;
}

export interface JobGraph {
  readonly nodes: readonly {
    readonly job: string;
    readonly task: string;
    readonly state: string;
    readonly tasks: number;
    readonly done: number;
  }[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly mode: string }[];
  readonly partial?: string;
}

export interface TimelineEvent {
  readonly id: string;
  readonly at: string;
  readonly kind: string;
  readonly job?: string;
  readonly worker?: string;
  readonly queue?: string;
  readonly master?: string;
  readonly text: string;
  readonly level: "info" | "warn" | "bad";
}
