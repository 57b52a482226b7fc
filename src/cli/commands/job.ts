// skein job list|get|cancel|retry|report

import type { Command } from "commander";
import type { Client, JobView } from "../../client/index.ts";
import { parseDuration } from "../../sdk/units.ts";
import { changeFitting, checkWhich } from "../bulk-jobs.ts";
import type { BulkOptions } from "../bulk-jobs.ts";
import { forEach, idsFrom } from "../bulk.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { exitCodes } from "../exit-codes.ts";
import { ago, between, count, duration, labelText, plural, shortId } from "../format.ts";
import { filterOption, filterQuery, labelOption, sayPart, take } from "../lists.ts";
import type { FilterOptions } from "../lists.ts";
import {
  clusterOptions,
  described,
  dryRunOption,
  jobArgument,
  jsonOption,
  someOf,
  wholeNumber,
} from "../options.ts";
import { fields, state, table } from "../render.ts";
import { defineReport } from "./report.ts";
import { countsText, doneTasks, failedSteps, hasEnded, lostTasks, nextSteps } from "../views.ts";

const states = ["open", "waiting", "running", "succeeded", "failed", "cancelled"];
const waitMsMax = 25_000;

export function defineJob(job: Command, cli: Cli): void {
  described(job, "Jobs: what was submitted, and how it fares.", [
    "skein job list --state failed",
    "skein job get 4f2a --wait",
    "skein job retry 4f2a",
  ]);
  defineList(job.command("list"), cli);
  defineGet(job.command("get"), cli);
  defineCancel(job.command("cancel"), cli);
  defineRetry(job.command("retry"), cli);
  defineReport(job.command("report"), cli);
}

interface ListOptions extends ClusterOptions, FilterOptions {
  readonly limit: number;
  readonly oldest?: boolean;
}

function defineList(list: Command, cli: Cli): void {
  described(list, "Jobs, the newest first.", [
    "skein job list --state running",
    "skein job list --label shot=42 --json | jq -r '.items[].id'",
    "skein job list --filter 'state:failed,cancelled !queue:night created>2h'",
  ]);
  const narrowed = labelOption(
    jsonOption(list)
      .option("--state <state>", states.join(", "), someOf(...states))
      .option("--queue <name>", "jobs of one queue"),
    "jobs with this label",
  );
  clusterOptions(
    filterOption(narrowed)
      .option("--oldest", "the oldest first")
      .option("--limit <n>", "at most so many", wholeNumber(1), 50),
  ).action(async (options: ListOptions) => {
    const { limit } = options;
    const client = await cli.client(options);
    const filter = filterQuery(options);
    const query = { ...filter, ...(options.oldest && { sort: "created" as const }) };
    const { signal } = cli.io;
    const page = await take(limit, (part) => client.jobs({ ...query, ...part }, { signal }));
    if (options.json) return cli.json(page);
    if (page.total === 0) {
      cli.say(filter.filter ? "No job fits." : "No jobs yet. Try: skein run -- echo hi");
      return;
    }
    cli.print(jobTable(page.items, cli));
    sayPart(cli, page, "jobs", `--limit ${Math.min(page.total, limit * 10)}`);
  });
}

function jobTable(jobs: readonly JobView[], cli: Cli): string {
  const now = cli.io.now();
  const style = cli.out;
  const failed = ({ counts }: JobView) =>
    counts.failed > 0 ? style.red(count(counts.failed)) : "";
  return table<JobView>(
    [
      { title: "JOB", cell: (job) => shortId(job.id) },
      { title: "STATE", cell: (job) => state(job.state, style) },
      { title: "TASK", cell: (job) => job.task, shrinks: true },
      { title: "QUEUE", cell: (job) => job.queue, shrinks: true },
      {
        title: "DONE",
        cell: (job) => `${count(doneTasks(job))}/${count(job.tasks)}`,
        align: "right",
      },
      { title: "FAILED", cell: failed, align: "right" },
      { title: "TOOK", cell: (job) => between(job.started, job.ended, now), align: "right" },
      { title: "CREATED", cell: (job) => ago(job.created, now), align: "right" },
    ],
    jobs,
    { style, width: cli.io.stdout.columns },
  );
}

interface GetOptions extends ClusterOptions {
  readonly wait?: string | true;
}

function defineGet(get: Command, cli: Cli): void {
  described(get, "One job.", ["skein job get 4f2a", "skein job get 4f2a --wait 10m --json"]);
  clusterOptions(
    jsonOption(get)
      .argument("<job>", "id, or the first digits of one", jobArgument)
      .option("--wait [time]", "until it has ended, or so long (exit 6): 90s, 10m"),
  ).action(async (id: string, options: GetOptions) => {
    const client = await cli.client(options);
    const job = await getJob(client, id, options.wait, cli);
    if (options.json) cli.json(job);
    else cli.print(jobPage(job, cli));
    if (options.wait === undefined) return;
    if (!hasEnded(job)) {
      cli.exitCode = exitCodes.timeout;
      cli.say(`The wait is over; job ${shortId(job.id)} is ${job.state} and goes on.`);
    } else if (job.state !== "succeeded") cli.exitCode = exitCodes.failed;
  });
}

async function getJob(
  client: Client,
  id: string,
  wait: string | true | undefined,
  cli: Cli,
): Promise<JobView> {
  const { signal } = cli.io;
  const limitMs = wait === undefined ? 0 : wait === true ? Infinity : parseDuration(wait, "--wait");
  const end = performance.now() + limitMs;
  let job = await client.job(id, { signal });
  while (!hasEnded(job)) {
    const leftMs = Math.ceil(end - performance.now());
    if (leftMs <= 0) break;
    cli.progress(`waiting: job ${shortId(job.id)} is ${job.state}, ${doneTasks(job)}/${job.tasks}`);
    job = await client.job(job.id, { signal, waitMs: Math.min(waitMsMax, leftMs) });
  }
  cli.progress("");
  return job;
}

function jobPage(job: JobView, cli: Cli): string {
  const style = cli.out;
  const now = cli.io.now();
  const lost = job.attemptsLost > 0 ? `, ${count(job.attemptsLost)} lost with their worker` : "";
  const after = job.after.map(({ job: id, mode }) => `${shortId(id)} (${mode})`).join(", ");
  const page = fields(
    [
      ["job", job.id],
      ["state", state(job.state, style)],
      ["task", `${job.task} (${job.kind})`],
      ["queue", job.priority === 0 ? job.queue : `${job.queue}, priority ${job.priority}`],
      ["tasks", `${count(job.tasks)}: ${countsText(job.counts, style)}`],
      ["attempts", `${count(job.attempts)}${lost}`],
      ["run time", `${duration(job.runMs)} in all attempts together`],
      ["created", `${job.created} (${ago(job.created, now)})`],
      ["started", job.started === null ? undefined : `${job.started} (${ago(job.started, now)})`],
      ["ended", job.ended === null ? undefined : `${job.ended} (${ago(job.ended, now)})`],
      ["took", between(job.started, job.ended, now)],
      ["labels", labelText(job.labels)],
      ["after", after],
      ["parent", job.parent ?? undefined],
      ["retry of", job.retryOf === null ? undefined : shortId(job.retryOf)],
      ["archived", job.retired ? "yes" : undefined],
    ],
    style,
  );
  return `${page}\n${steps(job)}\n`;
}

function steps(job: JobView): string {
  const id = shortId(job.id);
  if (job.state === "succeeded") return nextSteps([["results", `skein results ${id}`]]);
  if (hasEnded(job)) return `${nextSteps([["why", `skein why ${id}`]])}   ${failedSteps(job)}`;
  return nextSteps([
    ["why", `skein why ${id}`],
    ["cancel", `skein job cancel ${id}`],
  ]);
}

interface CancelOptions extends ClusterOptions, BulkOptions {
  readonly reason?: string;
}

function defineCancel(cancel: Command, cli: Cli): void {
  described(cancel, "Cancel what has not ended of a job.", [
    "skein job cancel 4f2a",
    "skein job list --state running --json | jq -r '.items[].id' | skein job cancel -",
    "skein job cancel --filter 'label.team=film state:waiting' --dry-run",
  ]);
  clusterOptions(
    jsonOption(
      dryRunOption(
        bulkOptions(
          cancel
            .argument("[job...]", 'ids, or "-" for ids on stdin')
            .option("--reason <text>", "kept with the job"),
        ),
      ),
    ),
  ).action(async (words: readonly string[], options: CancelOptions) => {
    checkWhich(words, options);
    const client = await cli.client(options);
    const { signal } = cli.io;
    if (options.filter !== undefined) {
      const { reason } = options;
      const ask: Parameters<typeof changeFitting>[2]["ask"] = (asked) =>
        client.cancelJobs({ ...asked, ...(reason !== undefined && { reason }) }, { signal });
      const change = { verb: "cancel", done: "cancelled", ask };
      return changeFitting(options.filter, options, change, cli);
    }
    const ids = (await idsFrom(words, cli)).map(jobArgument);
    const body = options.reason === undefined ? {} : { reason: options.reason };
    const jobs = await forEach(ids, cli, async (id) => {
      const before = await client.job(id, { signal });
      const idle = options.dryRun || hasEnded(before);
      const job = idle ? before : await client.cancelJob(before.id, body, { signal });
      if (!options.json) sayCancelled(before, options.dryRun ?? false, cli);
      return job;
    });
    if (options.json) cli.json({ dryRun: options.dryRun ?? false, items: jobs });
  });
}

function sayCancelled(before: JobView, dryRun: boolean, cli: Cli): void {
  const id = shortId(before.id);
  const { ok } = cli.err.symbols;
  if (hasEnded(before)) {
    return cli.say(`Job ${id} has ended already: ${before.state}. Nothing to cancel.`);
  }
  const left = plural(before.tasks - doneTasks(before), "task");
  if (dryRun) {
    return cli.say(`Would cancel ${left} of job ${id}; ${before.counts.assigned} of them run.`);
  }
  const see = nextSteps([["see", `skein job get ${id}`]]);
  cli.sayNext(`${ok} Job ${id}: ${left} cancelled.`, see);
}

type RetryOptions = ClusterOptions & BulkOptions;

function bulkOptions(command: Command): Command {
  return filterOption(command).option(
    "--expect <n>",
    "with --filter: only if so many jobs fit",
    wholeNumber(0),
  );
}

function defineRetry(retry: Command, cli: Cli): void {
  described(retry, "A new job of the inputs whose tasks did not succeed.", [
    "skein job retry 4f2a",
    "skein job list --state failed --json | jq -r '.items[].id' | skein job retry -",
    "skein job retry --filter 'state:failed created>2h' --expect 12",
  ]);
  clusterOptions(
    jsonOption(
      dryRunOption(
        bulkOptions(
          retry
            .argument("[job...]", 'ids, or "-" for ids on stdin')
            .option("--failed", "only what did not succeed: always so, said for clarity"),
        ),
      ),
    ),
  ).action(async (words: readonly string[], options: RetryOptions) => {
    checkWhich(words, options);
    const client = await cli.client(options);
    const { signal } = cli.io;
    if (options.filter !== undefined) {
      const ask: Parameters<typeof changeFitting>[2]["ask"] = (asked) =>
        client.retryJobs(asked, { signal });
      const change = { verb: "retry", done: "retried", ask };
      return changeFitting(options.filter, options, change, cli);
    }
    const ids = (await idsFrom(words, cli)).map(jobArgument);
    const jobs = await forEach(ids, cli, async (id) => {
      const old = await client.job(id, { signal });
      const again = plural(lostTasks(old), "task");
      if (options.dryRun) {
        if (!options.json) cli.say(`Would retry ${again} of job ${shortId(old.id)}.`);
        return old;
      }
      const job = await client.retryJob(old.id, { signal });
      const see = nextSteps([["watch", `skein job get ${shortId(job.id)} --wait`]]);
      const { ok } = cli.err.symbols;
      const text = `${ok} Job ${shortId(job.id)} retries ${again} of ${shortId(old.id)}.`;
      if (!options.json) cli.sayNext(text, see);
      return job;
    });
    if (options.json) cli.json({ dryRun: options.dryRun ?? false, items: jobs });
  });
}
