// What a task's `run` and `setup` get as `ctx`. Made for every attempt, so nothing is made before it is asked
// for: no AbortController, no logger.

import { createLog, type LogFields, type LogLevel } from "../../lib/log.ts";
import type { Labels } from "../../protocol/model.ts";
import type { Attempt, Runner } from "./slot-runner.ts";
import type { SlotAbort, SlotJob } from "./wire.ts";

const progressMs = 50;

export type TaskLog = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

// `ctx.skein`, through which a task submits children (K10), will be one more member here.
export class TaskContext {
  /** The job's id. */
  readonly job: string;
  /** The task's number within its job, from 0. */
  readonly task: number;
  readonly attempt: number;
  /** One integer that rises with every attempt (K5). */
  readonly fence: number;
  /** What `setup(ctx)` returned. */
  readonly setup: unknown;
  readonly labels: Labels;
  /** The worker's id. */
  readonly worker: string;
  /** W3C trace context of this attempt, to be handed on; undefined when its submit had none. */
  readonly traceparent: string | undefined;
  readonly #attempt: Attempt;
  readonly #runner: Runner;
  #controller: AbortController | undefined;

  constructor(job: SlotJob, attempt: Attempt, runner: Runner, setup: unknown) {
    this.job = job.job;
    this.task = attempt.task;
    this.attempt = attempt.attempt;
    this.fence = attempt.fence;
    this.setup = setup;
    this.labels = job.labels;
    this.worker = job.worker;
    this.traceparent = attempt.trace?.traceparent;
    this.#attempt = attempt;
    this.#runner = runner;
  }

  /** Aborted when the attempt has to end: cancelled, or past a timeout. Then it gets some time to do so. */
  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    const controller = (this.#controller = new AbortController());
    if (this.#attempt.abort) controller.abort(abortError(this.#attempt.abort));
    else this.#attempt.onAbort = (abort) => controller.abort(abortError(abort));
    return controller.signal;
  }

  get log(): TaskLog {
    return taskLog;
  }

  /** How far the attempt is, 0 to 100. It also tells that the attempt is alive (silence timeout). */
  progress(percent: number, message?: string): void {
    if (this.#runner.running === this.#attempt) sendProgress(this.#runner, percent, message);
  }
}

/** What `setup` gets. What it makes outlives the first attempt, so its signal is the slot's. */
export class SetupContext {
  readonly worker: string;

  constructor(job: SlotJob) {
    this.worker = job.worker;
  }

  /** Aborted when the slot stops; it exits a moment later. */
  get signal(): AbortSignal {
    return slotEnd.signal;
  }

  get log(): TaskLog {
    return taskLog;
  }
}

/** Aborted when the slot stops. */
export const slotEnd = new AbortController();

function abortError({ reason }: SlotAbort): Error {
  const error = new Error(reason);
  error.name = "AbortError";
  return error;
}

// ── progress: at most one message every 50 ms, and the last one always ─────────────────────

let sentAt = 0;
let sentSeq = 0;
let later: { seq: number; percent: number; message: string | undefined } | undefined;

export function sendProgress(runner: Runner, percent: number, message?: string): void {
  const seq = runner.printing;
  const now = performance.now();
  if (seq !== sentSeq || now - sentAt >= progressMs) {
    sentAt = now;
    sentSeq = seq;
    later = undefined;
    return tell(runner, seq, percent, message);
  }
  if (!later) {
    const timer = setTimeout(() => {
      const last = later;
      later = undefined;
      if (last && last.seq === runner.running?.seq) {
        sentAt = performance.now();
        tell(runner, last.seq, last.percent, last.message);
      }
    }, progressMs);
    timer.unref();
  }
  later = { seq, percent, message };
}

function tell(runner: Runner, seq: number, percent: number, message?: string): void {
  const known = Number.isFinite(percent) ? Math.min(100, Math.max(0, percent)) : 0;
  const text = message === undefined ? {} : { message: String(message).slice(0, 1_000) };
  runner.outbox.send({ kind: "progress", seq, percent: known, ...text });
}

// ── log: lines among the attempt's own output ─────────────────────────────────────────────

const onStdout = createLog({ level: "debug", write: (line) => void process.stdout.write(line) });
const onStderr = createLog({ level: "debug", write: (line) => void process.stderr.write(line) });

const taskLog: TaskLog = {
  debug: onStdout.debug,
  info: onStdout.info,
  warn: onStderr.warn,
  error: onStderr.error,
};
