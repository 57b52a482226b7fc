// One worker per data directory: two would share a spool, slots' pid file and bundles.

import { join } from "node:path";
import { takeFileLock } from "../lib/file-lock.ts";
import { makeDir } from "../lib/make-dir.ts";
import { SkeinError } from "../protocol/errors.ts";

/** Takes the lock, or throws and says who has it. Returns what releases it. */
export function lockDataDir(dataDir: string): AsyncDisposable {
  makeDir(dataDir);
  const lock = takeFileLock(join(dataDir, "worker.lock"));
  if (!lock.taken) {
    const message = `A worker works in ${dataDir} already: ${lock.by}`;
    throw new SkeinError("worker_id_in_use", message, {
      hint: "Give this worker a data directory of its own, or stop the other one.",
    });
  }
  return { [Symbol.asyncDispose]: async () => lock.release() };
}
