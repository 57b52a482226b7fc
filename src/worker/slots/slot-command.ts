// Runs a command for each attempt (K11): in a fresh folder, with a clean environment, in a process group of
// its own, of which nobody outlives the attempt.
//
//   <slot>/a<seq>/work    where it starts      <slot>/a<seq>/out         $SKEIN_OUT
//   <slot>/a<seq>/tmp     $TMPDIR              <slot>/a<seq>/input.json  $SKEIN_INPUT

import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Readable, Writable } from "node:stream";
import { endReasons, type CommandResult, type EndReason } from "../../protocol/model.ts";
import { commandArguments, commandEnvironment } from "./command-environment.ts";
import { ProgressScanner, Tail } from "./command-output.ts";
import { cookieName, killGroup, killStrays, listPids } from "./process-tree.ts";
import { sendProgress } from "./slot-context.ts";
import type { Print } from "./slot-print.ts";
import { endWithText, slotFolder } from "./slot-result.ts";
import type { Attempt, Performer, Runner } from "./slot-runner.ts";
import { traceAttempt } from "./slot-trace.ts";
import { errorText } from "./task-errors.ts";
import type { SlotAbort, SlotCode, SlotJob } from "./wire.ts";

const tailBytes = 4 * 1_024;
const backlogMax = 1_024 * 1_024;
const outputsMax = 10_000;
/** Output of a stray that keeps the pipe open is not waited for longer than this. */
const closeMs = 500;

type Command = Extract<SlotCode, { kind: "command" }>;
type Child = ChildProcessByStdio<Writable | null, Readable, Readable>;

export interface CommandOptions {
  readonly print: Print;
  /** Tells the slot's other thread and the worker which group runs; 0 for none. */
  readonly onGroup: (group: number) => void;
  /** This slot can run nothing more: what it was given goes back, and nobody's attempt is to blame. */
  readonly onBroken: (reason: string) => void;
}

export class CommandPerformer implements Performer {
  readonly #job: SlotJob;
  readonly #code: Command;
  readonly #runner: Runner;
  readonly #options: CommandOptions;

  constructor(job: SlotJob, code: Command, runner: Runner, options: CommandOptions) {
    this.#job = job;
    this.#code = code;
    this.#runner = runner;
    this.#options = options;
  }

  perform(attempt: Attempt): void {
    const folder = join(slotFolder, `a${attempt.seq}`);
    attempt.trace = traceAttempt(this.#job, attempt);
    const run = new CommandRun(this.#runner, attempt, { folder, ...this.#options });
    try {
      for (const name of ["work", "out", "tmp"]) mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, "input.json"), `${attempt.input}\n`);
    } catch (error) {
      // A full disk is this worker's trouble: elsewhere, or later, the command may well run.
      return this.#options.onBroken(`a command's folder could not be made: ${String(error)}`);
    }
    run.start(this.#job, this.#code);
  }
}

class CommandRun {
  readonly #runner: Runner;
  readonly #attempt: Attempt;
  readonly #folder: string;
  readonly #options: CommandOptions;
  readonly #before = new Set(listPids());
  readonly #tail = new Tail(tailBytes);
  readonly #stdout = new Tail(tailBytes);
  #killTimer: NodeJS.Timeout | undefined;
  #percent = 0;
  #ended = false;

  constructor(runner: Runner, attempt: Attempt, options: CommandOptions & { folder: string }) {
    this.#runner = runner;
    this.#attempt = attempt;
    this.#folder = options.folder;
    this.#options = options;
  }

  start(job: SlotJob, code: Command): void {
    const [program = "", ...args] = commandArguments(code.argv, this.#attempt.input);
    const stdin = code.stdin === "input" ? "pipe" : "ignore";
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        cwd: join(this.#folder, "work"),
        env: commandEnvironment(job.job, code.env, this.#attempt, this.#folder),
        detached: true,
        stdio: [stdin, "pipe", "pipe"],
      });
    } catch (error) {
      return this.#cannotStart(program, error as NodeJS.ErrnoException);
    }
    child.on("error", (error) => {
      if (child.pid === undefined) this.#cannotStart(program, error);
    });
    if (child.pid !== undefined) this.#watch(child as Child, child.pid);
  }

  #watch(child: Child, pid: number): void {
    this.#options.onGroup(pid);
    this.#attempt.onAbort = (abort) => this.#abort(pid, abort);
    const scanner = new ProgressScanner((line) => {
      this.#percent = line.percent ?? this.#percent;
      sendProgress(this.#runner, this.#percent, line.message);
    });
    child.stdout.on("data", (chunk: Buffer) => {
      this.#printed(child.stdout, "stdout", chunk);
      this.#stdout.push(chunk);
      scanner.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => this.#printed(child.stderr, "stderr", chunk));
    // It need not read what it is given.
    child.stdin?.on("error", () => {});
    child.stdin?.end(`${this.#attempt.input}\n`);
    child.on("exit", () => {
      this.#killRest(pid);
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, closeMs).unref();
    });
    child.on("close", (exitCode, signal) => this.#closed(exitCode, signal));
  }

  #printed(from: Readable, stream: "stdout" | "stderr", chunk: Uint8Array): void {
    this.#options.print(stream, chunk);
    this.#tail.push(chunk);
    if (this.#runner.outbox.backlog < backlogMax) return;
    from.pause();
    this.#runner.outbox.onceDrained(() => from.resume());
  }

  #abort(pid: number, { graceMs }: SlotAbort): void {
    killGroup(pid, "SIGTERM");
    this.#killTimer = setTimeout(() => killGroup(pid), graceMs);
  }

  /** Nobody outlives the attempt: neither in the group, nor a daemon that left it. */
  #killRest(pid: number): void {
    killGroup(pid);
    const cookie = process.env[cookieName];
    if (cookie !== undefined) killStrays(cookie, this.#before);
  }

  #closed(exitCode: number | null, signal: NodeJS.Signals | null): void {
    clearTimeout(this.#killTimer);
    this.#options.onGroup(0);
    if (this.#ended) return;
    if (exitCode === 0) return this.#succeed();
    const end = exitCode === null ? { signal: signal ?? "unknown" } : { exitCode };
    const message = exitCode === null ? `killed by ${signal}` : `exit code ${exitCode}`;
    this.fail(endReasons.exit, message, { ...end, tail: this.#tail.toString() });
  }

  #succeed(): void {
    const stdout = this.#stdout.toString();
    let files: { name: string; file: string }[];
    try {
      files = outputFiles(join(this.#folder, "out"));
    } catch (error) {
      return this.fail(endReasons.badResult, (error as Error).message);
    }
    this.#ended = true;
    if (files.length > 0) {
      return this.#runner.endWithOutputs(this.#attempt, { stdout, folder: this.#folder, files });
    }
    this.#removeFolder();
    const result: CommandResult = { exitCode: 0, stdout, outputs: {} };
    endWithText(this.#runner, this.#attempt, JSON.stringify(result));
  }

  #cannotStart(program: string, error: NodeJS.ErrnoException): void {
    if (error.code === "E2BIG" || error.code === "ERR_INVALID_ARG_VALUE") {
      const hint = "Let the command read $SKEIN_INPUT or stdin instead of {}";
      return this.fail(
        endReasons.badInput,
        `the input cannot be an argument: ${error.message}. ${hint}`,
      );
    }
    if (error.code === "EAGAIN" || error.code === "ENOMEM") {
      return this.fail(
        endReasons.crashed,
        `the machine can start no more processes: ${error.message}`,
      );
    }
    const why = error.code === "ENOENT" ? "there is no such program" : error.message;
    const hint = `Install it on this worker, or name it by its path (PATH is ${process.env.PATH})`;
    this.fail(endReasons.load, `the command "${program}" could not be started: ${why}. ${hint}`);
  }

  fail(reason: EndReason, message: string, more: object = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#removeFolder();
    const text = errorText({ name: "CommandFailed", message, ...more });
    this.#runner.end(this.#attempt, reason.code, text);
  }

  #removeFolder(): void {
    // What cannot be removed now goes with the slot's folder.
    rm(this.#folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Regular files only: a link could name anything on the machine. */
function outputFiles(folder: string): { name: string; file: string }[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ name: relative(folder, file), file }));
  if (files.length > outputsMax) {
    throw new RangeError(
      `it left ${files.length} files in $SKEIN_OUT, at most ${outputsMax} are taken: pack them`,
    );
  }
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
