// skein map FILE[#export] --input …: a task once for each input, results in order on stdout.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import type { Task } from "../../sdk/define-task.ts";
import type { JobHandle } from "../../sdk/job-handle.ts";
import { loadTasks } from "../../sdk/load-tasks.ts";
import { Skein } from "../../sdk/skein.ts";
import { delay } from "../../lib/abort.ts";
import { defer } from "../../sdk/deferred.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { Quit, usageError } from "../errors.ts";
import { exitCodes } from "../exit-codes.ts";
import { count, duration, plural, shortId } from "../format.ts";
import { readInputs } from "../inputs.ts";
import type { Inputs } from "../inputs.ts";
import { onInterrupts } from "../interrupts.ts";
import { jobOptions, toSubmitOptions } from "../job-options.ts";
import type { JobOptions } from "../job-options.ts";
import { MapWatch } from "../map-watch.ts";
import { clusterOptions, collected, described, jsonOption } from "../options.ts";
import { failedSteps, nextSteps } from "../views.ts";

interface MapOptions extends ClusterOptions, JobOptions {
  readonly input: readonly string[];
  readonly text?: boolean;
  readonly detach?: boolean;
  readonly stop?: boolean;
}

/** After the first Ctrl-C, so long is a second one waited for. */
const secondMs = 3_000;

export function defineMap(map: Command, cli: Cli): void {
  described(map, "Run a TypeScript task once for each input; results as lines of JSON, in order.", [
    "skein map ./square.ts --input 1..1000",
    "skein map ./thumb.ts#small --input 'photos/*.jpg' --attempts 3",
    "skein map ./count.ts --input words.ndjson > counts.ndjson",
    "ls | skein map ./size.ts --input - --text",
  ]);
  map
    .argument("<file[#export]>", "module that defines the task, and which of its tasks")
    .requiredOption(
      "--input <what>",
      "1..1000, file.ndjson, 'pattern*', - for stdin; may be repeated",
      collected,
    )
    .option("--text", "lines are texts, not JSON")
    .option("--stop", "when a task fails, cancel those that have not ended")
    .option("-d, --detach", "do not wait: print the job's id");
  clusterOptions(jobOptions(jsonOption(map, "with --detach: print one JSON document"))).action(
    async (file: string, options: MapOptions) => {
      const task = await loadTask(file);
      const { stdin } = cli.io;
      const text = options.text ?? false;
      const inputs = await readInputs(options.input, { stdin, cwd: process.cwd(), text });
      const connection = await cli.connect(options);
      await new MapRun(cli, new Skein(connection.client, async () => {}), options).run(
        task,
        inputs,
      );
    },
  );
}

/** "file.ts#name": that export. "file.ts": the only task, or the one named like the file. */
async function loadTask(text: string): Promise<Task<unknown, unknown>> {
  const at = text.lastIndexOf("#");
  const [file, name] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  if (!existsSync(file)) {
    throw usageError(`There is no file ${file}.`, "Name the module that defines the task.");
  }
  const tasks = await loadTasks(file);
  if (name === undefined && tasks.size > 1) {
    const names = [...tasks.keys()];
    throw usageError(
      `${file} exports ${plural(tasks.size, "task")}: ${names.join(", ")}.`,
      `Say which one: ${file}#${names[0]}`,
    );
  }
  const task = name === undefined ? [...tasks.values()][0] : tasks.get(name);
  if (task) return task;
  const names = [...tasks.keys()].join(", ");
  throw usageError(`${file} exports no task "${name}".`, `It exports ${names}.`);
}

class MapRun {
  readonly #cli: Cli;
  readonly #skein: Skein;
  readonly #options: MapOptions;
  /** Aborted by the first Ctrl-C while inputs are on their way: the job is then cancelled. */
  readonly #feeding = new AbortController();
  /** Aborted by the first Ctrl-C afterwards: the job goes on. */
  readonly #watching = new AbortController();
  readonly #second = new AbortController();
  #fed = false;

  constructor(cli: Cli, skein: Skein, options: MapOptions) {
    this.#cli = cli;
    this.#skein = skein;
    this.#options = options;
  }

  async run(task: Task<unknown, unknown>, inputs: Inputs): Promise<void> {
    const cli = this.#cli;
    const begin = performance.now();
    using _interrupts = onInterrupts(
      cli.io,
      () => this.#interrupted(),
      () => this.#second.abort(new Quit(exitCodes.interrupted)),
    );
    const watch = new MapWatch(cli, inputs.size);
    const signal = AbortSignal.any([this.#watching.signal, this.#feeding.signal, cli.io.signal]);
    const watched = defer<void>();
    let started = false;
    const onJob = (handle: JobHandle<unknown>) => {
      started = true;
      if (this.#options.detach) return watched.resolve();
      watch.follow(handle, signal).then(watched.resolve, watched.reject);
    };
    try {
      const job = await this.#submit(task, inputs, onJob);
      this.#fed = true;
      if (this.#options.detach) return this.#detached(job.id);
      await watched.promise;
      this.#conclude(job, watch, performance.now() - begin);
    } catch (error) {
      if (started) await watched.promise.catch(() => {});
      if (this.#watching.signal.aborted) await this.#left(watch);
      throw error;
    }
  }

  async #submit(
    task: Task<unknown, unknown>,
    inputs: Inputs,
    onJob: (job: JobHandle<unknown>) => void,
  ): Promise<JobHandle<unknown>> {
    const { stop } = this.#options;
    const job = await this.#skein.map(task, inputs.items, {
      ...toSubmitOptions(this.#options),
      ...(stop ? { onFailure: "stop" } : {}),
      signal: AbortSignal.any([this.#feeding.signal, this.#cli.io.signal]),
      onJob: (handle) => {
        this.#job = handle;
        onJob(handle);
      },
    });
    return job;
  }

  #job: JobHandle<unknown> | undefined;

  #interrupted(): void {
    if (this.#fed) return this.#watching.abort(new Quit(exitCodes.interrupted));
    this.#cli.say("\nNot all inputs were sent: the job is cancelled.");
    this.#feeding.abort(new Quit(exitCodes.interrupted));
  }

  /** After the first Ctrl-C: the job goes on, unless a second one comes soon. */
  async #left(watch: MapWatch): Promise<void> {
    const cli = this.#cli;
    const job = this.#job;
    if (!job) return;
    const id = shortId(job.id);
    const soon = `Ctrl-C again within ${secondMs / 1_000} s cancels it.`;
    const asks = cli.io.stderr.isTTY;
    const state = `${count(watch.done)} of ${count(watch.total)} done`;
    cli.say(`\nNo longer watching: job ${id} goes on (${state}). ${asks ? soon : ""}`.trimEnd());
    const steps = nextSteps([
      ["results", `skein results ${id} -f`],
      ["cancel", `skein job cancel ${id}`],
    ]);
    cli.say(steps);
    if (!asks) return;
    await delay(secondMs, this.#second.signal).catch(() => {});
    if (!this.#second.signal.aborted) return;
    await job.cancel("cancelled with Ctrl-C", { signal: cli.io.signal });
    cli.say(`${cli.err.symbols.ok} Job ${id} is cancelled.`);
  }

  #detached(id: string): void {
    const cli = this.#cli;
    if (this.#options.json) return cli.json({ job: id });
    cli.print(`${id}\n`);
    const short = shortId(id);
    cli.say(
      nextSteps([
        ["results", `skein results ${short} -f`],
        ["state", `skein job get ${short}`],
      ]),
    );
  }

  #conclude(job: JobHandle<unknown>, watch: MapWatch, spentMs: number): void {
    const cli = this.#cli;
    const { failed, cancelled } = watch.tally;
    const { green, red, dim, symbols } = cli.err;
    const id = shortId(job.id);
    const rate = count(Math.round(watch.done / (spentMs / 1_000)));
    const took = `in ${duration(spentMs)} (${rate}/s)   job ${id}`;
    if (failed + cancelled === 0) {
      if (!cli.io.stderr.isTTY) return;
      return cli.say(dim(`${green(symbols.ok)} ${plural(watch.done, "task")} succeeded ${took}`));
    }
    cli.exitCode = exitCodes.failed;
    const parts = [
      failed && `${count(failed)} failed`,
      cancelled && `${count(cancelled)} cancelled`,
    ];
    const bad = parts.filter(Boolean).join(", ");
    const steps = failedSteps({ id: job.id, tasks: watch.done, counts: watch.tally });
    cli.sayNext(`${red(symbols.fail)} ${bad} of ${plural(watch.done, "task")} ${took}`, steps);
  }
}
