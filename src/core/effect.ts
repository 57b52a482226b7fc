// Effects: what must follow a batch once it is durable, in the order the fold met it (L1). The leader
// performs them; every master feeds its archive from them. They are facts, never decisions.

import type { JobNumber, WorkerNumber } from "../protocol/ids.ts";
import type { Note } from "./note.ts";

export type Effect =
  /** Another term begins; who leads in it is in the state. */
  | { readonly kind: "elected" }
  /** The term has ended well; `to` is asked to lead on (L6). */
  | { readonly kind: "resigned"; readonly from: string; readonly to: string | null }
  /** The list of masters has changed. */
  | { readonly kind: "masters" }
  /** Order: run these. */
  | {
      readonly kind: "start";
      readonly worker: WorkerNumber;
      readonly job: JobNumber;
      readonly first: number;
      readonly count: number;
      readonly attempt: number;
      readonly fence: number;
    }
  /** Order: end this attempt, its task has ended. */
  | {
      readonly kind: "cancel";
      readonly worker: WorkerNumber;
      readonly job: JobNumber;
      readonly first: number;
      readonly count: number;
      readonly attempt: number;
      readonly reason: number;
    }
  | { readonly kind: "drain"; readonly worker: WorkerNumber }
  | { readonly kind: "jobCreated"; readonly job: JobNumber }
  | {
      readonly kind: "inputs";
      readonly job: JobNumber;
      readonly part: number;
      readonly first: number;
      readonly count: number;
      readonly bytes: Uint8Array;
    }
  /** Recorded outcomes; worker 0 when the master itself ended them. */
  | {
      readonly kind: "outcomes";
      readonly job: JobNumber;
      readonly worker: WorkerNumber;
      readonly block: Uint8Array;
    }
  /** An attempt that ended without being its task's outcome. */
  | {
      readonly kind: "attempt";
      readonly job: JobNumber;
      readonly task: number;
      readonly attempt: number;
      readonly worker: WorkerNumber;
      readonly reason: number;
      readonly charged: boolean;
      readonly started: number;
      readonly micros: number;
      readonly logBytes: number;
      readonly error: Uint8Array | null;
    }
  | { readonly kind: "jobEnded"; readonly job: JobNumber }
  | { readonly kind: "retired"; readonly job: JobNumber }
  | { readonly kind: "forgotten"; readonly jobs: readonly JobNumber[] }
  | { readonly kind: "recorded"; readonly worker: WorkerNumber; readonly n: number }
  | { readonly kind: "payloadsFreed"; readonly hashes: readonly string[] }
  | { readonly kind: "trim"; readonly below: number }
  /** For the timeline. */
  | { readonly kind: "note"; readonly note: Note };
