// What all slots of a worker share.

import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { JobDescriptor } from "../../protocol/messages.ts";
import type { AttemptLogs } from "./attempt-logs.ts";
import type { MemoryWatch } from "./memory-watch.ts";
import type { SlotCode } from "./wire.ts";

export type StoreSource = { readonly file: string } | { readonly bytes: Uint8Array };

/** Keeps a result or output as a payload. A file is the caller's again (to remove) when it resolves. */
export type StoreResult = (
  source: StoreSource,
  encoding: "json" | "bytes",
) => Promise<{ hash: string; size: number }>;

/** Outcomes that would name these hashes will not be told after all. */
export type ForgetResults = (hashes: readonly string[]) => void;

export interface SlotSupport {
  readonly dataDir: string;
  readonly workerId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly logs: AttemptLogs;
  readonly memory: MemoryWatch;
  readonly recycleAfter: number;
  readonly storeResult: StoreResult;
  readonly forgetResults: ForgetResults;
  /** Rejects when the code cannot be had now, through no fault of the task. */
  codeOf(job: JobDescriptor): Promise<SlotCode>;
}
