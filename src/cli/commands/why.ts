// skein why JOB[/TASK]: the cluster's own explanation, in words.

import type { Command } from "commander";
import type { WhyView } from "../../client/index.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { plural, shortId } from "../format.ts";
import { clusterOptions, described, jsonOption, taskArgument } from "../options.ts";
import { tellingTask } from "../pick-task.ts";
import { state, table } from "../render.ts";
import { countsText } from "../views.ts";

const workersShown = 6;

export function defineWhy(why: Command, cli: Cli): void {
  described(why, "Why a task waits, runs or failed.", ["skein why 4f2a", "skein why 4f2a/17"]);
  clusterOptions(
    jsonOption(why).argument("<job[/task]>", "of a job, the task that tells most is taken"),
  ).action(async (text: string, options: ClusterOptions) => {
    const client = await cli.client(options);
    const { signal } = cli.io;
    const name = taskArgument(text);
    let number = name.task;
    let head = "";
    if (number === undefined) {
      const job = await client.job(name.job, { signal });
      const telling = await tellingTask(client, job, { signal });
      if (!telling) {
        if (options.json) return cli.json({ job: job.id, state: job.state, reasons: [] });
        const more = job.state === "open" ? "its client still sends inputs" : "it was given none";
        return void cli.print(
          `Job ${shortId(job.id)} is ${job.state} and has no tasks: ${more}.\n`,
        );
      }
      number = telling.task.task;
      if (job.tasks > 1) {
        const { task, like } = telling;
        const all = countsText(job.counts, cli.out);
        head =
          `Job ${shortId(job.id)}, ${state(job.state, cli.out)}: ${all}.\n` +
          `Of ${plural(like, `${task.state} task`)}, the first:\n`;
      }
    }
    const said = await client.why(name.job, number, { signal });
    if (options.json) return cli.json(said);
    cli.print(head + whyPage(said, cli));
  });
}

export function whyPage(why: WhyView, cli: Cli): string {
  const style = cli.out;
  const verdict = `task ${style.bold(why.task)}, ${state(why.state, style)}: ${why.verdict}\n`;
  // One reason that says the same again is none.
  const alone = why.reasons.every(({ text }) => text === why.verdict);
  return [verdict, alone ? "" : reasons(why, cli), attempts(why, cli), ahead(why, cli)]
    .filter((part) => part !== "")
    .join("\n");
}

function reasons(why: WhyView, cli: Cli): string {
  return table<WhyView["reasons"][number]>(
    [
      { title: "RULE", cell: (reason) => reason.rule },
      { title: "WORKERS", cell: (reason) => workers(reason.workers), shrinks: true },
      { title: "BECAUSE", cell: (reason) => reason.text },
    ],
    why.reasons,
    { style: cli.out, width: cli.io.stdout.columns },
  );
}

function attempts(why: WhyView, cli: Cli): string {
  if (why.attempts.length === 0) return "";
  return table<WhyView["attempts"][number]>(
    [
      { title: "ATTEMPT", cell: ({ attempt }) => String(attempt), align: "right" },
      { title: "WORKER", cell: ({ worker }) => worker },
      { title: "WHAT BECAME OF IT", cell: ({ text }) => text },
    ],
    why.attempts,
    { style: cli.out, width: cli.io.stdout.columns },
  );
}

/** What goes first, when it may start, and what would let it run. */
function ahead({ line, forecast, change }: WhyView, cli: Cli): string {
  const lines = [line?.text, forecast?.text].filter((text) => text !== undefined);
  for (const { text, command } of change) lines.push(`${text}   ${cli.out.bold(command)}`);
  return lines.map((text) => `${text}\n`).join("");
}

function workers(ids: readonly string[]): string {
  if (ids.length <= workersShown) return ids.join(",");
  return `${ids.slice(0, workersShown).join(",")} and ${ids.length - workersShown} more`;
}
