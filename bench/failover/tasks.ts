/** What runs while masters and workers die: each start and end of user code is a line in a file. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineTask } from "skein";
import type { TaskContext } from "skein";
import { monotonicMs } from "./clock.ts";

export interface Work {
  readonly n: number;
  /** How long it takes. */
  readonly ms: number;
  /** The file of starts and ends: notes.ts reads it. */
  readonly notes: string;
}

/** Follows from the input, so that a wrong or mixed-up outcome shows. */
export function resultOf({ n, ms }: Pick<Work, "n" | "ms">): string {
  return `${n}:${ms}:${(Math.imul(n, 0x9e3779b1) ^ ms) >>> 0}`;
}

/** A line is far below PIPE_BUF, so appends of many processes do not mix. */
function note(what: "start" | "end", notes: string, ctx: TaskContext): void {
  const at = monotonicMs();
  const { job, task, attempt, worker, fence } = ctx;
  appendFileSync(notes, `${what} ${job}/${task} ${attempt} ${worker} ${fence} ${at}\n`);
}

export const work = defineTask({
  name: "work",
  run: async (input: Work, ctx) => {
    note("start", input.notes, ctx);
    if (input.ms > 0) await sleep(input.ms);
    note("end", input.notes, ctx);
    return resultOf(input);
  },
});
