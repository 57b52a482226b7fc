// skein run -- CMD…: a command on the cluster as if it ran here. Its output streams, its exit code
// is ours.

import { constants } from "node:os";
import { basename } from "node:path";
import type { Command } from "commander";
import type { Client } from "../../client/index.ts";
import type { TaskError } from "../../protocol/model.ts";
import { defineCommand } from "../../sdk/define-task.ts";
import type { TaskHandle } from "../../sdk/job-handle.ts";
import type { Outcome } from "../../sdk/outcomes.ts";
import { Skein } from "../../sdk/skein.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { Quit } from "../errors.ts";
import { exitCodes } from "../exit-codes.ts";
import { followTask } from "../follow-task.ts";
import { duration, shortId } from "../format.ts";
import { onInterrupts } from "../interrupts.ts";
import { jobOptions, toSubmitOptions } from "../job-options.ts";
import type { JobOptions } from "../job-options.ts";
import { clusterOptions, described, jsonOption, pairs } from "../options.ts";
import { errorText, isOwnExit } from "../task-error.ts";
import { failedSteps, nextSteps } from "../views.ts";

type Lost = Exclude<Outcome<unknown>, { state: "succeeded" }>;

interface RunOptions extends ClusterOptions, JobOptions {
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly detach?: boolean;
}

export function defineRun(run: Command, cli: Cli): void {
  described(run, "Run a command on the cluster: its output here, its exit code ours.", [
    "skein run -- echo hi",
    "skein run --needs cpu=2,memory=4GiB -- ffmpeg -i in.mov out.mp4",
    "skein run --attempts 3 --timeout 10m -- sh -c 'make && make check'",
    "skein run --detach -- ./nightly.sh",
  ]);
  run
    .passThroughOptions()
    .argument("<command...>", "the program and its arguments; no shell is involved")
    .option("-d, --detach", "do not wait: print the job's id")
    .option("--name <name>", "name of the task; the program's unless set")
    .option("--env <k=v...>", "added to the clean environment it runs in", pairs);
  clusterOptions(jobOptions(jsonOption(run, "with --detach: print one JSON document"))).action(
    async (argv: readonly string[], options: RunOptions) => {
      const connection = await cli.connect(options);
      // The connection is closed with the CLI.
      const skein = new Skein(connection.client, async () => {});
      await runCommand(skein, argv, options, cli);
    },
  );
}

async function runCommand(
  skein: Skein,
  argv: readonly string[],
  options: RunOptions,
  cli: Cli,
): Promise<void> {
  const stop = new AbortController();
  const leave = new AbortController();
  using _interrupts = onInterrupts(
    cli.io,
    () => stop.abort(new Quit(exitCodes.interrupted)),
    () => leave.abort(new Quit(exitCodes.interrupted)),
  );
  const [program = "", ...args] = argv;
  const task = defineCommand({
    name: options.name ?? taskNameOf(program),
    argv: [program, ...args],
    env: options.env,
  });
  const handle = await skein.submit(task, null, {
    ...toSubmitOptions(options),
    signal: AbortSignal.any([stop.signal, cli.io.signal]),
  });
  if (options.detach) return detached(handle.id, options, cli);
  stop.signal.addEventListener("abort", () => {
    cli.say(
      `\nCancelling job ${shortId(handle.id)}, waiting for its end; Ctrl-C again leaves at once.`,
    );
  });
  const signal = AbortSignal.any([leave.signal, cli.io.signal]);
  try {
    await followTask(skein.client, { job: handle.id, task: 0 }, cli, signal);
    await conclude(skein.client, handle, cli, signal, stop.signal.aborted);
  } finally {
    // A cancellation under way reaches the cluster before this process ends.
    if (!leave.signal.aborted) await skein.close();
  }
}

function taskNameOf(program: string): string {
  const name = basename(program).replace(/[^A-Za-z0-9_.:@#-]/g, "_");
  return /^[A-Za-z0-9_]/.test(name) ? name.slice(0, 128) : `command${name}`.slice(0, 128);
}

function detached(id: string, options: RunOptions, cli: Cli): void {
  if (options.json) return cli.json({ job: id });
  cli.print(`${id}\n`);
  cli.say(
    nextSteps([
      ["output", `skein logs ${shortId(id)} -f`],
      ["state", `skein job get ${shortId(id)}`],
    ]),
  );
}

/** Says how it ended and takes over its exit code. */
async function conclude(
  client: Client,
  handle: TaskHandle<unknown>,
  cli: Cli,
  signal: AbortSignal,
  interrupted: boolean,
): Promise<void> {
  const outcome = await handle.outcome({ signal });
  // Nobody to tell: a script has the exit code.
  if (outcome.state === "succeeded" && !cli.io.stderr.isTTY) return;
  const [view, { attempts }] = await Promise.all([
    handle.job.view({ signal }),
    client.task(handle.id, 0, { signal }),
  ]);
  const on = attempts.at(-1)?.worker;
  const took = `${duration(outcome.runMs)}${on === undefined ? "" : ` on ${on}`}`;
  const id = shortId(handle.id);
  const { symbols, green, red } = cli.err;
  if (outcome.state === "succeeded") {
    const text = `${green(symbols.ok)} job ${id} succeeded in ${took}`;
    return cli.say(cli.err.dim(text));
  }
  const { error, attempt } = outcome;
  const own = isOwnExit(outcome.reason) ? commandExit(error) : exitCodes.failed;
  cli.exitCode = interrupted ? exitCodes.interrupted : own;
  const verdict = `${red(symbols.fail)} job ${id} ${outcome.state}${whyText(outcome)}`;
  if (interrupted) return cli.say(`${verdict}.`);
  if (attempt === 0) return cli.sayNext(verdict, nextSteps([["why", `skein why ${id}`]]));
  const tries = `(attempt ${attempt}/${Math.max(attempt, view.attempts)})`;
  cli.sayNext(`${verdict} after ${took} ${tries}`, failedSteps(view));
}

function whyText({ reason, error }: Pick<Lost, "reason" | "error">): string {
  return reason === "cancelled" ? "" : `: ${errorText(error, reason)}`;
}

/** A shell's convention: 128 and the signal's number. */
function commandExit({ exitCode, signal }: TaskError): number {
  if (exitCode !== undefined && exitCode !== 0) return exitCode;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  const number = signal === undefined ? undefined : numbers[signal];
  return number === undefined ? exitCodes.failed : 128 + number;
}
