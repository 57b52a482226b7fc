// One worker per data directory: two would share a spool, slots' pid file and bundles.
//
// The lock is a file that names a process by its number and its start time, so that a number used
// again after a crash or a reboot is not taken for the holder. Two that start within the same
// instant are told apart by reading the file again a moment after it was written: the last one to
// write has it.

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { delay } from "../lib/abort.ts";
import { makeDir } from "../lib/make-dir.ts";
import { SkeinError } from "../protocol/errors.ts";
import type { Incarnation } from "../protocol/ids.ts";

interface Holder {
  readonly pid: number;
  readonly started: string;
  readonly incarnation: Incarnation;
}

const settleMs = 100;

/** Takes the lock, or rejects and says who has it. Resolves with what releases it. */
export async function lockDataDir(
  dataDir: string,
  incarnation: Incarnation,
): Promise<AsyncDisposable> {
  const file = join(dataDir, "worker.lock");
  makeDir(dataDir);
  const before = await holderIn(file);
  if (before && (await isAlive(before))) throw taken(dataDir, before);
  const own: Holder = { pid: process.pid, started: await startOf(process.pid), incarnation };
  const draft = `${file}.${process.pid}.${incarnation}`;
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  await rename(draft, file);
  await delay(settleMs);
  const after = await holderIn(file);
  if (after?.incarnation !== incarnation) throw taken(dataDir, after ?? own);
  return {
    async [Symbol.asyncDispose]() {
      const last = await holderIn(file);
      if (last?.incarnation === incarnation) await rm(file, { force: true });
    },
  };
}

function taken(dataDir: string, { pid }: Holder): SkeinError {
  return new SkeinError("worker_id_in_use", `Process ${pid} is a worker with ${dataDir} already`, {
    hint: "Give this worker a data directory of its own, or stop the other one.",
  });
}

async function holderIn(file: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, started, incarnation } = value as Partial<Holder>;
    if (typeof pid !== "number" || typeof incarnation !== "string") return undefined;
    return { pid, started: started ?? "", incarnation };
  } catch (error) {
    // Half a file is of a process that died while writing it.
    if (error instanceof SyntaxError) return undefined;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is one, of another user.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return started === (await startOf(pid));
}

/** When a process started, in the kernel's own words; empty where the kernel does not say. */
async function startOf(pid: number): Promise<string> {
  if (process.platform !== "linux") return "";
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may hold spaces and brackets; the start time is field 22.
    const [state = "", ...more] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // One that has ended, though nobody has fetched its end, holds nothing.
    return state === "Z" || state === "X" ? "" : (more[18] ?? "");
  } catch {
    // The process is gone, or hidden: then nothing can be compared.
    return "";
  }
}
