/** What a round runs: each start and each end of user code is a line, each result follows from job, number and input. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineTask } from "skein";
import type { TaskContext } from "skein";
import { filler, sumOf } from "./payloads.ts";

// Not from history.ts: that one reads files, and bundles carry what they import.
export interface Work {
  readonly n: number;
  readonly ms: number;
  readonly failing: number;
  /** The file that starts and ends are written to. */
  readonly log: string;
}

export interface PayloadWork extends Work {
  readonly body: string;
  /** So many characters are in its result's body. */
  readonly gives: number;
}

export interface Given {
  readonly value: string;
  readonly body: string;
}

/** The slot's parent is the worker: one life of it has one pid. Asked now, for it may die before its slot does. */
const parent = process.ppid;

export const chaosWork = defineTask({
  name: "chaos-work",
  run: async (work: Work, ctx) => {
    note(work.log, "start", ctx);
    await busy(work, ctx);
    note(work.log, "end", ctx);
    const value = valueFor(work, ctx);
    if (ctx.attempt <= work.failing) throw new Error(value);
    return value;
  },
});

/** Takes and gives contents that are stored by their hash; says what it was given, and what it gave. */
export const chaosPayload = defineTask({
  name: "chaos-payload",
  run: async (work: PayloadWork, ctx): Promise<Given> => {
    note(work.log, "start", ctx, work.body === "" ? undefined : sumOf(work.body));
    await busy(work, ctx);
    const value = valueFor(work, ctx);
    const given = { value, body: filler(value, work.gives) };
    note(work.log, "end", ctx, sumOf(JSON.stringify(given)));
    if (ctx.attempt <= work.failing) throw new Error(value);
    return given;
  },
});

/** Every other one listens when it is cancelled; the rest must be killed, or come to their end. */
async function busy({ n, ms }: Work, { signal }: TaskContext): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, n % 2 === 0 ? { signal } : {});
}

function valueFor({ n, ms }: Work, { job, task }: TaskContext): string {
  return `${job}/${task}:${n}:${(Math.imul(n ^ task, 0x9e3779b1) ^ ms) >>> 0}`;
}

/** One write far below PIPE_BUF to a file opened for appending: lines of many processes do not mix. */
function note(log: string, what: "start" | "end", ctx: TaskContext, sum = "-"): void {
  const at = Number(process.hrtime.bigint() / 1_000n) / 1_000;
  const { job, task, attempt, fence, worker } = ctx;
  const who = `${worker} ${parent}`;
  appendFileSync(log, `${what} ${job} ${task} ${attempt} ${fence} ${who} ${at} ${sum}\n`);
}
