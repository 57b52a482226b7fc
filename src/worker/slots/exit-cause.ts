// Why a slot's process ended, and so how the attempt that ran in it is reported.

import { endReasons, type EndReason } from "../../protocol/model.ts";
import type { ChildExit } from "./slot-child.ts";

export interface ExitCause {
  readonly reason: EndReason;
  readonly message: string;
}

export interface ExitView {
  readonly exit: ChildExit;
  /** The module's top level was running. */
  readonly loading: boolean;
  /** The end of what the process printed by itself. */
  readonly stderr: string;
  readonly heapMiB: number | undefined;
}

export function exitCause({ exit, loading, stderr, heapMiB }: ExitView): ExitCause {
  if (stderr.includes("heap out of memory") || stderr.includes("Allocation failed - JavaScript")) {
    const limit = heapMiB === undefined ? "Node's default limit" : `${heapMiB} MiB`;
    const message = `its heap outgrew ${limit}: give the task more memory (needs.memory)`;
    return { reason: endReasons.outOfMemory, message };
  }
  const how = exitText(exit);
  if (loading) {
    const message = `the process ${how} while the module was being loaded. Its top level runs in every slot`;
    return { reason: endReasons.load, message };
  }
  return { reason: endReasons.crashed, message: `its process ${how} while it ran` };
}

export function exitText({ code, signal, problem }: ChildExit): string {
  if (problem !== undefined) return `could not be started: ${problem}`;
  if (signal === "SIGKILL") {
    return "was killed by SIGKILL (the kernel does so when the machine is out of memory)";
  }
  return signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
}
