// The contract between the agent (which decides what runs when) and a slot (which runs it).
//
// A slot is a child process that runs attempts one after the other. The agent gives it attempts, a few or
// many ahead; the slot reports ends in batches. All of it is callbacks on the worker's one thread, without
// promises, so that the agent can be driven by the simulator with slots of its own.
//
//   X1. Every attempt that was given ends in exactly one of: an outcome, or a drop.
//   X2. A slot that died reports outcomes for what ran (crashed, out of memory …) and drops for the rest,
//       and then `exit`, once. It is never given anything after that.
//   X3. Nothing a slot started outlives it: its process group is killed when it ends, and when the worker
//       dies (W7).

import type { OutcomeItem } from "../protocol/outcome-block.ts";
import type { JobDescriptor } from "../protocol/messages.ts";

/** One attempt for a slot. `input` is a line of JSON without its line end, references resolved. */
export interface SlotAttempt {
  readonly task: number;
  readonly attempt: number;
  readonly fence: number;
  readonly input: Uint8Array;
}

export interface SlotHandlers {
  /** Ready for attempts; setup(ctx) runs with the first one. */
  readonly onReady: () => void;
  /** Ends, in the order they happened. A value is JSON, or a stored payload when `storedBit` is set. */
  readonly onOutcomes: (items: readonly OutcomeItem[]) => void;
  /** Attempts that were given, never started and never will here. */
  readonly onDropped: (attempts: readonly { task: number; attempt: number }[]) => void;
  /** The attempt that runs now; at most one notice every 50 ms, so short tasks go by unseen. */
  readonly onStarted: (task: number, attempt: number) => void;
  readonly onProgress: (task: number, attempt: number, percent: number, message?: string) => void;
  readonly onExit: (reason: string) => void;
}

export interface Slot {
  readonly id: number;
  readonly pid: number | undefined;
  /** Queues attempts behind those already given. */
  give(attempts: readonly SlotAttempt[]): void;
  /** Drops up to `count` attempts that have not started, the last given first; answers by onDropped. */
  drop(count: number): void;
  /**
   * Ends one attempt: a waiting one is reported with `code` unstarted; a running one gets ctx.signal (a
   * command gets SIGTERM), and after `graceMs` the group is killed.
   */
  cancel(task: number, attempt: number, code: number, graceMs: number): void;
  /** Ends when idle (`force`: now, killing what runs); onExit follows. */
  stop(force: boolean): void;
}

/** Starts slots. One slot serves one job descriptor's code; slots are kept warm by the agent. */
export interface Executor {
  start(job: JobDescriptor, id: number, handlers: SlotHandlers): Slot;
}
