/** What the process tests run: each start of user code is a line in a ledger, each result follows from its input. */
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineCommand, defineTask } from "skein";
import type { TaskContext } from "skein";

export interface Work {
  readonly n: number;
  /** How long it takes. */
  readonly ms: number;
  /** The file that starts and ends are written to. */
  readonly ledger: string;
}

export function resultOf({ n, ms }: Pick<Work, "n" | "ms">): string {
  return `${n}:${ms}:${(Math.imul(n, 0x9e3779b1) ^ ms) >>> 0}`;
}

/** A line is far below PIPE_BUF, so appends of many processes do not mix. */
function note(ledger: string, what: "start" | "end", ctx: TaskContext): void {
  const at = Date.now();
  appendFileSync(ledger, `${what} ${ctx.job}/${ctx.task} ${ctx.attempt} ${ctx.worker} ${at}\n`);
}

export const work = defineTask({
  name: "work",
  run: async (input: Work, ctx) => {
    note(input.ledger, "start", ctx);
    if (input.ms > 0) await sleep(input.ms);
    note(input.ledger, "end", ctx);
    return resultOf(input);
  },
});

export interface Gated {
  /** The attempt with number a ends when the file `<gate>.<a>` is there. */
  readonly gate: string;
  readonly ledger: string;
}

export const gated = defineTask({
  name: "gated",
  run: async ({ gate, ledger }: Gated, ctx) => {
    note(ledger, "start", ctx);
    while (!existsSync(`${gate}.${ctx.attempt}`)) await sleep(5);
    note(ledger, "end", ctx);
    return `attempt ${ctx.attempt}`;
  },
});

/** Its result is stored by its hash. */
export const large = defineTask({
  name: "large",
  run: async (n: number) => `${n}`.repeat(100_000),
});

/** Its result is stored by its hash; it ends when the gate is there. */
export const gatedLarge = defineTask({
  name: "gated-large",
  run: async ({ gate, ledger }: Gated, ctx) => {
    note(ledger, "start", ctx);
    while (!existsSync(gate)) await sleep(5);
    note(ledger, "end", ctx);
    return "large ".repeat(50_000);
  },
});

/** It leaves one output, and ends when the gate is there. */
export const gatedOutput = defineCommand<Gated>({
  name: "gated-output",
  argv: [
    process.execPath,
    "-e",
    `const fs = require("node:fs");
     const { gate, ledger } = JSON.parse(fs.readFileSync(process.env.SKEIN_INPUT, "utf8"));
     const { SKEIN_JOB: job, SKEIN_TASK: task, SKEIN_ATTEMPT: attempt, SKEIN_WORKER: worker } = process.env;
     fs.appendFileSync(ledger, \`start \${job}/\${task} \${attempt} \${worker} \${Date.now()}\\n\`);
     const wait = () => {
       if (!fs.existsSync(gate)) return setTimeout(wait, 5);
       fs.writeFileSync(process.env.SKEIN_OUT + "/film", "frame ".repeat(50_000));
     };
     wait();`,
  ],
});

/** Ends the worker that runs it. */
export const deadly = defineTask({
  name: "deadly",
  run: async (ledger: string, ctx) => {
    note(ledger, "start", ctx);
    process.kill(process.ppid, "SIGKILL");
    await sleep(60_000);
  },
});

/** A shell with children and grandchildren, one of which left its process group. */
export const family = defineCommand({
  name: "family",
  argv: [
    "sh",
    "-c",
    "sleep 1000 & (sleep 1001 &) ; setsid sleep 1002 & echo family ready; sleep 1003",
  ],
});
