// Loading the tasks of a file that this process cannot import itself: TypeScript under plain Node.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isErrorCode, SkeinError } from "../protocol/errors.ts";
import { bundleFile } from "./bundle.ts";
import { isTask, withModule } from "./define-task.ts";
import type { Task } from "./define-task.ts";

/**
 * The tasks that a file exports, by export name. Runs the module's top level in this process.
 *
 * @example
 * const tasks = await loadTasks("./square.ts");
 * const square = tasks.get("square");
 * @throws SkeinError `bundle_failed`, also when the module throws; `inside_task` when it connects;
 * `unknown_task` when it exports no task.
 */
export async function loadTasks(
  path: string,
): Promise<ReadonlyMap<string, Task<unknown, unknown>>> {
  const file = resolve(path);
  const { bytes } = await bundleFile(file);
  const exported = await importBytes(file, bytes);
  const tasks = new Map<string, Task<unknown, unknown>>();
  for (const [name, value] of Object.entries(exported)) {
    // What a task takes is for its schema to say: a command line has no types.
    if (isTask(value)) tasks.set(name, withModule(value, file) as Task<unknown, unknown>);
  }
  if (tasks.size > 0) return tasks;
  const names = Object.keys(exported).join(", ") || "nothing";
  throw new SkeinError("unknown_task", `${file} exports no task; it exports ${names}.`, {
    hint: "Export what defineTask returns.",
  });
}

async function importBytes(file: string, bytes: Uint8Array): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), "skein-load-"));
  try {
    const copy = join(folder, "bundle.mjs");
    await writeFile(copy, bytes);
    return (await import(pathToFileURL(copy).href)) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.name === "SkeinError") {
      const code = String(cause.code);
      // Thrown by the bundle's own copy of the class.
      if (isErrorCode(code)) throw new SkeinError(code, cause.message, { cause });
    }
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new SkeinError("bundle_failed", `${file} threw while it was loaded: ${why}`, {
      cause,
      hint: "Its top level runs wherever its tasks are loaded: correct it, or move it into a function.",
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
