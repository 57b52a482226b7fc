// What jobs, tasks, attempts, workers and queues are. Types and tables, no behaviour.

import type { Incarnation, JobId, PayloadHash, TaskNumber, WorkerId } from "./ids.ts";

/** Amounts are integers of thousandths: cpu 1500 is one and a half; memory counts MiB. */
export type Amounts = Readonly<Record<string, number>>;
export type Labels = Readonly<Record<string, string>>;

export interface Needs {
  /** cpu, memory (MiB), gpu and custom names, in thousandths. */
  readonly amounts: Amounts;
  /** Labels that a worker must have. */
  readonly required: Labels;
  /** Labels that a worker had better have. */
  readonly preferred: Labels;
}

/** Milliseconds; 0 means no timeout. */
export interface Timeouts {
  /** From ready to assigned: past it the task ends failed(queue_timeout). */
  readonly queuedMs: number;
  /** One attempt's run. */
  readonly runMs: number;
  /** Without output, progress or end. */
  readonly silenceMs: number;
}

export interface Retry {
  /** Attempts in all; 1 means no retry. Only the task's own failures count (K4). */
  readonly attempts: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** Names of errors that are never retried. */
  readonly finalErrors: readonly string[];
}

/** At most `limit` attempts with this key run at once, over all jobs that use it. */
export interface Concurrency {
  readonly key: string;
  readonly limit: number;
}

/** A job that waits for another: for all of its tasks, or each task for the same number there. */
export interface Dependency {
  readonly job: JobId;
  readonly mode: "all" | "each";
}

export interface FunctionCode {
  readonly kind: "function";
  readonly bundle: PayloadHash;
}

/** argv may hold `{}`, replaced by the input; env is added to a clean environment (K11). */
export interface CommandCode {
  readonly kind: "command";
  readonly argv: readonly string[];
  readonly env: Labels;
  /** What the command reads on stdin: nothing, or the input as a line of JSON. */
  readonly stdin: "none" | "input";
}

export type Code = FunctionCode | CommandCode;

/** All that a job is told at its submit, with every default filled in. */
export interface JobSpec {
  readonly task: string;
  readonly code: Code;
  readonly queue: string;
  /** Higher goes first inside a queue; -1000 to 1000. */
  readonly priority: number;
  readonly needs: Needs;
  readonly timeouts: Timeouts;
  readonly retry: Retry;
  readonly onFailure: "continue" | "stop";
  readonly concurrency: Concurrency | null;
  /** Only the latest attempt's outcome counts (K5). */
  readonly fenced: boolean;
  /** Tasks wait at least this long after the submit. */
  readonly delayMs: number;
  readonly labels: Labels;
  readonly after: readonly Dependency[];
  readonly encoding: "json";
  readonly ifClientGone: "close" | "cancel";
  readonly namespace: string;
  readonly by: string;
  readonly parent: string | null;
  readonly retryOf: JobId | null;
  /** W3C trace context of the submit; left out when none was sent, and in journals older than this field. */
  readonly traceparent?: string;
  readonly group: string | null;
}

// ── tasks ────────────────────────────────────────────────────────────────────────────────

/** A task's state as people see it. `running` is what a worker says; the journal knows `assigned`. */
export const taskStates = [
  "waiting", // for a dependency or a delay
  "ready",
  "backoff", // failed, waits for its next attempt
  "assigned",
  "succeeded",
  "failed",
  "cancelled",
] as const;
export type TaskState = (typeof taskStates)[number];

/** The byte of the state column. The high bit says: ended, but an attempt still holds its amounts. */
export const taskState = {
  waiting: 0,
  ready: 1,
  backoff: 2,
  assigned: 3,
  succeeded: 4,
  failed: 5,
  cancelled: 6,
  held: 0x80,
} as const;

/**
 * How an attempt ended: one byte in outcome blocks. `retry` says whether another attempt may follow;
 * `charged` whether it counts against `retry.attempts` (K4).
 */
export interface EndReason {
  readonly code: number;
  readonly name: string;
  readonly state: "succeeded" | "failed" | "cancelled";
  readonly retry: boolean;
  readonly charged: boolean;
  readonly text: string;
}

const end = (
  code: number,
  name: string,
  state: EndReason["state"],
  retry: boolean,
  charged: boolean,
  text: string,
): EndReason => ({ code, name, state, retry, charged, text });

export const endReasons = {
  succeeded: end(0, "succeeded", "succeeded", false, false, "it returned a result"),
  error: end(1, "error", "failed", true, true, "its code threw an error"),
  finalError: end(
    2,
    "final_error",
    "failed",
    false,
    true,
    "its code threw an error declared final",
  ),
  runTimeout: end(3, "run_timeout", "failed", true, true, "it ran longer than its run timeout"),
  silenceTimeout: end(4, "silence_timeout", "failed", true, true, "it was silent too long"),
  outOfMemory: end(5, "out_of_memory", "failed", true, true, "it ran out of memory"),
  crashed: end(6, "crashed", "failed", true, true, "its process died"),
  exit: end(7, "exit", "failed", true, true, "its command exited with a code other than 0"),
  load: end(8, "load_error", "failed", false, true, "its module could not be loaded"),
  badInput: end(9, "bad_input", "failed", false, true, "its input was refused by its schema"),
  badResult: end(10, "bad_result", "failed", false, true, "its result cannot be serialised"),
  tooLarge: end(11, "result_too_large", "failed", false, true, "its result is too large"),
  insideTask: end(12, "inside_task", "failed", false, true, "its module connects at its top level"),
  queueTimeout: end(13, "queue_timeout", "failed", false, false, "it waited too long in its queue"),
  poison: end(14, "poison", "failed", false, false, "workers died while running it"),
  payloadGone: end(15, "payload_gone", "failed", false, false, "a payload it needs is gone"),
  cancelled: end(32, "cancelled", "cancelled", false, false, "it was cancelled"),
  upstream: end(33, "upstream", "cancelled", false, false, "a task it needs did not succeed"),
  stopped: end(34, "stopped", "cancelled", false, false, "another task of its job failed"),
  superseded: end(35, "superseded", "cancelled", false, false, "another attempt succeeded first"),
  clientGone: end(36, "client_gone", "cancelled", false, false, "its client fell silent"),
  // Ends of an attempt that never are a task's outcome:
  workerLost: end(64, "worker_lost", "failed", true, false, "its worker was lost"),
  givenBack: end(65, "given_back", "failed", true, false, "its worker gave it back unstarted"),
  drained: end(66, "drained", "failed", true, false, "its worker was drained"),
  resultLost: end(67, "result_lost", "failed", true, false, "its stored result was lost"),
} as const satisfies Record<string, EndReason>;

const byCode = new Map<number, EndReason>(
  Object.values(endReasons).map((reason) => [reason.code, reason]),
);

export function endReason(code: number): EndReason {
  return byCode.get(code) ?? endReasons.error;
}

/** What a failed or cancelled outcome carries as its value, as JSON. */
export interface TaskError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** For commands. */
  readonly exitCode?: number;
  readonly signal?: string;
  /** The last lines of output. */
  readonly tail?: string;
  /** Set when a part was cut away to stay within the limit. */
  readonly cut?: boolean;
}

/** What a command's succeeded outcome carries as its value, as JSON (K11). */
export interface CommandResult {
  readonly exitCode: 0;
  /** The tail of stdout, at most 4 KiB. */
  readonly stdout: string;
  /** Files left in $SKEIN_OUT: name → stored payload. */
  readonly outputs: Readonly<Record<string, StoredPayload>>;
}

export interface StoredPayload {
  readonly hash: PayloadHash;
  readonly size: number;
  readonly encoding: "json" | "bytes";
}

// ── jobs ─────────────────────────────────────────────────────────────────────────────────

export type JobState = "open" | "waiting" | "running" | "succeeded" | "failed" | "cancelled";

export interface TaskCounts {
  readonly waiting: number;
  readonly ready: number;
  readonly backoff: number;
  readonly assigned: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

// ── workers ──────────────────────────────────────────────────────────────────────────────

/** `suspect`: silent, gets no new work. `lost`: its tasks start elsewhere. */
export type WorkerState = "active" | "suspect" | "draining" | "drained" | "lost" | "gone";

export interface WorkerInfo {
  readonly id: WorkerId;
  readonly incarnation: Incarnation;
  readonly version: string;
  readonly protocol: number;
  readonly hostname: string;
  readonly pid: number;
  readonly node: string;
  readonly platform: string;
  /** host:port where the worker listens, for confirming its exit (W5) and, later, for peers. */
  readonly address: string;
  /**
   * Kernel and network that the address belongs to (lib/network-id.ts): a master asks there only if they are
   * its own. Left out by workers that cannot say, and in journals older than this field.
   */
  readonly network?: string;
  readonly amounts: Amounts;
  readonly labels: Labels;
  readonly pool: string;
  readonly namespace: string;
  readonly by: string;
}

export interface QueueSettings {
  /** Share of the cluster relative to other queues, in thousandths; 1000 is one. */
  readonly weight: number;
  /** Attempts assigned at once; 0 means no limit. */
  readonly runningMax: number;
  /** Tasks waiting; past it submits get 429; 0 means no limit. */
  readonly queuedMax: number;
}

export type TaskRef = { readonly job: JobId; readonly task: TaskNumber };
