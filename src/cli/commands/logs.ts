// skein logs JOB[/TASK]: what an attempt printed, its stdout on stdout and its stderr on stderr.

import type { Command } from "commander";
import type { Client } from "../../client/index.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { usageError } from "../errors.ts";
import { followTask, isMissing, printedNothing, writeRecord } from "../follow-task.ts";
import type { TaskAddress } from "../follow-task.ts";
import { shortId } from "../format.ts";
import { showJobLines } from "../job-lines.ts";
import { clusterOptions, described, taskArgument, wholeNumber } from "../options.ts";

interface LogsOptions extends ClusterOptions {
  readonly follow?: boolean;
  readonly attempt?: number;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly grep?: string;
  readonly tail?: number;
  readonly since?: string;
  readonly limit: number;
}

export function defineLogs(logs: Command, cli: Cli): void {
  described(logs, "What a task printed: its stdout on stdout, its stderr on stderr.", [
    "skein logs 4f2a -f",
    "skein logs 4f2a/17 --attempt 1",
    "skein logs 4f2a --grep error --since 10m",
    "skein logs 4f2a/17 --stderr --tail 20",
  ]);
  clusterOptions(
    logs
      .argument("<job[/task]>", "of a job: lines of all its tasks, by the time they were printed")
      .option("-f, --follow", "go on until the task has ended, or the job")
      .option("--attempt <n>", "this attempt; the latest unless set", wholeNumber(1))
      .option("--stdout", "only what it wrote to stdout")
      .option("--stderr", "only what it wrote to stderr; comes on stdout")
      .option("--grep <text>", "only lines that contain this text; no pattern, case counts")
      .option("--tail <n>", "only the last lines", wholeNumber(0, 10_000))
      .option("--since <time>", "only what was printed since: 90s, 10m, 2h, 1d, or a date and time")
      .option("--limit <n>", "of a job, at most so many lines", wholeNumber(1), 100_000),
  ).action(async (text: string, options: LogsOptions) => {
    const since = options.since === undefined ? undefined : timeOf(options.since, cli.io.now());
    const client = await cli.client(options);
    const { signal } = cli.io;
    const name = taskArgument(text);
    if (name.task !== undefined) {
      return showOne(client, { job: name.job, task: name.task }, { ...options, since }, cli);
    }
    const job = await client.job(name.job, { signal });
    if (job.tasks === 1) {
      return showOne(client, { job: job.id, task: 0 }, { ...options, since }, cli);
    }
    const { attempt, follow = false, grep, limit, tail } = options;
    const lines = { attempt, follow, grep, limit, tail, since, stream: streamOf(options) };
    await showJobLines(client, job.id, lines, cli);
  });
}

type Wanted = Omit<LogsOptions, "since"> & { readonly since: number | undefined };

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds since 1970 of "10m" ago, or of a date. */
function timeOf(text: string, now: number): number {
  const [, number, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (number !== undefined) return now - Number(number) * (units[unit] ?? 0);
  const time = Date.parse(text);
  if (!Number.isNaN(time) && /^\d{4}-/.test(text)) return time;
  throw usageError(`"${text}" is no time.`, "Write 90s, 10m, 2h, 1d, or 2026-11-21T08:00:00Z.");
}

type Stream = "stdout" | "stderr" | "both";

function streamOf({ stdout, stderr }: Pick<LogsOptions, "stdout" | "stderr">): Stream {
  return stdout === stderr ? "both" : stdout ? "stdout" : "stderr";
}

/** Returns false when there was nothing. */
async function show(
  client: Client,
  { job, task }: TaskAddress,
  options: Wanted,
  cli: Cli,
): Promise<boolean> {
  const { signal } = cli.io;
  const { attempt, follow = false, grep, tail, since } = options;
  const stream = streamOf(options);
  const searches = grep !== undefined || tail !== undefined || since !== undefined;
  if (follow && attempt === undefined && stream === "both" && !searches) {
    await followTask(client, { job, task }, cli, signal);
    return true;
  }
  let some = false;
  try {
    const wanted = { attempt, follow, stream, signal, grep, tail, since } as const;
    for await (const record of client.logs(job, task, wanted)) {
      some = true;
      // What was asked for alone is data, whichever stream it was; what is missing is none.
      const asData = stream !== "both" && !record.missing;
      await writeRecord(asData ? { ...record, stream: "stdout" } : record, cli);
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
  options: Wanted,
  cli: Cli,
): Promise<void> {
  if (await show(client, address, options, cli)) return;
  const { grep, tail, since } = options;
  const searches = grep !== undefined || tail !== undefined || since !== undefined;
  const what = searches ? "no line fits" : "printed nothing";
  const name = `${shortId(address.job)}/${address.task}`;
  cli.say(cli.err.dim(searches ? `${name}: ${what}.` : `${name} ${what}.`));
}
