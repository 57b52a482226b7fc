// What a task's error says, in one line and in many.

import type { TaskError } from "../protocol/model.ts";

/** The error of an outcome as it came over the wire; undefined when there is none. */
export function taskError(value: unknown): TaskError | undefined {
  if (typeof value !== "object" || value === null || !("message" in value)) return undefined;
  // Written by a slot or a master of ours.
  return value as TaskError;
}

/** "exit code 3", "ended by SIGKILL", "TypeError: x is not a function", "run_timeout: …". */
export function errorText(error: TaskError | undefined, reason: string | null): string {
  if (error === undefined) return reason ?? "no reason is known";
  const own = reason === null || reason === "error" || reason === "final_error";
  if (own) return error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
  if (!isOwnExit(reason)) return `${reason}: ${error.message}`;
  if (error.signal !== undefined) return `ended by ${error.signal}`;
  return error.exitCode === undefined ? error.message : `exit code ${error.exitCode}`;
}

/** Whether a command came to this end by itself: nobody timed it out, cancelled or lost it. */
export function isOwnExit(reason: string | null): boolean {
  return reason === "exit" || reason === "crashed";
}
