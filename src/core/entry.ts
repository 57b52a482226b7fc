// Entries: decisions already made, as they stand in the journal (J1). `apply` never refuses one and never
// decides anew, so that a new version cannot disagree with its own history. Every kind has a version `v`.

import type { JobNumber, PayloadHash, WorkerNumber } from "../protocol/ids.ts";
import type { JobSpec, QueueSettings, WorkerInfo } from "../protocol/model.ts";

// ── leading ──────────────────────────────────────────────────────────────────────────────

export interface Elected {
  readonly kind: "elected";
  readonly v: 1;
  readonly term: number;
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
  readonly digest: string;
  readonly process?: ProcessId;
  /** Feature levels it can read and write (L11). */
  readonly levels?: readonly [min: number, max: number];
}
/** An operating system's process, beyond doubt: ids are used again, start times are not. */
export interface ProcessId {
  readonly pid: number;
  /** As the kernel says it, in its own units. */
  readonly started: string;
  /** Of the machine since it booted, so that a pid is not looked for on another. */
  readonly machine: string;
}
/** Nothing but a sign of life (L3). */
export interface Renewed {
  readonly kind: "renewed";
  readonly v: 1;
}
export interface Resigned {
  readonly kind: "resigned";
  readonly v: 1;
  readonly to: string | null;
  readonly digest: string;
}
export interface MasterJoined {
  readonly kind: "masterJoined";
  readonly v: 1;
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
  readonly process?: ProcessId;
  readonly levels?: readonly [min: number, max: number];
}
/** It has been away so long that nothing waits for it any more. */
export interface MasterLeft {
  readonly kind: "masterLeft";
  readonly v: 1;
  readonly id: string;
}
export interface FeatureLevel {
  readonly kind: "featureLevel";
  readonly v: 1;
  readonly level: number;
}
/** The digest of the state before this batch (L10). */
export interface DigestTaken {
  readonly kind: "digest";
  readonly v: 1;
  readonly digest: string;
}

// ── jobs ─────────────────────────────────────────────────────────────────────────────────

export interface JobCreated {
  readonly kind: "jobCreated";
  readonly v: 1;
  readonly job: JobNumber;
  readonly id: string;
  readonly spec: JobSpec;
  readonly open: boolean;
  /** Numbers of spec.after's jobs; those of mode all that have succeeded already are left out. */
  readonly waitsFor: readonly JobNumber[];
  readonly pairedWith: readonly JobNumber[];
  readonly key: RequestKey | null;
}
export type RequestKey =
  | {
      readonly kind: "client";
      readonly client: string;
      readonly n: number;
      readonly fingerprint: string;
    }
  | { readonly kind: "user"; readonly key: string; readonly fingerprint: string };

export interface PartAdded {
  readonly kind: "partAdded";
  readonly v: 1;
  readonly job: JobNumber;
  readonly part: number;
  readonly count: number;
  /** Lines, verbatim (K2). */
  readonly bytes: Uint8Array;
  /** CRC-32 of the bytes, by which a repeated part is known. */
  readonly sum: number;
  readonly payloads: readonly PayloadHash[];
}
export interface JobClosed {
  readonly kind: "jobClosed";
  readonly v: 1;
  readonly job: JobNumber;
}
/** Nothing of this job is assigned any more; `swept` entries end what has not ended. */
export interface JobStopping {
  readonly kind: "jobStopping";
  readonly v: 1;
  readonly job: JobNumber;
  readonly reason: number;
}
/** Unended tasks in a range end with a reason (K7: at most a slice). */
export interface Swept {
  readonly kind: "swept";
  readonly v: 1;
  readonly job: JobNumber;
  readonly first: number;
  readonly count: number;
  readonly reason: number;
}
/** Waiting or backed-off tasks become ready. */
export interface Woken {
  readonly kind: "woken";
  readonly v: 1;
  readonly job: JobNumber;
  readonly first: number;
  readonly count: number;
}
/** A finished job leaves the state; the archive has it (A2). */
export interface Retired {
  readonly kind: "retired";
  readonly v: 1;
  readonly job: JobNumber;
}
/** The archive keeps these retired jobs no longer: what they had stored is used no more. */
export interface Forgotten {
  readonly kind: "forgotten";
  readonly v: 1;
  readonly jobs: readonly JobNumber[];
}

// ── attempts ─────────────────────────────────────────────────────────────────────────────

export interface Assigned {
  readonly kind: "assigned";
  readonly v: 1;
  readonly job: JobNumber;
  readonly first: number;
  readonly count: number;
  readonly attempt: number;
  readonly worker: WorkerNumber;
}
/** Outcomes of tasks, as reported (see protocol/outcome-block.ts); all are fresh and final. */
export interface Outcomes {
  readonly kind: "outcomes";
  readonly v: 1;
  readonly job: JobNumber;
  readonly worker: WorkerNumber;
  readonly block: Uint8Array;
  /** Stored payloads that its values name inside: a command's outputs. */
  readonly payloads?: readonly PayloadHash[];
}
/** An attempt failed, the task goes on: it is ready again at `until` (cluster time). */
export interface AttemptFailed {
  readonly kind: "attemptFailed";
  readonly v: 1;
  readonly job: JobNumber;
  readonly task: number;
  readonly attempt: number;
  readonly worker: WorkerNumber;
  readonly reason: number;
  readonly charged: boolean;
  readonly until: number;
  readonly micros: number;
  readonly logBytes: number;
  readonly error: Uint8Array;
}
/** Attempts whose task had ended already are over; their amounts are free (K6). */
export interface Released {
  readonly kind: "released";
  readonly v: 1;
  readonly job: JobNumber;
  readonly worker: WorkerNumber;
  readonly tasks: readonly number[];
}
/** Attempts that never started are back in their class, uncharged. */
export interface Unassigned {
  readonly kind: "unassigned";
  readonly v: 1;
  readonly job: JobNumber;
  readonly worker: WorkerNumber;
  readonly first: number;
  readonly count: number;
}
/** Reports of a worker up to `n` are in this or an earlier batch. */
export interface Reported {
  readonly kind: "reported";
  readonly v: 1;
  readonly worker: WorkerNumber;
  readonly n: number;
}

// ── workers ──────────────────────────────────────────────────────────────────────────────

export interface WorkerRegistered {
  readonly kind: "workerRegistered";
  readonly v: 1;
  readonly worker: WorkerNumber;
  readonly info: WorkerInfo;
}
/** What placement must know of the world (S1). */
export interface WorkerChanged {
  readonly kind: "workerChanged";
  readonly v: 1;
  readonly worker: WorkerNumber;
  readonly state: "active" | "suspect" | "draining" | "drained";
  readonly deadline: number;
  readonly exit: boolean;
}
/** Its tasks are ready again; `charged` are those that could have been running (W9). */
export interface WorkerLost {
  readonly kind: "workerLost";
  readonly v: 1;
  readonly worker: WorkerNumber;
  readonly reason: string;
  readonly gone: boolean;
  readonly charged: readonly (readonly [job: JobNumber, task: number])[];
}
export interface WorkerForgotten {
  readonly kind: "workerForgotten";
  readonly v: 1;
  readonly worker: WorkerNumber;
}
export interface Braked {
  readonly kind: "braked";
  readonly v: 1;
  readonly until: number;
  readonly silent: number;
}
export interface Reserved {
  readonly kind: "reserved";
  readonly v: 1;
  readonly classKey: string;
  readonly worker: WorkerNumber;
}

// ── the rest ─────────────────────────────────────────────────────────────────────────────

export interface QueueSet {
  readonly kind: "queueSet";
  readonly v: 1;
  readonly name: string;
  readonly namespace: string;
  readonly by: string;
  readonly settings: QueueSettings;
  readonly paused: boolean;
  readonly pausedReason: string;
}
export interface KeysForgotten {
  readonly kind: "keysForgotten";
  readonly v: 1;
  readonly clients: readonly string[];
  readonly userKeys: readonly string[];
}
export interface PayloadsFreed {
  readonly kind: "payloadsFreed";
  readonly v: 1;
  readonly hashes: readonly PayloadHash[];
}
export interface SnapshotTaken {
  readonly kind: "snapshotTaken";
  readonly v: 1;
  readonly index: number;
  readonly digest: string;
  readonly file: string;
}
export interface Trimmed {
  readonly kind: "trimmed";
  readonly v: 1;
  readonly below: number;
}

export type Entry =
  | Elected
  | Renewed
  | Resigned
  | MasterJoined
  | MasterLeft
  | FeatureLevel
  | DigestTaken
  | JobCreated
  | PartAdded
  | JobClosed
  | JobStopping
  | Swept
  | Woken
  | Retired
  | Forgotten
  | Assigned
  | Outcomes
  | AttemptFailed
  | Released
  | Unassigned
  | Reported
  | WorkerRegistered
  | WorkerChanged
  | WorkerLost
  | WorkerForgotten
  | Braked
  | Reserved
  | QueueSet
  | KeysForgotten
  | PayloadsFreed
  | SnapshotTaken
  | Trimmed;

export type EntryKind = Entry["kind"];

/** The version of each kind that this build can read (L11). */
const versions: Readonly<Record<EntryKind, number>> = {
  elected: 1,
  renewed: 1,
  resigned: 1,
  masterJoined: 1,
  masterLeft: 1,
  featureLevel: 1,
  digest: 1,
  jobCreated: 1,
  partAdded: 1,
  jobClosed: 1,
  jobStopping: 1,
  swept: 1,
  woken: 1,
  retired: 1,
  forgotten: 1,
  assigned: 1,
  outcomes: 1,
  attemptFailed: 1,
  released: 1,
  unassigned: 1,
  reported: 1,
  workerRegistered: 1,
  workerChanged: 1,
  workerLost: 1,
  workerForgotten: 1,
  braked: 1,
  reserved: 1,
  queueSet: 1,
  keysForgotten: 1,
  payloadsFreed: 1,
  snapshotTaken: 1,
  trimmed: 1,
};

/** Whether this build knows what an entry means; one that it does not know must not be passed over. */
export function canRead({ kind, v }: { readonly kind: string; readonly v: number }): boolean {
  return Object.hasOwn(versions, kind) && v <= versions[kind as EntryKind];
}
