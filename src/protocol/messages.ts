// Worker sessions: what goes over the WebSocket /v1/session between a worker and a master.
//
// A frame is one MessagePack array [n, ack, messages]: `n` numbers this side's frames from 1, `ack` is the
// last frame received from the other side (W4), `messages` is a batch, applied in order. Columns and values
// travel as blocks of bytes inside it (W11). A ping is a frame without messages. README.md tells the story.

import type { Incarnation, JobId, JobNumber, TaskNumber, WorkerId } from "./ids.ts";
import type { Code, Labels, Needs, Timeouts, WorkerInfo } from "./model.ts";

export const protocolVersion = 1;
export const protocolVersionMin = 1;

export type Frame<Message> = readonly [n: number, ack: number, messages: readonly Message[]];

// ── a worker says ────────────────────────────────────────────────────────────────────────

/** The first message on a connection. */
export interface WorkerHello {
  readonly kind: "hello";
  readonly protocol: readonly [min: number, max: number];
  readonly version: string;
  readonly id: WorkerId;
  readonly incarnation: Incarnation;
  /** The journal this worker's incarnation works for; null before its first welcome. */
  readonly journalId: string | null;
}

/** Tasks first … first + count - 1 of a job, at one attempt number. */
export interface AttemptRange {
  readonly job: JobNumber;
  readonly first: TaskNumber;
  readonly count: number;
  readonly attempt: number;
}

/** Complete: what a worker holds when it takes a term (W2). */
export interface WorkerRegister {
  readonly kind: "register";
  readonly term: number;
  readonly info: WorkerInfo;
  /** Attempts that wait, run or are being killed here, not those in `reports`. */
  readonly held: readonly AttemptRange[];
  /** Attempts among `held` that have started to run. */
  readonly started: readonly AttemptRange[];
  /** Reports of this incarnation up to this number are recorded. */
  readonly recorded: number;
  /** Reports that no leader has recorded, the spool included, in order. */
  readonly reports: readonly WorkerReport[];
  /** It leaves, by its own wish: nothing new may be sent here. */
  readonly leaving?: Pick<WorkerLeaving, "deadlineMs">;
}

/** Ends of attempts. `n` counts a worker incarnation's reports from 1 and is repeated if sent again. */
export interface WorkerReport {
  readonly kind: "report";
  readonly n: number;
  readonly blocks: readonly OutcomeBlock[];
  /** Recalled or declined attempts that never started and never will here. */
  readonly returned: readonly AttemptRange[];
}

export interface OutcomeBlock {
  readonly job: JobNumber;
  /** See outcome-block.ts. */
  readonly bytes: Uint8Array;
  /** Stored payloads that its values name inside: a command's outputs, which nobody else finds (K2). */
  readonly payloads?: readonly string[];
}

/** Hints that nobody journals: lost ones do no harm. */
export interface WorkerProgress {
  readonly kind: "progress";
  /** Attempts that began to run. */
  readonly started: readonly AttemptRange[];
  readonly tasks: readonly TaskProgress[];
  readonly load: WorkerLoad;
}

export interface TaskProgress {
  readonly job: JobNumber;
  readonly task: TaskNumber;
  readonly attempt: number;
  /** 0 to 100. */
  readonly percent: number;
  readonly message?: string;
}

export interface WorkerLoad {
  readonly slotsBusy: number;
  readonly slots: number;
  readonly spoolBytes: number;
  readonly memoryFreeMiB: number;
  readonly diskFreeBytes: number;
}

/** Part of a log that was asked for, in order; the last one has `end`. */
export interface LogChunk {
  readonly kind: "logChunk";
  readonly request: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly end: boolean;
  /** Why there is no (more) log. */
  readonly problem?: string;
}

/** The worker will leave, by its own wish (a signal): it takes nothing more, and gives back what has not started. */
export interface WorkerLeaving {
  readonly kind: "leaving";
  /** What runs is killed after this; 0: never. */
  readonly deadlineMs: number;
}

/** The worker leaves for good: nothing runs here any more (W5). */
export interface WorkerGoodbye {
  readonly kind: "goodbye";
  readonly reason: string;
}

export type WorkerMessage =
  | WorkerHello
  | WorkerRegister
  | WorkerReport
  | WorkerProgress
  | LogChunk
  | WorkerLeaving
  | WorkerGoodbye;

// ── a master says ────────────────────────────────────────────────────────────────────────

export interface MasterWelcome {
  readonly kind: "welcome";
  readonly protocol: number;
  readonly version: string;
  readonly journalId: string;
  readonly master: { readonly id: string; readonly incarnation: Incarnation };
  /** Addresses of all known masters, this one included: http://host:port. */
  readonly masters: readonly string[];
  readonly suspectAfterMs: number;
  readonly lostAfterMs: number;
}

/** The list of masters has changed: keep a session with each (W1). Those left out may still answer. */
export interface MasterMasters {
  readonly kind: "masters";
  readonly masters: readonly string[];
}

/** This master leads in this term: register (W2). Never sent by a standby. */
export interface MasterLead {
  readonly kind: "lead";
  readonly term: number;
}

/** The full answer to a registration. What is not named in `kill` goes on. */
export interface MasterVerdict {
  readonly kind: "verdict";
  readonly term: number;
  /** Attempts that must end: superseded, cancelled, or not of this journal (A3). */
  readonly kill: readonly AttemptRange[];
  /** Reports up to this number are recorded. */
  readonly recorded: number;
}

/** What a worker must know of a job: in every start message that names it. */
export interface JobDescriptor {
  readonly number: JobNumber;
  readonly id: JobId;
  readonly task: string;
  readonly code: Code;
  readonly needs: Needs;
  readonly timeouts: Timeouts;
  readonly killGraceMs: number;
  readonly labels: Labels;
  readonly attemptsMax: number;
  /** Names of errors that are never retried: the slot reports them as final (see `Retry`). */
  readonly finalErrors: readonly string[];
  /** W3C trace context of the submit, if it had one. */
  readonly traceparent?: string;
}

/** Run these, in the order sent (W8). `inputs` holds `count` lines (see lines.ts). */
export interface StartRange extends AttemptRange {
  /** ctx.fence of all of them: the index of their assignment (K5). */
  readonly fence: number;
  readonly inputs: Uint8Array;
}

export interface MasterStart {
  readonly kind: "start";
  readonly term: number;
  readonly jobs: readonly JobDescriptor[];
  readonly ranges: readonly StartRange[];
}

/** Give back up to `count` attempts of this job that have not started, the last sent first. */
export interface MasterRecall {
  readonly kind: "recall";
  readonly term: number;
  readonly job: JobNumber;
  readonly count: number;
}

/** End these attempts and report how they ended; one that never started is reported cancelled too. */
export interface MasterCancel {
  readonly kind: "cancel";
  readonly term: number;
  readonly ranges: readonly AttemptRange[];
  /** Code of an end reason. */
  readonly reason: number;
}

/** Reports up to `n` are recorded: forget them (W6). */
export interface MasterRecorded {
  readonly kind: "recorded";
  readonly term: number;
  readonly n: number;
}

/** Start nothing new; give back what has not started; go on answering. `exit`: say goodbye when done. */
export interface MasterDrain {
  readonly kind: "drain";
  readonly term: number;
  readonly on: boolean;
  readonly exit: boolean;
  /** Running attempts are killed after this long; 0 means never. */
  readonly deadlineMs: number;
}

export interface LogRequest {
  readonly kind: "logRequest";
  readonly request: number;
  readonly job: JobId;
  readonly task: TaskNumber;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr" | "both";
  readonly from: number;
  readonly follow: boolean;
}

export interface LogStop {
  readonly kind: "logStop";
  readonly request: number;
}

/** Final: do not dial again with these words. */
export interface MasterRefuse {
  readonly kind: "refuse";
  /** A code of the error table. */
  readonly code: string;
  readonly message: string;
}

export type MasterMessage =
  | MasterWelcome
  | MasterMasters
  | MasterLead
  | MasterVerdict
  | MasterStart
  | MasterRecall
  | MasterCancel
  | MasterRecorded
  | MasterDrain
  | LogRequest
  | LogStop
  | MasterRefuse;
