// JOB or JOB/TASK on a command line: which task is meant.

import type { Client, JobView, TaskView } from "../client/index.ts";
import { usageError } from "./errors.ts";
import { count, shortId } from "./format.ts";
import { taskArgument } from "./options.ts";

interface CallOptions {
  readonly signal: AbortSignal;
}

/** The task that is named; of a job of one task the job's name will do. */
export async function oneTask(
  client: Client,
  text: string,
  options: CallOptions,
): Promise<{ readonly job: string; readonly task: number }> {
  const name = taskArgument(text);
  if (name.task !== undefined) return { job: name.job, task: name.task };
  const job = await client.job(name.job, options);
  if (job.tasks === 1) return { job: job.id, task: 0 };
  const id = shortId(job.id);
  throw usageError(
    `Job ${id} has ${count(job.tasks)} tasks: say which one.`,
    `Write ${id}/NUMBER; \`skein task list ${id}\` shows them.`,
  );
}

/** The task of a job that deserves a look first: one that does not run, else one that failed. */
export async function tellingTask(
  client: Client,
  job: JobView,
  options: CallOptions,
): Promise<{ readonly task: TaskView; readonly like: number } | undefined> {
  const states = ["failed", "backoff", "ready", "waiting", "assigned", "cancelled", "succeeded"];
  const counts: Readonly<Record<string, number>> = job.counts;
  for (const state of states) {
    const like = counts[state] ?? 0;
    if (like === 0) continue;
    const page = await client.tasks(job.id, { filter: `state:${state}`, limit: 1 }, options);
    const [task] = page.items;
    if (task) return { task, like };
  }
  return undefined;
}
