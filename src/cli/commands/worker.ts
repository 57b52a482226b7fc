// skein worker: one worker in this process. skein worker list|drain; the other changes are in worker-changes.ts.

import { join } from "node:path";
import type { Command } from "commander";
import type { WorkerView } from "../../client/index.ts";
import { parseDuration, parseMemoryMiB } from "../../sdk/units.ts";
import { defaultDataDir } from "../../sdk/locate.ts";
import { delay } from "../../lib/abort.ts";
import { canExport } from "../../lib/tracing.ts";
import { version } from "../../lib/version.ts";
import { workerStateWords } from "../../protocol/filter-fields.ts";
import { forEach } from "../bulk.ts";
import type { Cli } from "../cli.ts";
import { findCluster } from "../connection.ts";
import type { ClusterOptions } from "../connection.ts";
import { isForPeople, logOptions, makeLog, ownedOption, untilToldToEnd } from "../daemon.ts";
import type { LogOptions } from "../daemon.ts";
import { usageError } from "../errors.ts";
import { exitCodes } from "../exit-codes.ts";
import { amount, count, duration, labelText, plural } from "../format.ts";
import { filterOption, filterQuery, labelOption, sayPart, take } from "../lists.ts";
import type { FilterOptions } from "../lists.ts";
import {
  clusterOptions,
  collected,
  described,
  dryRunOption,
  jsonOption,
  pairs,
  placeOptions,
  showOptions,
  someOf,
  wholeNumber,
} from "../options.ts";
import { state, table } from "../render.ts";
import { nextSteps } from "../views.ts";
import { defineCordon, defineRemove, defineUncordon } from "./worker-changes.ts";
import { idOfHost, offer } from "../worker-offer.ts";

/** Told to end by a signal, running tasks get this long. */
const drainMs = 10_000;
const lookMs = 500;

interface WorkerOptions extends ClusterOptions, LogOptions {
  readonly master?: readonly string[];
  readonly id?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly amount?: Readonly<Record<string, string>>;
  readonly pool: string;
  readonly exitWithStdin?: boolean;
}

export function defineWorker(worker: Command, cli: Cli): void {
  described(worker, "One worker: it offers this machine's resources and runs tasks.", [
    "skein worker",
    "skein worker --cpus 4 --memory 8GiB --label rack=a --amount license=2",
    "skein worker list",
    "skein worker drain w4 --wait",
  ]);
  ownedOption(
    logOptions(
      jsonOption(worker, "when ready, print one line of JSON")
        .option("--master <url>", "address of a master; may be repeated (SKEIN_URL)", collected)
        .option("--id <name>", "its name; the host's unless set")
        .option("--cpus <n>", "processors it offers; all unless set")
        .option("--memory <size>", "memory it offers: 8GiB; 80 % unless set")
        .option("--label <k=v...>", "labels that tasks may ask for", pairs)
        .option("--amount <name=n...>", "amounts of your own naming: license=2", pairs)
        .option("--pool <name>", "group of like workers", "default"),
    ),
  );
  showOptions(placeOptions(worker)).action((options: WorkerOptions) => runWorker(options, cli));
  defineList(worker.command("list"), cli);
  defineDrain(worker.command("drain"), cli);
  defineCordon(worker.command("cordon"), cli);
  defineUncordon(worker.command("uncordon"), cli);
  defineRemove(worker.command("remove"), cli);
}

async function runWorker(options: WorkerOptions, cli: Cli): Promise<void> {
  const id = options.id ?? idOfHost();
  const people = isForPeople(options, cli);
  const url = options.master?.join(",") ?? options.url;
  const { masters, token } = await findCluster({ ...options, url }, cli.io.env);
  const root = options.data ?? defaultDataDir(cli.io.env);
  // Loaded here: `worker list` is for people who wait.
  const { startWorker } = await import("../../worker/worker.ts");
  const log = makeLog(options, cli);
  // Its slots send traces, and cannot say what they lack.
  canExport(log);
  const worker = await startWorker({
    id,
    dataDir: join(root, "workers", id),
    masters,
    token,
    version,
    amounts: amountsOf(options),
    labels: options.label ?? {},
    pool: options.pool,
    log,
  });
  const { amounts } = worker.info;
  if (options.json)
    cli.print(`${JSON.stringify({ ready: true, id, pid: process.pid, amounts })}\n`);
  else if (people) cli.say(`${cli.err.green(cli.err.symbols.ok)} worker ${id}   ${offer(amounts)}`);
  using told = untilToldToEnd(cli, options.exitWithStdin ?? false);
  void told.asked.then((by) => (by === "owner" ? worker.stop() : worker.drain(drainMs)));
  void told.insisted.then(() => worker.stop());
  const { code, reason } = await worker.closed;
  cli.exitCode = code;
  if (code !== 0 && people) cli.say(`${cli.err.red("error:")} the worker ended: ${reason}`);
}

function amountsOf(options: WorkerOptions): Readonly<Record<string, number>> {
  const amounts: Record<string, number> = {};
  if (options.cpus !== undefined) amounts["cpu"] = thousandths("--cpus", options.cpus);
  if (options.memory !== undefined) {
    amounts["memory"] = Math.floor(parseMemoryMiB(options.memory, "--memory")) * 1_000;
  }
  for (const [name, text] of Object.entries(options.amount ?? {})) {
    amounts[name] = thousandths(`--amount ${name}`, text);
  }
  return amounts;
}

function thousandths(what: string, text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value) && value >= 0) return Math.floor(value * 1_000);
  throw usageError(`${what}: "${text}" is no amount.`, "Write a number: 4, 0.5.");
}

interface ListOptions extends ClusterOptions, FilterOptions {
  readonly limit: number;
}

function defineList(list: Command, cli: Cli): void {
  described(list, "Workers with what they offer and what runs on them.", [
    "skein worker list --state lost,gone",
    "skein worker list --filter 'state:active label.rack=a' --json | jq -r '.items[].id'",
  ]);
  const narrowed = labelOption(
    jsonOption(list)
      .option("--state <state>", workerStateWords.join(", "), someOf(...workerStateWords))
      .option("--pool <name>", "workers of one pool"),
    "workers with this label",
  );
  clusterOptions(
    filterOption(narrowed).option("--limit <n>", "at most so many", wholeNumber(1), 100),
  ).action(async (options: ListOptions) => {
    const client = await cli.client(options);
    const query = filterQuery(options);
    const page = await take(options.limit, (part) =>
      client.workers({ ...query, ...part }, { signal: cli.io.signal }),
    );
    if (options.json) return cli.json(page);
    if (page.total === 0) {
      return cli.say(query.filter ? "No worker fits." : "No workers. Start one: skein worker");
    }
    cli.print(workerTable(page.items, cli));
    sayPart(cli, page, "workers", `--limit ${Math.min(page.total, options.limit * 10)}`);
  });
}

function workerTable(workers: readonly WorkerView[], cli: Cli): string {
  const style = cli.out;
  const use = (name: string) => (worker: WorkerView) =>
    `${amount(name, worker.used[name] ?? 0)}/${amount(name, worker.amounts[name] ?? 0)}`;
  const others = ({ amounts }: WorkerView) =>
    Object.entries(amounts)
      .filter(([name]) => name !== "cpu" && name !== "memory")
      .map(([name, n]) => `${name}=${amount(name, n)}`)
      .join(" ");
  return table<WorkerView>(
    [
      { title: "WORKER", cell: (worker) => worker.id, shrinks: true },
      {
        title: "STATE",
        cell: (worker) =>
          state(worker.state, style) +
          (worker.connected || worker.state !== "active" ? "" : style.yellow(" (not connected)")),
      },
      { title: "CPU", cell: use("cpu"), align: "right" },
      { title: "MEMORY", cell: use("memory"), align: "right" },
      { title: "RUNNING", cell: (worker) => count(worker.running), align: "right" },
      { title: "AHEAD", cell: (worker) => count(worker.ahead), align: "right" },
      { title: "POOL", cell: (worker) => worker.pool, shrinks: true },
      { title: "MORE", cell: others, shrinks: true },
      { title: "LABELS", cell: (worker) => labelText(worker.labels), shrinks: true },
    ],
    workers,
    { style, width: cli.io.stdout.columns },
  );
}

interface DrainOptions extends ClusterOptions {
  readonly deadline: string;
  readonly exit: boolean;
  readonly undo?: boolean;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

function defineDrain(drain: Command, cli: Cli): void {
  described(drain, "Let a worker finish what runs and take nothing new.", [
    "skein worker drain w4 --wait",
    "skein worker drain w4 --undo",
  ]);
  clusterOptions(
    jsonOption(
      dryRunOption(
        drain
          .argument("<worker...>")
          .option("--deadline <time>", "what still runs then is killed and starts elsewhere", "1h")
          .option("--no-exit", "the worker stays when it is done")
          .option("--undo", "let it take work again")
          .option("--wait", "until it is done"),
      ),
    ),
  ).action(async (ids: readonly string[], options: DrainOptions) => {
    const client = await cli.client(options);
    const { signal } = cli.io;
    const body = {
      deadlineMs: parseDuration(options.deadline, "--deadline"),
      exit: options.exit,
      undo: options.undo ?? false,
    };
    const find = async (id: string) => {
      const { items } = await take(10_000, (part) => client.workers(part, { signal }));
      return items.find((one) => one.id === id);
    };
    const workers = await forEach(ids, cli, async (id) => {
      if (options.dryRun) return planned(id, await find(id), options, cli);
      const worker = await client.drainWorker(id, body, { signal });
      if (!options.json) sayDrained(worker, options, cli);
      if (!options.wait || body.undo) return worker;
      return waitDrained(worker, find, cli);
    });
    if (options.json) cli.json({ dryRun: options.dryRun ?? false, items: workers });
  });
}

function planned(
  id: string,
  worker: WorkerView | undefined,
  { json, undo }: DrainOptions,
  cli: Cli,
): WorkerView | undefined {
  if (json) return worker;
  if (!worker) {
    cli.exitCode = exitCodes.notFound;
    cli.say(`There is no worker ${id}.`);
  } else if (undo) cli.say(`Would let worker ${id} take work again.`);
  else cli.say(`Would drain worker ${id}: ${plural(worker.running, "task")} running on it.`);
  return worker;
}

function sayDrained(worker: WorkerView, options: DrainOptions, cli: Cli): void {
  const { ok } = cli.err.symbols;
  if (options.undo) return cli.say(`${ok} Worker ${worker.id} takes work again.`);
  const limit = duration(parseDuration(options.deadline));
  const end = options.exit ? "Then it ends" : "Then it stays";
  const running = `${plural(worker.running, "task")} running, at most ${limit}`;
  const text = `${ok} Draining ${worker.id}: ${running}. ${end}.`;
  cli.sayNext(text, nextSteps([["undo", `skein worker drain ${worker.id} --undo`]]));
}

async function waitDrained(
  worker: WorkerView,
  find: (id: string) => Promise<WorkerView | undefined>,
  cli: Cli,
): Promise<WorkerView> {
  let now = worker;
  while (now.state === "draining") {
    cli.progress(`draining ${now.id}: ${plural(now.assigned, "task")} left`);
    await delay(lookMs, cli.io.signal);
    now = (await find(now.id)) ?? { ...now, state: "gone" };
  }
  cli.progress("");
  cli.say(`${cli.err.symbols.ok} Worker ${now.id} is ${now.state}: safe to remove.`);
  return now;
}
