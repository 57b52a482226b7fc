// The command tree. Only names and summaries are here: the module of a command is loaded when it is
// used, so that help comes at once.

import { Command, CommanderError } from "commander";
import { Cli } from "./cli.ts";
import type { CliFlags } from "./cli.ts";
import { describeError, exitCodeOf } from "./errors.ts";
import { exitCodes } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { described, showOptions } from "./options.ts";
import type { Style } from "./style.ts";

type Define = (command: Command, cli: Cli) => void;

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Define>;
}

const tree: Readonly<Record<string, readonly Entry[]>> = {
  "Start a cluster:": [
    {
      name: "up",
      summary: "a master and workers on this machine, in the foreground",
      load: async () => (await import("./commands/up.ts")).defineUp,
    },
    {
      name: "master",
      summary: "one master; list them, hand over the lead",
      load: async () => (await import("./commands/master.ts")).defineMaster,
    },
    {
      name: "worker",
      summary: "one worker; list and drain workers",
      load: async () => (await import("./commands/worker.ts")).defineWorker,
    },
  ],
  "Give it work:": [
    {
      name: "run",
      summary: "run a command on the cluster, its output here",
      load: async () => (await import("./commands/run.ts")).defineRun,
    },
    {
      name: "map",
      summary: "run a TypeScript task once for each input",
      load: async () => (await import("./commands/map.ts")).defineMap,
    },
  ],
  "See and steer it:": [
    {
      name: "job",
      summary: "list, get, cancel, retry, report jobs",
      load: async () => (await import("./commands/job.ts")).defineJob,
    },
    {
      name: "task",
      summary: "list and get tasks of a job",
      load: async () => (await import("./commands/task.ts")).defineTask,
    },
    {
      name: "logs",
      summary: "what a task printed",
      load: async () => (await import("./commands/logs.ts")).defineLogs,
    },
    {
      name: "results",
      summary: "results of a job, a line of JSON each",
      load: async () => (await import("./commands/results.ts")).defineResults,
    },
    {
      name: "why",
      summary: "why a task waits, runs or failed",
      load: async () => (await import("./commands/why.ts")).defineWhy,
    },
    {
      name: "queue",
      summary: "list, set, pause, resume queues",
      load: async () => (await import("./commands/queue.ts")).defineQueue,
    },
    {
      name: "ui",
      summary: "the dashboard, in a browser",
      load: async () => (await import("./commands/ui.ts")).defineUi,
    },
    {
      name: "status",
      summary: "the cluster in one screen",
      load: async () => (await import("./commands/status.ts")).defineStatus,
    },
    {
      name: "watch",
      summary: "the cluster or a job, live",
      load: async () => (await import("./commands/watch.ts")).defineWatch,
    },
    {
      name: "doctor",
      summary: "what commonly goes wrong, and what to do about it",
      load: async () => (await import("./commands/doctor.ts")).defineDoctor,
    },
  ],
  "Keep it:": [
    {
      name: "backup",
      summary: "pack the whole cluster into a file",
      load: async () => (await import("./commands/backup.ts")).defineBackup,
    },
    {
      name: "restore",
      summary: "a new data directory from a backup",
      load: async () => (await import("./commands/backup.ts")).defineRestore,
    },
  ],
  "About skein:": [
    {
      name: "version",
      summary: "versions of this CLI and of the cluster",
      load: async () => (await import("./commands/version.ts")).defineVersion,
    },
    {
      name: "completion",
      summary: "completion for bash, zsh or fish",
      load: async () => (await import("./commands/completion.ts")).defineCompletion,
    },
    {
      name: "help",
      summary: "help on a command, or on exit-codes, environment",
      load: async () => (await import("./commands/help.ts")).defineHelp,
    },
  ],
};

/** Runs one command line (without "node" and "skein") and returns the exit code. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const cli = new Cli(io, earlyFlags(argv));
  try {
    const program = await buildProgram(argv, cli);
    if (argv.length === 0) {
      program.outputHelp();
      return exitCodes.ok;
    }
    await program.parseAsync(argv, { from: "user" });
    io.signal.throwIfAborted();
    return cli.exitCode;
  } catch (error) {
    // What fails because nobody reads is no failure of its own.
    const said = io.signal.aborted ? io.signal.reason : error;
    if (said instanceof CommanderError) return commanderExit(said);
    cli.progress("");
    cli.raw(describeError(said, cli.err, cli.flags.debug));
    return exitCodeOf(said);
  } finally {
    await cli.close();
  }
}

/** Flags that shape every message, even one about a wrong command line. */
function earlyFlags(argv: readonly string[]): CliFlags {
  const end = argv.indexOf("--");
  const seen = new Set(end < 0 ? argv : argv.slice(0, end));
  return {
    noColor: seen.has("--no-color"),
    ascii: seen.has("--ascii"),
    debug: seen.has("--debug"),
  };
}

async function buildProgram(argv: readonly string[], cli: Cli): Promise<Command> {
  const program = new Command("skein");
  described(program, "A master-worker cluster for TypeScript teams, from a laptop to a fleet.", [
    "skein up                                    a cluster on this machine",
    "skein run -- echo hi                        a command, its output here",
    "skein map ./square.ts --input 1..1000       a function over inputs",
    "skein why 4f2a                              why does it not run?",
  ]);
  showOptions(program.option("-V, --version", "same as `skein version`"))
    .enablePositionalOptions()
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => void cli.print(text),
      writeErr: (text) => void cli.raw(text),
      outputError: (text) => void cli.raw(commanderError(text, cli.err)),
      getOutHelpWidth: () => cli.io.stdout.columns ?? 80,
      getErrHelpWidth: () => cli.io.stderr.columns ?? 80,
      getOutHasColors: () => cli.out.colours,
      getErrHasColors: () => cli.err.colours,
    })
    .configureHelp({ styleTitle: (title) => cli.out.bold(title) })
    .addHelpText("after", "\n`skein help COMMAND` tells more; `skein help exit-codes` too.")
    .exitOverride();
  const wanted = commandNames(argv);
  for (const [heading, entries] of Object.entries(tree)) {
    for (const { name, summary, load } of entries) {
      const command = program.command(name).summary(summary).helpGroup(heading);
      command.helpCommand(false);
      if (wanted.has(name)) (await load())(command, cli);
    }
  }
  if (wanted.has("__complete")) {
    const { defineComplete } = await import("./commands/completion.ts");
    const complete = program.command("__complete", { hidden: true }).helpCommand(false);
    defineComplete(complete, cli, (words) => buildProgram(words, cli));
  }
  if (wanted.size === 0) {
    program.action(async (options: { readonly version?: boolean }) => {
      if (!options.version) return program.outputHelp();
      const { showVersion } = await import("./commands/version.ts");
      await showVersion(cli, {});
    });
  }
  return program;
}

/** The command that is called, and for `help` the one that is asked about. */
function commandNames(argv: readonly string[]): ReadonlySet<string> {
  const [first, second] = argv.filter((arg) => !arg.startsWith("-"));
  return new Set(
    [first, first === "help" ? second : undefined].filter((name) => name !== undefined),
  );
}

/** Help that was asked for is no failure; a command line that was not understood is. */
function commanderExit({ code }: CommanderError): number {
  return code === "commander.helpDisplayed" || code === "commander.version"
    ? exitCodes.ok
    : exitCodes.usage;
}

function commanderError(text: string, style: Style): string {
  const [first = "", ...more] = text.trim().split("\n");
  const what = first.replace(/^error: /, "");
  const suggestion = more.map((line) => line.replace(/^\((.*)\)$/, "$1")).join(" ");
  const fix = suggestion === "" ? "See --help." : suggestion;
  return `${style.red("error:")} ${style.bold(what)}\n  ${style.dim("fix")}  ${fix}\n`;
}
