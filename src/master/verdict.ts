// The full answer to a registration (W2), as messages. Pure: state in, messages out.

import { forgotten, reconcile } from "../core/reconcile.ts";
import type { HeldRange } from "../core/reconcile.ts";
import type { State, Worker } from "../core/state.ts";
import type {
  MasterCancel,
  MasterDrain,
  MasterMessage,
  OutcomeBlock,
  WorkerRegister,
  WorkerReport,
} from "../protocol/messages.ts";
import { limits } from "../protocol/limits.ts";
import { endReasons } from "../protocol/model.ts";
import { startMessages } from "./orders.ts";

export function verdictMessages(
  state: State,
  worker: Worker,
  held: readonly HeldRange[],
): MasterMessage[] {
  const { kill, resend } = reconcile(state, worker, held);
  return [
    { kind: "verdict", term: state.term, kill, recorded: worker.reports },
    // Whatever it is: a drain may have been taken back while nobody could tell the worker.
    drainMessage(state, worker),
    ...cancelMessages(state, worker, held),
    ...startMessages(state, resend),
  ];
}

/** What of a registration is to be decided first; its reports come after it. */
export function registration({ info, reports, recorded, leaving }: WorkerRegister) {
  const ends = firstBlocks(reports, limits.partBytesMax);
  return { kind: "register", info, ends, recorded, ...(leaving ? { leaving } : {}) } as const;
}

/** Blocks of the first reports, about so many bytes in all: what one decision can take beside others. */
function firstBlocks(reports: readonly WorkerReport[], bytesMax: number): OutcomeBlock[] {
  const blocks: OutcomeBlock[] = [];
  let bytes = 0;
  for (const block of reports.flatMap((report) => report.blocks)) {
    bytes += block.bytes.length;
    if (bytes > bytesMax) break;
    blocks.push(block);
  }
  return blocks;
}

export function drainMessage(state: State, worker: Worker): MasterDrain {
  const on = worker.state === "draining" || worker.state === "drained";
  const left = worker.drainDeadline === 0 ? 0 : Math.max(1, worker.drainDeadline - state.time);
  const { drainExit: exit } = worker;
  return { kind: "drain", term: state.term, on, exit, deadlineMs: on ? left : 0 };
}

export function cancelMessage(
  term: number,
  { job, first, count, attempt, reason }: HeldRange & { readonly reason: number },
): MasterCancel {
  return { kind: "cancel", term, ranges: [{ job, first, count, attempt }], reason };
}

/**
 * Attempts that hold amounts here for a task that has ended, and that the worker does not hold: they ended
 * between its registration and this answer. It is asked to end them, and its answer frees the amounts (K6).
 */
function cancelMessages(
  state: State,
  worker: Worker,
  held: readonly HeldRange[],
): readonly MasterCancel[] {
  const ranges = forgotten(state, worker, held).map(({ job, task, attempt }) => {
    return { job, first: task, count: 1, attempt };
  });
  if (ranges.length === 0) return [];
  return [{ kind: "cancel", term: state.term, ranges, reason: endReasons.cancelled.code }];
}
