// What `import … from "skein"` means inside a bundle: definitions and errors, without the SDK behind them.
// The bundler puts this file in the package root's place, so a task does not carry a client with it.

import { SkeinError } from "../protocol/errors.ts";

export { defineCommand, defineTask, isTask } from "./define-task.ts";
export { SkeinError } from "../protocol/errors.ts";
export { parseDuration, parseSize } from "./units.ts";

/** Always throws `inside_task`: a module is loaded by slots too, which must not start work of their own. */
export function connect(): never {
  throw new SkeinError(
    "inside_task",
    "connect() was called while a task's module was loaded on a worker.",
  );
}

/** Absent inside a task; named so that modules which import it can be bundled. */
export function loadTasks(): never {
  throw new SkeinError("inside_task", "loadTasks() was called inside a task.");
}
