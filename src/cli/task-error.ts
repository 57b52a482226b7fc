// What a task's error says, in one line and in many.

import type { TaskError } from "../protocol/model.ts";

/** The error of an outcome as it came over the wire; undefined when there is none. */
export function taskError(value: unknown): TaskError | undefined {
  if (typeof value !== "object" || value === null || !("message" in value)) return undefined;
  // Written by a slot or a master of ours.
  return value as TaskError;
}

/** "exit code 3", "ended by SIGKILL", "TypeError: x is not a function", "it was cancelled". */
export function errorText(error: TaskError | undefined, reason: string | null): string {
  if (error?.signal !== undefined) return `ended by ${error.signal}`;
  if (error?.exitCode !== undefined) return `exit code ${error.exitCode}`;
  if (error === undefined) return reason ?? "no reason is known";
  const own = reason === null || reason === "error" || reason === "final_error";
  if (!own) return `${reason}: ${error.message}`;
  return error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
}
