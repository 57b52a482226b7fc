// skein queue list|set|pause|resume

import type { Command } from "commander";
import type { QueueView } from "../../client/index.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { usageError } from "../errors.ts";
import { count, thousandths } from "../format.ts";
import { filterOption, filterQuery, sayPart, take } from "../lists.ts";
import type { FilterOptions } from "../lists.ts";
import {
  clusterOptions,
  described,
  dryRunOption,
  jsonOption,
  someOf,
  wholeNumber,
} from "../options.ts";
import { table } from "../render.ts";
import { nextSteps } from "../views.ts";

export function defineQueue(queue: Command, cli: Cli): void {
  described(queue, "Queues: the lines that jobs wait in.", [
    "skein queue list",
    "skein queue set film --weight 2 --running-max 8",
    'skein queue pause film --reason "disk is full"',
  ]);
  defineList(queue.command("list"), cli);
  defineSet(queue.command("set"), cli);
  definePause(queue.command("pause"), cli);
  defineResume(queue.command("resume"), cli);
}

interface ListOptions extends ClusterOptions, FilterOptions {
  readonly limit: number;
}

function defineList(list: Command, cli: Cli): void {
  described(list, "Queues with what waits and runs in them.", []);
  clusterOptions(
    filterOption(jsonOption(list))
      .option("--state <state>", "paused, open", someOf("paused", "open"))
      .option("--limit <n>", "at most so many", wholeNumber(1), 50),
  ).action(async (options: ListOptions) => {
    const client = await cli.client(options);
    const query = filterQuery(options);
    const page = await take(options.limit, (part) =>
      client.queues({ ...query, ...part }, { signal: cli.io.signal }),
    );
    if (options.json) return cli.json(page);
    if (page.total === 0) {
      const none = "No queues yet: a queue begins with its first job.";
      return cli.say(query.filter ? "No queue fits." : none);
    }
    cli.print(queueTable(page.items, cli));
    sayPart(cli, page, "queues", `--limit ${Math.min(page.total, options.limit * 10)}`);
  });
}

function queueTable(queues: readonly QueueView[], cli: Cli): string {
  const style = cli.out;
  const limit = (n: number) => (n === 0 ? "none" : count(n));
  const paused = ({ paused: is, pausedReason }: QueueView) =>
    is ? style.yellow(`paused${pausedReason === null ? "" : `: ${pausedReason}`}`) : "open";
  return table<QueueView>(
    [
      { title: "QUEUE", cell: (queue) => queue.name, shrinks: true },
      { title: "STATE", cell: paused, shrinks: true },
      { title: "JOBS", cell: (queue) => count(queue.jobs), align: "right" },
      { title: "WAITING", cell: (queue) => count(queue.waiting), align: "right" },
      { title: "RUNNING", cell: (queue) => count(queue.assigned), align: "right" },
      { title: "WEIGHT", cell: (queue) => thousandths(queue.weight), align: "right" },
      { title: "MAX RUN", cell: (queue) => limit(queue.runningMax), align: "right" },
      { title: "MAX WAIT", cell: (queue) => limit(queue.queuedMax), align: "right" },
    ],
    queues,
    { style, width: cli.io.stdout.columns },
  );
}

interface SetOptions extends ClusterOptions {
  readonly weight?: string;
  readonly runningMax?: number;
  readonly queuedMax?: number;
  readonly dryRun?: boolean;
}

function defineSet(set: Command, cli: Cli): void {
  described(set, "Change a queue's share and limits.", [
    "skein queue set film --weight 2",
    "skein queue set night --running-max 4 --queued-max 0",
  ]);
  clusterOptions(
    jsonOption(
      dryRunOption(
        set
          .argument("<queue>")
          .option("--weight <n>", "share relative to other queues; 1 unless set")
          .option("--running-max <n>", "tasks running at once; 0: no limit", wholeNumber(0))
          .option("--queued-max <n>", "tasks waiting; past it submits get 429", wholeNumber(0)),
      ),
    ),
  ).action(async (name: string, options: SetOptions) => {
    const { runningMax, queuedMax } = options;
    const body = {
      ...(options.weight === undefined ? {} : { weight: weightOf(options.weight) }),
      ...(runningMax === undefined ? {} : { runningMax }),
      ...(queuedMax === undefined ? {} : { queuedMax }),
    };
    if (Object.keys(body).length === 0) {
      throw usageError("Nothing to set.", "Give --weight, --running-max or --queued-max.");
    }
    const said = [
      options.weight === undefined ? [] : `weight ${options.weight}`,
      runningMax === undefined ? [] : `at most ${runningMax || "any number"} running`,
      queuedMax === undefined ? [] : `at most ${queuedMax || "any number"} waiting`,
    ].flat();
    await change(name, body, said.join(", "), options, cli);
  });
}

function weightOf(text: string): number {
  const weight = Number(text) * 1_000;
  if (text.trim() !== "" && Number.isFinite(weight) && weight >= 1) return Math.round(weight);
  throw usageError(`--weight: "${text}" is no weight.`, "Write a number above 0: 1, 2, 0.5.");
}

interface PauseOptions extends ClusterOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
}

function definePause(pause: Command, cli: Cli): void {
  described(pause, "Start nothing more from a queue; what runs goes on.", [
    'skein queue pause film --reason "disk is full"',
  ]);
  clusterOptions(
    jsonOption(
      dryRunOption(
        pause.argument("<queue>").option("--reason <text>", "shown to whoever asks why"),
      ),
    ),
  ).action((name: string, options: PauseOptions) => {
    const reason = options.reason === undefined ? {} : { pausedReason: options.reason };
    return change(name, { paused: true, ...reason }, "paused", options, cli, [
      ["go on", `skein queue resume ${name}`],
    ]);
  });
}

function defineResume(resume: Command, cli: Cli): void {
  described(resume, "Let a paused queue go on.", ["skein queue resume film"]);
  clusterOptions(jsonOption(dryRunOption(resume.argument("<queue>")))).action(
    (name: string, options: PauseOptions) =>
      change(name, { paused: false }, "goes on", options, cli, [["see", "skein queue list"]]),
  );
}

async function change(
  name: string,
  body: Parameters<Awaited<ReturnType<Cli["client"]>>["setQueue"]>[1],
  what: string,
  options: SetOptions | PauseOptions,
  cli: Cli,
  steps: readonly (readonly [string, string])[] = [["see", "skein queue list"]],
): Promise<void> {
  const client = await cli.client(options);
  const { signal } = cli.io;
  if (options.dryRun) {
    const { items } = await client.queues({ limit: 1_000 }, { signal });
    const queue = items.find((one) => one.name === name);
    if (options.json) return cli.json({ dryRun: true, change: body, queue: queue ?? null });
    const known = queue ? `${count(queue.waiting)} tasks wait in it` : "no such queue yet";
    return cli.say(`Would change queue ${name}: ${what} (${known}).`);
  }
  const queue = await client.setQueue(name, body, { signal });
  if (options.json) return cli.json(queue);
  cli.sayNext(`${cli.err.symbols.ok} Queue ${name}: ${what}.`, nextSteps(steps));
}
