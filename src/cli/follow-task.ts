// The output of one task as it comes, over all its attempts, until it has ended.

import type { Client, TaskDetailView } from "../client/index.ts";
import { delay } from "../lib/abort.ts";
import { SkeinError } from "../protocol/errors.ts";
import type { Cli } from "./cli.ts";
import { cut } from "./render.ts";
import { taskEnded } from "./views.ts";

export interface TaskAddress {
  readonly job: string;
  readonly task: number;
}

const lookMsFirst = 10;
const lookMsMax = 250;
const missingTries = 4;
const missingMs = 50;
/** A task that has not started by then is asked why. */
const whyAfterMs = 1_000;
const whyEveryMs = 2_000;

/** Writes stdout to stdout and stderr to stderr. */
export async function followTask(
  client: Client,
  { job, task }: TaskAddress,
  cli: Cli,
  signal: AbortSignal,
): Promise<void> {
  let shown = 0;
  let lookMs = lookMsFirst;
  let whyAt = performance.now() + whyAfterMs;
  for (;;) {
    const view = await client.task(job, task, { signal });
    const next = view.attempts.find((one) => one.attempt > shown && one.state !== "given_back");
    if (next) {
      cli.progress("");
      await followAttempt(client, { job, task }, next.attempt, cli, signal);
      shown = next.attempt;
      lookMs = lookMsFirst;
      continue;
    }
    if (taskEnded(view)) return;
    if (performance.now() >= whyAt) {
      await sayWhy(client, view, cli, signal);
      whyAt = performance.now() + whyEveryMs;
    }
    await delay(lookMs, signal);
    lookMs = Math.min(lookMsMax, lookMs * 2);
  }
}

async function followAttempt(
  client: Client,
  { job, task }: TaskAddress,
  attempt: number,
  cli: Cli,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 1; ;) {
    try {
      for await (const record of client.logs(job, task, { attempt, follow: true, signal })) {
        await writeRecord(record, cli);
      }
      return;
    } catch (error) {
      if (signal.aborted || !isMissing(error)) throw error;
      const one = await attemptOf(client, { job, task }, attempt, signal);
      if (one && hasNoLog(one)) return;
      // Output that is lost with its worker does not keep the task from ending well elsewhere.
      if (tries === missingTries) {
        return cli.say(cli.err.dim(`The output of attempt ${attempt} is lost: ${error.message}`));
      }
      // The output of an attempt that was over at once may be on its way to the disk.
      await delay(missingMs * tries, signal);
      // While it runs its output is still to come: a busy worker may not have begun to write it down.
      if (!one || one.ended !== null) tries++;
    }
  }
}

/** Whether an error says that there is no such log. */
export function isMissing(error: unknown): error is SkeinError {
  return error instanceof SkeinError && error.code === "not_found";
}

/** An attempt that has ended and left no log had nothing to say. */
export async function printedNothing(
  client: Client,
  { job, task }: TaskAddress,
  attempt: number | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const one = await attemptOf(client, { job, task }, attempt, signal);
  return one !== undefined && hasNoLog(one);
}

type AttemptView = TaskDetailView["attempts"][number];

async function attemptOf(
  client: Client,
  { job, task }: TaskAddress,
  attempt: number | undefined,
  signal: AbortSignal,
): Promise<AttemptView | undefined> {
  const { attempts } = await client.task(job, task, { signal });
  return attempt === undefined ? attempts.at(-1) : attempts.find((a) => a.attempt === attempt);
}

function hasNoLog({ state, ended, log }: AttemptView): boolean {
  return state === "given_back" || (ended !== null && log === null);
}

export async function writeRecord(
  { stream, bytes }: { readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array },
  cli: Cli,
): Promise<void> {
  if (!cli.output(stream, bytes))
    await (stream === "stdout" ? cli.io.stdout : cli.io.stderr).drained();
}

async function sayWhy(
  client: Client,
  { job, task }: TaskDetailView,
  cli: Cli,
  signal: AbortSignal,
): Promise<void> {
  if (!cli.canShowProgress) return;
  const { verdict } = await client.why(job, task, { signal });
  cli.progress(cut(`waiting: ${verdict}`, (cli.io.stderr.columns ?? 80) - 1, cli.err));
}
