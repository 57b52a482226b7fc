/** What a round runs: each start and each end of user code is a line, each result follows from job, number and input. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineTask } from "skein";
import type { TaskContext } from "skein";

// Not from history.ts: that one reads files, and bundles carry what they import.
export interface Work {
  readonly n: number;
  readonly ms: number;
  readonly failing: number;
  /** The file that starts and ends are written to. */
  readonly log: string;
}

/** The slot's parent is the worker: one life of it has one pid. Asked now, for it may die before its slot does. */
const parent = process.ppid;

export const chaosWork = defineTask({
  name: "chaos-work",
  run: async ({ n, ms, failing, log }: Work, ctx) => {
    note(log, "start", ctx);
    if (ms > 0) await sleep(ms);
    note(log, "end", ctx);
    const value = `${ctx.job}/${ctx.task}:${n}:${(Math.imul(n ^ ctx.task, 0x9e3779b1) ^ ms) >>> 0}`;
    if (ctx.attempt <= failing) throw new Error(value);
    return value;
  },
});

/** One write far below PIPE_BUF to a file opened for appending: lines of many processes do not mix. */
function note(log: string, what: "start" | "end", ctx: TaskContext): void {
  const at = Number(process.hrtime.bigint() / 1_000n) / 1_000;
  const { job, task, attempt, fence, worker } = ctx;
  appendFileSync(log, `${what} ${job} ${task} ${attempt} ${fence} ${worker} ${parent} ${at}\n`);
}
