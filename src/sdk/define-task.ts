// Task definitions: plain objects with a mark, so that a slot finds them among a module's exports whatever
// copy of this file made them. This file ends up in every bundle: it imports little.

import { SkeinError } from "../protocol/errors.ts";
import { namePattern } from "../protocol/ids.ts";
import type { CommandResult } from "../protocol/model.ts";
import type { SchemaInput, SchemaOutput, StandardSchemaV1 } from "./standard-schema.ts";
import type { SetupContext, TaskContext } from "./task-context.ts";
import type { Duration, Size } from "./units.ts";

/** Marks a task definition; slots look for it. */
export const taskMark: unique symbol = Symbol.for("skein.task");
const moduleMark: unique symbol = Symbol.for("skein.task.module");

/** What one attempt occupies on its worker, and which workers will do. */
export interface TaskNeeds {
  /** Cores; 1 unless set. Fractions are fine: 0.5. */
  readonly cpu?: number;
  /** "512MiB", "2GiB", or a number of MiB. */
  readonly memory?: Size | number;
  readonly gpu?: number;
  /** Amounts of your own naming that workers offer: { license: 1 }. */
  readonly custom?: Readonly<Record<string, number>>;
  readonly labels?: {
    /** The worker must have these. */
    readonly required?: Readonly<Record<string, string>>;
    /** The worker had better have these. */
    readonly preferred?: Readonly<Record<string, string>>;
  };
}

export interface TaskTimeouts {
  /** From ready to started. */
  readonly queued?: Duration;
  /** One attempt's run. */
  readonly run?: Duration;
  /** Without output, progress or end. */
  readonly silence?: Duration;
}

export interface TaskRetry {
  /** Attempts in all; 1, the default, means no retry. The loss of a worker never counts. */
  readonly attempts?: number;
  /** Before the second attempt; doubles with each. "1s" unless set. */
  readonly backoff?: Duration;
  /** "1m" unless set. */
  readonly backoffMax?: Duration;
  /** Names of errors that are never retried. */
  readonly finalErrors?: readonly string[];
}

/** How a task is to be treated; each of these can be set anew at a submit. */
export interface TaskPolicy {
  readonly needs?: TaskNeeds | undefined;
  readonly timeouts?: TaskTimeouts | undefined;
  readonly retry?: TaskRetry | undefined;
  /** At most `limit` attempts with this key run at once, over all jobs that use it. */
  readonly concurrency?: { readonly key: string; readonly limit: number } | undefined;
  /** When a task fails for good: go on with the others (default), or cancel them. */
  readonly onFailure?: "continue" | "stop" | undefined;
  /** Only the latest attempt's outcome counts. */
  readonly fenced?: boolean | undefined;
}

export interface TaskOptions<Input, Output, Setup> extends TaskPolicy {
  /** Letters, digits and _ . : @ # -; unique within its module. */
  readonly name: string;
  /** Once per slot and bundle, before the first run; its value is `ctx.setup`. */
  readonly setup?: (ctx: SetupContext) => Setup | Promise<Setup>;
  readonly run: (input: Input, ctx: TaskContext<Setup>) => Output | Promise<Output>;
  /** `import.meta.url` of the module that exports the task, where it cannot be found by itself. */
  readonly module?: string | undefined;
}

declare const inputType: unique symbol;
declare const outputType: unique symbol;

/**
 * Made by `defineTask` and `defineCommand`; taken by `submit`, `map` and `run`. `Input` is what a submit
 * takes, `Output` what the result is.
 */
export interface Task<in Input, out Output> {
  readonly [taskMark]: true;
  readonly kind: "function" | "command";
  readonly name: string;
  readonly policy: TaskPolicy;
  readonly input?: StandardSchemaV1 | undefined;
  /** Functions only. Slots call these, with what the schema made of the input. */
  readonly run?: ((input: never, ctx: never) => unknown) | undefined;
  readonly setup?: ((ctx: never) => unknown) | undefined;
  /** Commands only. */
  readonly command?: Command | undefined;
  /** Types only; never set. */
  readonly [inputType]?: (input: Input) => void;
  readonly [outputType]?: Output;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: "none" | "input";
}

/**
 * Defines a task: a function that runs on a worker. Export it from its module; the module is bundled and
 * shipped by itself. Inputs and results travel as JSON.
 *
 * @example
 * export const shade = defineTask({
 *   name: "shade",
 *   input: z.object({ frame: z.number() }),
 *   needs: { cpu: 1, memory: "512MiB" },
 *   timeouts: { run: "10m" },
 *   retry: { attempts: 3 },
 *   run: async ({ frame }, ctx) => render(frame, ctx.signal),
 * });
 * @throws SkeinError `invalid` when the name is not one.
 */
export function defineTask<Schema extends StandardSchemaV1, Output, Setup = undefined>(
  options: TaskOptions<SchemaOutput<Schema>, Output, Setup> & { readonly input: Schema },
): Task<SchemaInput<Schema>, Output>;
export function defineTask<Input, Output, Setup = undefined>(
  options: TaskOptions<Input, Output, Setup> & { readonly input?: undefined },
): Task<Input, Output>;
export function defineTask(
  options: TaskOptions<never, unknown, never> & { readonly input?: StandardSchemaV1 | undefined },
): Task<never, unknown> {
  const { name, input, run, setup, module, ...policy } = options;
  const task: Task<never, unknown> = {
    [taskMark]: true,
    kind: "function",
    name: checkName(name),
    policy,
    input,
    run,
    setup,
  };
  return withModule(task, module ?? callerUrl(defineTask));
}

export interface CommandOptions<Input> extends TaskPolicy {
  readonly name: string;
  /** The program and its arguments; "{}" in one is replaced by the input. No shell is involved. */
  readonly argv: readonly [string, ...string[]];
  /** Added to a clean environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** "input": the command reads the input as a line of JSON. */
  readonly stdin?: "none" | "input" | undefined;
  readonly input?: StandardSchemaV1<Input> | undefined;
}

/**
 * Defines a task that runs a command. Its result is its exit, the tail of its output, and the files it
 * left in `$SKEIN_OUT`.
 *
 * @example
 * const thumb = defineCommand<string>({
 *   name: "thumb",
 *   argv: ["convert", "{}", "-resize", "128x128", "thumb.png"],
 * });
 */
export function defineCommand<Input = unknown>(
  options: CommandOptions<Input>,
): Task<Input, CommandResult> {
  const { name, argv, env = {}, stdin = "none", input, ...policy } = options;
  const command = { argv, env, stdin };
  return { [taskMark]: true, kind: "command", name: checkName(name), policy, input, command };
}

/** Whether a value is a task definition, of this copy of Skein or another. */
export function isTask(value: unknown): value is Task<never, unknown> {
  return typeof value === "object" && value !== null && Reflect.get(value, taskMark) === true;
}

/** The URL of the module that defines a task, if it is known. */
export function moduleOf(task: Task<never, unknown>): string | undefined {
  const module: unknown = Reflect.get(task, moduleMark);
  return typeof module === "string" ? module : undefined;
}

/** The same task, said to come from `module`. Not enumerable: it is no part of the definition. */
export function withModule<T extends object>(task: T, module: string | undefined): T {
  return Object.defineProperty(task, moduleMark, { value: module, configurable: true });
}

function checkName(name: string): string {
  if (typeof name === "string" && namePattern.test(name)) return name;
  throw new SkeinError("invalid", `${JSON.stringify(name)} is no name for a task.`, {
    hint: "Use letters, digits and _ . : @ # -, at most 128, beginning with a letter or digit.",
  });
}

/** The file that called `callee`, as a URL: from the call stack, since no caller passes it. */
function callerUrl(callee: (options: never) => unknown): string | undefined {
  // Put back as it was, never called here.
  // oxlint-disable-next-line typescript/unbound-method
  const before = Error.prepareStackTrace;
  try {
    const holder: { stack?: unknown } = {};
    Error.prepareStackTrace = (_, sites) => sites;
    Error.captureStackTrace(holder, callee);
    const sites = holder.stack as readonly NodeJS.CallSite[];
    const file = sites[0]?.getFileName() ?? undefined;
    // Loaders add a query to tell versions of a file apart.
    return file?.replace(/[?#].*$/, "");
  } catch {
    // Another engine, or somebody's frozen Error: `module` or a clear message at the submit must do.
    return undefined;
  } finally {
    Error.prepareStackTrace = before;
  }
}
