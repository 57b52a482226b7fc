// What a task's code is given while it runs: a type only. Slots (src/worker) make it.

import type { LogFields, LogLevel } from "../lib/log.ts";

/** Lines beside what the attempt prints: debug, info, warn, error. */
export type TaskLog = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

/** Given to `setup`, once per slot and bundle. */
export interface SetupContext {
  /** Aborted when the slot stops. */
  readonly signal: AbortSignal;
  readonly log: TaskLog;
  readonly worker: string;
}

/** Given to `run` with each input. */
export interface TaskContext<Setup = undefined> extends SetupContext {
  /** Aborted when this attempt is cancelled or runs out of time; its process is killed soon after. */
  readonly signal: AbortSignal;
  /** Percent, 0 to 100, and what is going on. Also proves that the task is not silent. */
  progress(percent: number, message?: string): void;
  /** The job's id. */
  readonly job: string;
  /** Labels of the job. */
  readonly labels: Readonly<Record<string, string>>;
  /** The task's number within the job, from 0. */
  readonly task: number;
  /** 1 for the first try. */
  readonly attempt: number;
  /**
   * Rises with every attempt of the task. Hand it to what you write to, so that an attempt that was
   * believed dead cannot overwrite its successor's work (K5).
   */
  readonly fence: number;
  /** W3C trace context of this attempt, to be handed on; undefined when its submit had none. */
  readonly traceparent: string | undefined;
  /** What `setup` returned. */
  readonly setup: Setup;
}
