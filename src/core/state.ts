// The state of the cluster: what a fold over the journal yields. Plain data; `apply` alone changes it.
// Tasks are not objects: a job holds them in columns of typed arrays (A7), see columns.ts.

import type { JobNumber, PayloadHash, WorkerNumber } from "../protocol/ids.ts";
import type { JobSpec, QueueSettings, WorkerInfo } from "../protocol/model.ts";
import type { ProcessId } from "./entry.ts";
import type { TaskRange } from "./on-worker.ts";
import { createTimers } from "./timers.ts";
import type { Timers } from "./timers.ts";

export interface State {
  readonly journalId: string;
  /** The last batch applied. */
  index: number;
  term: number;
  /** Cluster time in ms (T1), and the wall clock beside it. */
  time: number;
  wall: number;
  featureLevel: number;
  leader: Leader | null;
  readonly masters: Map<string, MasterRecord>;

  readonly jobs: Map<JobNumber, Job>;
  readonly jobNumbers: Map<string, JobNumber>;
  nextJob: JobNumber;
  /** Finished jobs in the order they ended: the first is the first to be retired. */
  readonly finished: Set<JobNumber>;
  finishedTasks: number;

  readonly workers: Map<WorkerNumber, Worker>;
  readonly workerNumbers: Map<string, WorkerNumber>;
  nextWorker: WorkerNumber;

  readonly queues: Map<string, Queue>;
  readonly classes: Map<string, TaskClass>;
  readonly concurrency: Map<string, KeyUse>;
  readonly clients: Map<string, ClientKeys>;
  readonly userKeys: Map<string, UserKey>;
  readonly payloads: Map<PayloadHash, PayloadUse>;
  /** Retired jobs whose stored inputs and results the archive still names, in the order retired. */
  readonly kept: Map<JobNumber, KeptPayloads>;
  brakeUntil: number;
  snapshotIndex: number;
  trimIndex: number;
  totals: Totals;
  /** Estimated bytes of all jobs (P7). */
  bytes: number;

  /** Derived, never in a snapshot: what falls due when. */
  readonly timers: Timers;
  /** Derived: jobs with waiting tasks that may start or end by now → where to go on looking. */
  readonly unsettled: Map<JobNumber, number>;
  /** Derived: jobs whose sweep is under way. */
  readonly sweeping: Set<JobNumber>;
  /** Derived: worker → the class that has reserved it (S4). */
  readonly reserved: Map<WorkerNumber, TaskClass>;
  /** Derived: classes that found no room while placement works through all of them, over several turns. */
  readonly passedOver: Set<string>;
  /** Derived: workers that are lost or gone, in that order. */
  readonly away: Set<WorkerNumber>;
  /** Derived: jobs and workers whose part of the digest must be computed anew. */
  readonly touched: Touched;
}

export interface Leader {
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
  readonly term: number;
  readonly electedAt: number;
  readonly electedWall: number;
  readonly process: ProcessId | null;
}

export interface MasterRecord {
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
  readonly levels: readonly [min: number, max: number];
  readonly process: ProcessId | null;
}

export interface Totals {
  submitted: number;
  attempts: number;
  attemptsLost: number;
  succeeded: number;
  failed: number;
  cancelled: number;
}

export interface Job {
  readonly number: JobNumber;
  readonly id: string;
  readonly spec: JobSpec;
  readonly classKey: string;
  /** Amounts as sorted pairs, ready for arithmetic. */
  readonly amounts: readonly Amount[];
  readonly createdTime: number;
  readonly createdWall: number;
  startedWall: number;
  endedTime: number;
  endedWall: number;
  open: boolean;
  ended: "" | "succeeded" | "failed" | "cancelled";
  /** Set once: nothing more is assigned, a sweep ends what has not ended. */
  stopping: null | { readonly reason: number; next: number };
  /** Jobs that must have ended before any task starts (mode all) … */
  readonly waitsFor: Set<JobNumber>;
  /** … and jobs whose task of the same number must have succeeded first (mode each). */
  readonly pairedWith: readonly JobNumber[];
  /** Unfinished jobs that wait for this one. */
  readonly dependents: Set<JobNumber>;
  /** Derived: those of them whose tasks wait for this one's of the same number. */
  readonly paired: Set<JobNumber>;
  wakeTime: number;
  tasks: Columns;
  readonly parts: Part[];
  /** Hashes this job holds: bundle, inputs, results. */
  readonly payloads: Map<PayloadHash, number>;
  attempts: number;
  attemptsLost: number;
  /** Run time of ended attempts in microseconds, and how many they were. */
  runMicros: number;
  runCount: number;
  /** Workers that died under a task: task → their numbers, one for each death (W9). Nearly always empty. */
  readonly deaths: Map<number, WorkerNumber[]>;
  /** Digest of the columns, kept as they change. */
  sumA: number;
  sumB: number;
  /** Derived: digest of parts, payloads and dependents, kept as they change, see sums.ts. */
  otherA: number;
  otherB: number;
}

export type Amount = readonly [name: string, thousandths: number];

/** Lines of inputs as they came; bytes leave when all of the part's tasks have ended. */
export interface Part {
  readonly first: number;
  readonly count: number;
  readonly createdTime: number;
  readonly sum: number;
  bytes: Uint8Array | null;
  offsets: Uint32Array | null;
  /** Tasks that have not ended. */
  left: number;
}

export interface Columns {
  count: number;
  /** taskState, one byte each. */
  state: Uint8Array;
  /** Columns of tasks that were ever assigned; absent until the first one is. */
  run: RunColumns | null;
  /** No task below this is ready. */
  readyFrom: number;
  readonly counts: Int32Array; // by taskState 0…6
  /** Ended, but an attempt still holds its amounts (K6). */
  held: number;
}

export interface RunColumns {
  /** The latest attempt's number; 0 means none yet. */
  attempt: Uint32Array;
  worker: Uint32Array;
  /** Index of the latest assignment (K5). */
  fence: Float64Array;
  /** Ms after the job's creation: assigned at, back-off until, or ready since. */
  since: Float64Array;
  /** Charged failures. */
  failures: Uint16Array;
  /** End reason of a task that has ended. */
  reason: Uint8Array;
}

/** Jobs of equal needs, queue and priority (S2). */
export interface TaskClass {
  readonly key: string;
  readonly queue: string;
  readonly priority: number;
  /** What it needs, as text: equal for classes that differ by queue and priority only. */
  readonly shape: string;
  /** Jobs with ready tasks, by number ascending (the order of age), from `head` on. */
  jobs: JobNumber[];
  head: number;
  ready: number;
  /** Time since which nothing of it was assigned while something was ready; -1 when nothing is ready. */
  headSince: number;
  /** The worker it has reserved (S4), or 0; set by `reserve` alone. */
  reserved: WorkerNumber;
}

export interface Queue {
  readonly name: string;
  readonly namespace: string;
  readonly by: string;
  settings: QueueSettings;
  paused: boolean;
  pausedReason: string;
  /** Amounts assigned now, in thousandths. */
  readonly used: Map<string, number>;
  assigned: number;
  waiting: number;
  jobs: number;
}

export interface KeyUse {
  limit: number;
  active: number;
  jobs: number;
}

export interface Worker {
  readonly number: WorkerNumber;
  info: WorkerInfo;
  state: "active" | "suspect" | "draining" | "drained" | "lost" | "gone";
  /** The term it registered in; below the state's term means: not yet heard in this one. */
  term: number;
  registeredTime: number;
  changedWall: number;
  /** When it was lost or gone; 0 while it is neither. */
  lostTime: number;
  lostReason: string;
  drainDeadline: number;
  drainExit: boolean;
  /** Reports recorded of this incarnation: the highest number. */
  reports: number;
  /** Recent changes of incarnation (W10). */
  changes: number[];
  readonly total: Map<string, number>;
  readonly used: Map<string, number>;
  /** Attempts here that hold their amounts, by job; ended ones that are held included. */
  readonly active: Map<JobNumber, number>;
  /** Attempts sent ahead, in the order sent (W8). */
  ahead: { job: JobNumber; count: number }[];
  aheadCount: number;
  activeCount: number;
  /** Derived: what was assigned here and may still be, see on-worker.ts; `ranged` tasks in all. */
  ranges: TaskRange[];
  ranged: number;
}

/** SDK keys of one client (K8): what the latest requests made. */
export interface ClientKeys {
  highest: number;
  seenTime: number;
  /** n → job number and fingerprint, for the last `clientWindow` numbers. */
  readonly recent: Map<number, { readonly job: JobNumber; readonly fingerprint: string }>;
}

export interface UserKey {
  readonly job: JobNumber;
  readonly fingerprint: string;
  readonly expires: number;
}

export interface PayloadUse {
  uses: number;
  /** Time since which nothing uses it; -1 while something does. */
  freeSince: number;
  /** A bundle is small and a job may be retried: it stays as long as the archive keeps jobs. */
  readonly bundle: boolean;
}

export interface KeptPayloads {
  readonly endedWall: number;
  readonly uses: readonly (readonly [hash: PayloadHash, uses: number])[];
}

export interface Touched {
  readonly jobs: Set<JobNumber>;
  readonly workers: Set<WorkerNumber>;
}

export function createState(journalId: string): State {
  return {
    journalId,
    index: 0,
    term: 0,
    time: 0,
    wall: 0,
    featureLevel: 1,
    leader: null,
    masters: new Map(),
    jobs: new Map(),
    jobNumbers: new Map(),
    nextJob: 1,
    finished: new Set(),
    finishedTasks: 0,
    workers: new Map(),
    workerNumbers: new Map(),
    nextWorker: 1,
    queues: new Map(),
    classes: new Map(),
    concurrency: new Map(),
    clients: new Map(),
    userKeys: new Map(),
    payloads: new Map(),
    kept: new Map(),
    brakeUntil: 0,
    snapshotIndex: 0,
    trimIndex: 0,
    totals: { submitted: 0, attempts: 0, attemptsLost: 0, succeeded: 0, failed: 0, cancelled: 0 },
    bytes: 0,
    timers: createTimers(),
    unsettled: new Map(),
    sweeping: new Set(),
    reserved: new Map(),
    passedOver: new Set(),
    away: new Set(),
    touched: { jobs: new Set(), workers: new Set() },
  };
}
