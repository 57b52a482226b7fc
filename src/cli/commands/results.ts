// skein results JOB: results in the order of tasks, a line of JSON each.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { exitCodes } from "../exit-codes.ts";
import { plural, shortId } from "../format.ts";
import { clusterOptions, described, jobArgument, wholeNumber } from "../options.ts";
import { failedSteps, hasEnded, lostTasks, nextSteps } from "../views.ts";

interface ResultsOptions extends ClusterOptions {
  readonly follow?: boolean;
  readonly from: number;
}

export function defineResults(results: Command, cli: Cli): void {
  const text =
    "Results of a job, in the order of its tasks, a line of JSON each.\n" +
    "A task without a result gives null, so that line n is always of task n.";
  described(results, text, ["skein results 4f2a | jq .", "skein results 4f2a -f > results.ndjson"]);
  clusterOptions(
    results
      .argument("<job>", "id, or the first digits of one", jobArgument)
      .option("-f, --follow", "wait for each result in turn, until the job has ended")
      .option("--from <n>", "begin with this task", wholeNumber(0), 0),
  ).action(async (id: string, options: ResultsOptions) => {
    const client = await cli.client(options);
    const { signal } = cli.io;
    const { follow = false, from } = options;
    const { id: full } = await client.job(id, { signal });
    for await (const line of client.results(full, { signal, from, follow })) {
      if (!cli.print(`${jsonOf(line)}\n`)) await cli.io.stdout.drained();
    }
    const job = await client.job(full, { signal });
    const short = shortId(job.id);
    if (!hasEnded(job)) {
      const left = job.tasks - job.counts.succeeded - lostTasks(job);
      const more = nextSteps([["all of them", `skein results ${short} -f`]]);
      cli.sayNext(`Job ${short} is ${job.state}: ${plural(left, "result")} to come.`, more);
    } else if (lostTasks(job) > 0) {
      cli.exitCode = exitCodes.failed;
      const lost = plural(lostTasks(job), "task");
      const text = `${cli.err.symbols.fail} ${lost} of job ${short} did not succeed.`;
      cli.sayNext(text, failedSteps(job));
    }
  });
}

/** A line that begins with "@" stands for a task without a result, or names stored bytes. */
function jsonOf(line: string): string {
  if (!line.startsWith("@")) return line;
  const { stored } = JSON.parse(line.slice(1)) as { readonly stored?: unknown };
  return stored === undefined ? "null" : JSON.stringify({ stored });
}
