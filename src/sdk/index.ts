/**
 * Skein: tasks in TypeScript, on this laptop or on a fleet.
 *
 * @example
 * // square.ts
 * import { defineTask } from "skein";
 * export const square = defineTask({ name: "square", run: async (n: number) => n * n });
 *
 * // main.ts
 * import { connect } from "skein";
 * import { square } from "./square.ts";
 *
 * await using skein = await connect(); // $SKEIN_URL, else a cluster of child processes
 * const job = await skein.map(square, [1, 2, 3], { queue: "demo" });
 * for await (const outcome of job.outcomes()) console.log(outcome.task, outcome.state);
 * console.log(await job.results()); // [1, 4, 9]
 */
export { connect } from "./connect.ts";
export type { ConnectOptions } from "./connect.ts";
export { defineCommand, defineTask, isTask } from "./define-task.ts";
export type {
  CommandOptions,
  Task,
  TaskNeeds,
  TaskOptions,
  TaskPolicy,
  TaskRetry,
  TaskTimeouts,
} from "./define-task.ts";
export type { SetupContext, TaskContext, TaskLog } from "./task-context.ts";
export type { Skein, MapInputs, MapOptions } from "./skein.ts";
export type { SubmitOptions } from "./spec.ts";
export type { JobHandle, JobProgress, LogOptions, TaskHandle, WaitOptions } from "./job-handle.ts";
export type { Outcome } from "./outcomes.ts";
export type { OutputsRef, Ref, WithRefs } from "./refs.ts";
export { loadTasks } from "./load-tasks.ts";
export { parseDuration, parseSize } from "./units.ts";
export type { Duration, Size } from "./units.ts";
export type { SchemaIssue, SchemaResult, StandardSchemaV1 } from "./standard-schema.ts";
export { SkeinError } from "../protocol/errors.ts";
export type { ErrorCode, ErrorDetails } from "../protocol/errors.ts";
export type { CommandResult, StoredPayload, TaskError } from "../protocol/model.ts";
export type { JobView, LogRecord, WhyView } from "../client/index.ts";
