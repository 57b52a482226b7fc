// Runs a task's function: load and setup once, then input → run → result for every attempt. The way from
// `perform` to `succeed` has no promise in it when setup is done and `run` returns a plain value (R2).

import { endReasons } from "../../protocol/model.ts";
import { phase } from "./rows.ts";
import { SetupContext, TaskContext } from "./slot-context.ts";
import {
  loadTask,
  ModuleProblem,
  type InputIssue,
  type TaskDefinition,
  type Validated,
} from "./slot-module.ts";
import { traceAttempt } from "./slot-trace.ts";
import { endTooLarge, endWithText, serialise } from "./slot-result.ts";
import type { Attempt, Performer, Runner } from "./slot-runner.ts";
import { errorText, isFinalError, toTaskError } from "./task-errors.ts";
import type { SlotJob } from "./wire.ts";

interface Prepared {
  readonly task: TaskDefinition;
  readonly setup: unknown;
}

export class FunctionPerformer implements Performer {
  readonly #job: SlotJob;
  readonly #file: string;
  readonly #runner: Runner;
  readonly #prepared: Map<string, Prepared>;
  #ready: Prepared | undefined;

  /** `prepared` outlives the job: setup runs once per slot and bundle, for each task of it. */
  constructor(job: SlotJob, file: string, runner: Runner, prepared: Map<string, Prepared>) {
    this.#job = job;
    this.#file = file;
    this.#runner = runner;
    this.#prepared = prepared;
    this.#ready = prepared.get(job.name);
  }

  perform(attempt: Attempt): void {
    attempt.trace = traceAttempt(this.#job, attempt);
    if (this.#ready) this.#run(this.#ready, attempt);
    else void this.#prepare(attempt);
  }

  /** Never rejects: whatever goes wrong is the end of the attempt. */
  async #prepare(attempt: Attempt): Promise<void> {
    const runner = this.#runner;
    let task: TaskDefinition;
    runner.enter(phase.load);
    runner.outbox.send({ kind: "loading", on: true });
    try {
      task = await loadTask(this.#file, this.#job.name);
    } catch (error) {
      const inside = error instanceof ModuleProblem && error.insideTask;
      const reason = inside ? endReasons.insideTask : endReasons.load;
      return runner.end(attempt, reason.code, errorText(toTaskError(error)));
    } finally {
      runner.outbox.send({ kind: "loading", on: false });
    }
    runner.enter(phase.setup);
    try {
      const setup = await task.setup?.(new SetupContext(this.#job));
      this.#ready = { task, setup };
    } catch (error) {
      return this.#fail(attempt, error);
    }
    this.#prepared.set(this.#job.name, this.#ready);
    if (runner.endsUnstarted(attempt)) return;
    runner.begin(attempt);
    this.#run(this.#ready, attempt);
  }

  #run(ready: Prepared, attempt: Attempt): void {
    let input: unknown;
    try {
      input = JSON.parse(attempt.input);
    } catch (error) {
      return this.#refuse(attempt, `the input is not JSON: ${(error as Error).message}`);
    }
    try {
      const validated = ready.task.input?.["~standard"].validate(input);
      if (validated === undefined) return this.#call(ready, attempt, input);
      if (!isThenable(validated))
        return this.#callValidated(ready, attempt, validated as Validated);
      validated.then(
        (value) => this.#callValidated(ready, attempt, value as Validated),
        (error: unknown) => this.#fail(attempt, error),
      );
    } catch (error) {
      this.#fail(attempt, error);
    }
  }

  #callValidated(ready: Prepared, attempt: Attempt, validated: Validated): void {
    if (this.#runner.endsUnstarted(attempt)) return;
    if (validated.issues) this.#refuse(attempt, issuesText(validated.issues));
    else this.#call(ready, attempt, validated.value);
  }

  #call(ready: Prepared, attempt: Attempt, input: unknown): void {
    const context = new TaskContext(this.#job, attempt, this.#runner, ready.setup);
    let result: unknown;
    try {
      const { trace } = attempt;
      result = trace
        ? trace.run(() => ready.task.run?.(input, context))
        : ready.task.run?.(input, context);
    } catch (error) {
      return this.#fail(attempt, error);
    }
    if (!isThenable(result)) return this.#succeed(attempt, result);
    result.then(
      (value) => this.#succeed(attempt, value),
      (error: unknown) => this.#fail(attempt, error),
    );
  }

  #succeed(attempt: Attempt, result: unknown): void {
    const runner = this.#runner;
    let text: string | undefined;
    try {
      text = result === undefined ? "null" : serialise(result);
    } catch (error) {
      return this.#refuseResult(attempt, error);
    }
    endWithText(runner, attempt, text);
  }

  #fail(attempt: Attempt, error: unknown): void {
    const final = isFinalError(error, this.#job.finalErrors);
    const reason = final ? endReasons.finalError : endReasons.error;
    this.#runner.end(attempt, reason.code, errorText(toTaskError(error)));
  }

  #refuse(attempt: Attempt, message: string): void {
    const error = { name: "BadInput", message };
    this.#runner.end(attempt, endReasons.badInput.code, errorText(error));
  }

  #refuseResult(attempt: Attempt, error: unknown): void {
    // V8 has no strings beyond 512 MiB, and says so by this error.
    if (error instanceof RangeError && error.message === "Invalid string length") {
      return endTooLarge(this.#runner, attempt, "more than 512 MiB");
    }
    const why = error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : String(error);
    const message = `the result cannot be written as JSON: ${why}. Return plain values`;
    const text = errorText({ name: "BadResult", message });
    this.#runner.end(attempt, endReasons.badResult.code, text);
  }
}

export type PreparedTasks = Map<string, Prepared>;

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

function issuesText(issues: readonly InputIssue[]): string {
  const shown = issues.slice(0, 10).map(({ message, path }) => {
    const at = (path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
    return at.length === 0 ? message : `${at.join(".")}: ${message}`;
  });
  const more = issues.length > shown.length ? ` (and ${issues.length - shown.length} more)` : "";
  return `the input was refused by the task's schema: ${shown.join("; ")}${more}`;
}
