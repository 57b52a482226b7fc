// Finds a task in the bundle of user code. The SDK's `defineTask` marks what it returns with
// Symbol.for("skein.task"), so that a bundle with its own copy of the SDK is recognised as well.

import { pathToFileURL } from "node:url";

export const taskMark = Symbol.for("skein.task");

/**
 * Set on globalThis in every slot: how a bundled SDK knows where it runs. `loading` is true while a bundle's
 * top level runs: then connect() throws `inside_task` (K10).
 */
export const slotMark = Symbol.for("skein.slot");

export interface SlotMark {
  loading: boolean;
}

/** A schema of any library that follows https://standardschema.dev. */
export interface InputSchema {
  readonly "~standard": { validate(value: unknown): Validated | Promise<Validated> };
}

export type Validated =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly InputIssue[] };

export interface InputIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export interface TaskDefinition {
  readonly name: string;
  readonly input?: InputSchema;
  setup?(ctx: unknown): unknown;
  run?(input: unknown, ctx: unknown): unknown;
}

/** Why a task cannot be had from its module: `load_error` or `inside_task`. */
export class ModuleProblem extends Error {
  override readonly name = "LoadError";
  readonly insideTask: boolean;

  constructor(message: string, insideTask: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.insideTask = insideTask;
  }
}

const mark: SlotMark = { loading: false };
(globalThis as Record<symbol, unknown>)[slotMark] = mark;

export async function loadTask(file: string, name: string): Promise<TaskDefinition> {
  let exported: Record<string, unknown>;
  mark.loading = true;
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw loadProblem(file, error);
  } finally {
    mark.loading = false;
  }
  const tasks = tasksAmong(exported);
  const task = tasks.find((candidate) => candidate.name === name);
  if (!task) throw new ModuleProblem(missing(name, tasks), false);
  if (!task.run) {
    throw new ModuleProblem(`the task "${name}" has no run(input, ctx): give it one`, false);
  }
  return task;
}

function tasksAmong(exported: Record<string, unknown>): TaskDefinition[] {
  const values = Object.values(exported);
  // A CommonJS bundle has its exports under `default`.
  const inner = exported.default;
  if (typeof inner === "object" && inner !== null) values.push(...Object.values(inner));
  return values.filter(isTask);
}

function isTask(value: unknown): value is TaskDefinition {
  return typeof value === "object" && value !== null && taskMark in value && "name" in value;
}

function missing(name: string, tasks: readonly TaskDefinition[]): string {
  const others = tasks.map((task) => `"${task.name}"`).join(", ");
  return (
    `the module exports no task named "${name}" (${others === "" ? "it exports none" : `it exports ${others}`}): ` +
    "export it from the module that defines it"
  );
}

function loadProblem(file: string, error: unknown): ModuleProblem {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === "inside_task") return new ModuleProblem(String(message), true, error);
  const why = typeof message === "string" ? message : String(error);
  return new ModuleProblem(
    `the module ${file} could not be loaded: ${why}. Its top level runs in every slot: it must work there`,
    false,
    error,
  );
}
