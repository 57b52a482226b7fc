// skein task list|get

import type { Command } from "commander";
import type { TaskDetailView, TaskView } from "../../client/index.ts";
import { taskStateWords } from "../../protocol/filter-fields.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { between, duration, shortId } from "../format.ts";
import { filterOption, filterQuery, sayPart, take } from "../lists.ts";
import type { FilterOptions } from "../lists.ts";
import {
  clusterOptions,
  described,
  jobArgument,
  jsonOption,
  someOf,
  wholeNumber,
} from "../options.ts";
import { oneTask } from "../pick-task.ts";
import { cut, fields, state, table } from "../render.ts";
import { taskError } from "../task-error.ts";
import { nextSteps, taskEnded } from "../views.ts";

const valueCharsMax = 2_000;

export function defineTask(task: Command, cli: Cli): void {
  described(task, "Tasks: one for each input of a job.", [
    "skein task list 4f2a --state failed",
    "skein task get 4f2a/17",
  ]);
  defineList(task.command("list"), cli);
  defineGet(task.command("get"), cli);
}

interface ListOptions extends ClusterOptions, FilterOptions {
  readonly limit: number;
}

function defineList(list: Command, cli: Cli): void {
  described(list, "Tasks of a job.", [
    "skein task list 4f2a --state failed --limit 1000",
    "skein task list 4f2a --filter reason:out_of_memory",
  ]);
  clusterOptions(
    filterOption(
      jsonOption(list)
        .argument("<job>", "id, or the first digits of one", jobArgument)
        .option("--state <state>", taskStateWords.join(", "), someOf(...taskStateWords))
        .option("--worker <id>", "tasks that are with this worker"),
    ).option("--limit <n>", "at most so many", wholeNumber(1), 50),
  ).action(async (id: string, options: ListOptions) => {
    const client = await cli.client(options);
    const query = filterQuery(options);
    const page = await take(options.limit, (part) =>
      client.tasks(id, { ...query, ...part }, { signal: cli.io.signal }),
    );
    if (options.json) return cli.json(page);
    if (page.total === 0) return cli.say(query.filter ? "No task fits." : "The job has no tasks.");
    cli.print(taskTable(page.items, cli));
    sayPart(cli, page, "tasks", `--limit ${Math.min(page.total, options.limit * 10)}`);
  });
}

function taskTable(tasks: readonly TaskView[], cli: Cli): string {
  const style = cli.out;
  const progress = ({ progress: at }: TaskView) =>
    at === null ? "" : `${Math.round(at.percent)} % ${at.message ?? ""}`.trimEnd();
  return table<TaskView>(
    [
      { title: "TASK", cell: (task) => `${shortId(task.job)}/${task.task}` },
      { title: "STATE", cell: (task) => state(task.state, style) },
      { title: "ATTEMPT", cell: (task) => String(task.attempt || ""), align: "right" },
      { title: "WORKER", cell: (task) => task.worker ?? "", shrinks: true },
      { title: "REASON", cell: (task) => task.reason ?? "", shrinks: true },
      { title: "PROGRESS", cell: progress, shrinks: true },
    ],
    tasks,
    { style, width: cli.io.stdout.columns },
  );
}

function defineGet(get: Command, cli: Cli): void {
  described(get, "One task with its attempts.", ["skein task get 4f2a/17"]);
  clusterOptions(
    jsonOption(get).argument("<job/task>", "4f2a/17; of a job of one task its id will do"),
  ).action(async (text: string, options: ClusterOptions) => {
    const client = await cli.client(options);
    const { signal } = cli.io;
    const { job, task } = await oneTask(client, text, { signal });
    const view = await client.task(job, task, { signal });
    if (options.json) return cli.json(view);
    cli.print(taskPage(view, cli));
  });
}

function taskPage(task: TaskDetailView, cli: Cli): string {
  const style = cli.out;
  const name = `${shortId(task.job)}/${task.task}`;
  const error = taskError(task.error);
  const at = task.progress;
  const head = fields(
    [
      ["task", name],
      ["state", state(task.state, style) + (task.reason === null ? "" : ` (${task.reason})`)],
      ["worker", task.worker ?? undefined],
      ["progress", at === null ? undefined : `${Math.round(at.percent)} % ${at.message ?? ""}`],
      ["input", value(task.input, cli)],
      ["result", value(task.result, cli)],
      ["error", error && style.red(`${error.name}: ${error.message}`)],
      ["stack", error?.stack],
      ["output", error?.tail?.trimEnd()],
    ],
    style,
  );
  const attempts = task.attempts.length === 0 ? "" : `\n${attemptTable(task, cli)}`;
  const steps = taskEnded(task)
    ? nextSteps([["logs", `skein logs ${name}`]])
    : nextSteps([
        ["why", `skein why ${name}`],
        ["logs", `skein logs ${name} -f`],
      ]);
  return `${head}${attempts}\n${steps}\n`;
}

function attemptTable({ attempts }: TaskDetailView, cli: Cli): string {
  const style = cli.out;
  const now = cli.io.now();
  return table<TaskDetailView["attempts"][number]>(
    [
      { title: "ATTEMPT", cell: (one) => String(one.attempt), align: "right" },
      { title: "STATE", cell: (one) => state(one.state, style) },
      { title: "WORKER", cell: (one) => one.worker, shrinks: true },
      { title: "REASON", cell: (one) => one.reason ?? "", shrinks: true },
      {
        title: "TOOK",
        cell: (one) =>
          one.runMs === null ? between(one.started, one.ended, now) : duration(one.runMs),
        align: "right",
      },
      { title: "COUNTED", cell: (one) => (one.charged ? "yes" : "no") },
    ],
    attempts,
    { style, width: cli.io.stdout.columns },
  );
}

function value(json: unknown, cli: Cli): string | undefined {
  return json === undefined ? undefined : cut(JSON.stringify(json), valueCharsMax, cli.out);
}
