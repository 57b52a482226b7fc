// skein logs JOB[/TASK]: what an attempt printed, its stdout on stdout and its stderr on stderr.

import type { Command } from "commander";
import type { Client } from "../../client/index.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { usageError } from "../errors.ts";
import { followTask, isMissing, printedNothing, writeRecord } from "../follow-task.ts";
import type { TaskAddress } from "../follow-task.ts";
import { count, plural, shortId } from "../format.ts";
import { take } from "../lists.ts";
import { clusterOptions, described, taskArgument, wholeNumber } from "../options.ts";

interface LogsOptions extends ClusterOptions {
  readonly follow?: boolean;
  readonly attempt?: number;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly limit: number;
}

export function defineLogs(logs: Command, cli: Cli): void {
  described(logs, "What a task printed: its stdout on stdout, its stderr on stderr.", [
    "skein logs 4f2a -f",
    "skein logs 4f2a/17 --attempt 1",
    "skein logs 4f2a/17 --stderr | grep -i warn",
  ]);
  clusterOptions(
    logs
      .argument("<job[/task]>", "of a job, all its tasks one after the other")
      .option("-f, --follow", "go on until the task has ended")
      .option("--attempt <n>", "this attempt; the latest unless set", wholeNumber(1))
      .option("--stdout", "only what it wrote to stdout")
      .option("--stderr", "only what it wrote to stderr; comes on stdout")
      .option("--limit <n>", "of a job, at most so many tasks", wholeNumber(1), 100),
  ).action(async (text: string, options: LogsOptions) => {
    const client = await cli.client(options);
    const { signal } = cli.io;
    const name = taskArgument(text);
    if (name.task !== undefined)
      return showOne(client, { job: name.job, task: name.task }, options, cli);
    const job = await client.job(name.job, { signal });
    if (job.tasks === 1) return showOne(client, { job: job.id, task: 0 }, options, cli);
    const id = shortId(job.id);
    if (options.follow) {
      throw usageError(
        `Job ${id} has ${plural(job.tasks, "task")}: only one can be followed.`,
        `Write ${id}/NUMBER; \`skein task list ${id}\` shows them.`,
      );
    }
    await showAll(client, job.id, options, cli);
  });
}

/** Returns false when there was nothing. */
async function show(
  client: Client,
  { job, task }: TaskAddress,
  options: LogsOptions & { readonly head?: string },
  cli: Cli,
): Promise<boolean> {
  const { signal } = cli.io;
  const { attempt, follow = false, head } = options;
  const one = options.stdout === options.stderr ? undefined : options.stdout ? "stdout" : "stderr";
  if (follow && attempt === undefined && one === undefined) {
    await followTask(client, { job, task }, cli, signal);
    return true;
  }
  const stream = one ?? "both";
  let some = false;
  try {
    for await (const record of client.logs(job, task, { attempt, follow, stream, signal })) {
      if (!some && head !== undefined) cli.say(cli.err.dim(head));
      some = true;
      // What was asked for alone is data, whichever stream it was.
      await writeRecord(one === undefined ? record : { ...record, stream: "stdout" }, cli);
    }
  } catch (error) {
    if (!isMissing(error) || !(await printedNothing(client, { job, task }, attempt, signal))) {
      throw error;
    }
  }
  return some;
}

async function showOne(
  client: Client,
  address: TaskAddress,
  options: LogsOptions,
  cli: Cli,
): Promise<void> {
  if (await show(client, address, options, cli)) return;
  cli.say(cli.err.dim(`${shortId(address.job)}/${address.task} printed nothing.`));
}

/** Each task's output under a head of its own, as `tail` does with files. */
async function showAll(client: Client, job: string, options: LogsOptions, cli: Cli): Promise<void> {
  const { signal } = cli.io;
  const page = await take(options.limit, (part) => client.tasks(job, part, { signal }));
  let shown = 0;
  for (const { task, attempt } of page.items) {
    const head = `==> ${shortId(job)}/${task} <==`;
    if (attempt > 0 && (await show(client, { job, task }, { ...options, head }, cli))) shown++;
  }
  const part = page.items.length < page.total ? " --limit takes more." : "";
  if (shown > 0 && part === "") return;
  const looked = `of the first ${count(page.items.length)} of ${plural(page.total, "task")}`;
  cli.say(cli.err.dim(`${count(shown)} ${looked} printed something.${part}`));
}
