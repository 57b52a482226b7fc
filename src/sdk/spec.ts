// From a definition and a submit's options to what travels: defaults are left out, the master fills them.

import { SkeinError } from "../protocol/errors.ts";
import type { JobSpecInput } from "../protocol/job-spec.ts";
import type { Task, TaskNeeds, TaskPolicy } from "./define-task.ts";
import { parseDuration, parseMemoryMiB } from "./units.ts";
import type { Duration } from "./units.ts";

/** Options of one submit. Those of the policy replace the definition's, field by field. */
export interface SubmitOptions extends TaskPolicy {
  /** "default" unless set. */
  readonly queue?: string | undefined;
  /** Higher goes first inside a queue; -1000 to 1000. */
  readonly priority?: number | undefined;
  /** Your own name for this submit: within 24 hours the same key and inputs give the same job. */
  readonly key?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The tasks wait at least this long. */
  readonly delay?: Duration | undefined;
  /** Jobs that must have succeeded first. Jobs whose outputs stand in the inputs are added by themselves. */
  readonly after?: readonly (string | { readonly id: string })[] | undefined;
  /** Aborting it cancels the job. */
  readonly signal?: AbortSignal | undefined;
}

export interface Dependency {
  readonly job: string;
  readonly mode: "all" | "each";
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type Code = JobSpecInput["code"];

/** All but `after`. Throws SkeinError `invalid` naming the field that is wrong. */
export function toSpec(
  task: Task<never, unknown>,
  code: Code,
  options: SubmitOptions,
): JobSpecInput {
  const { policy } = task;
  const spec: Mutable<JobSpecInput> = { task: task.name, code };
  const timeouts = { ...policy.timeouts, ...options.timeouts };
  const retry = { ...policy.retry, ...options.retry };
  const needs = { ...policy.needs, ...options.needs };
  const concurrency = options.concurrency ?? policy.concurrency;
  const onFailure = options.onFailure ?? policy.onFailure;
  const fenced = options.fenced ?? policy.fenced;
  if (options.queue !== undefined) spec.queue = options.queue;
  if (options.priority !== undefined) spec.priority = options.priority;
  if (options.labels !== undefined) spec.labels = options.labels;
  if (options.delay !== undefined) spec.delayMs = parseDuration(options.delay, "delay");
  if (isSet(needs)) spec.needs = toNeeds(needs);
  if (isSet(timeouts)) {
    spec.timeouts = defined({
      queuedMs: ms(timeouts.queued, "timeouts.queued"),
      runMs: ms(timeouts.run, "timeouts.run"),
      silenceMs: ms(timeouts.silence, "timeouts.silence"),
    });
  }
  if (isSet(retry)) {
    spec.retry = defined({
      attempts: retry.attempts,
      backoffMs: ms(retry.backoff, "retry.backoff"),
      backoffMaxMs: ms(retry.backoffMax, "retry.backoffMax"),
      finalErrors: retry.finalErrors && [...retry.finalErrors],
    });
  }
  if (concurrency !== undefined) spec.concurrency = concurrency;
  if (onFailure !== undefined) spec.onFailure = onFailure;
  if (fenced !== undefined) spec.fenced = fenced;
  return spec;
}

/** What the options name and what the inputs refer to, each job once. */
export function allDependencies(
  options: SubmitOptions,
  dependencies: readonly Dependency[],
): Dependency[] {
  const all = new Map<string, Dependency>();
  for (const job of options.after ?? []) {
    const id = typeof job === "string" ? job : job.id;
    all.set(id, { job: id, mode: "all" });
  }
  for (const dependency of dependencies) all.set(dependency.job, dependency);
  return [...all.values()];
}

const needNames = ["cpu", "memory", "gpu", "custom", "labels"];

/** Types are gone at run time: a need that is misspelt would let the task run anywhere. */
function checkNames(what: string, given: object, names: readonly string[]): void {
  const wrong = Object.keys(given).find((name) => !names.includes(name));
  if (wrong === undefined) return;
  const known = names.map((name) => `${what}.${name}`).join(", ");
  throw new SkeinError("invalid", `There is no ${what}.${wrong}.`, {
    hint: `Use one of ${known}.`,
  });
}

function toNeeds(needs: TaskNeeds): NonNullable<JobSpecInput["needs"]> {
  checkNames("needs", needs, needNames);
  checkNames("needs.labels", needs.labels ?? {}, ["required", "preferred"]);
  const amounts: Record<string, number> = { cpu: thousandths(needs.cpu ?? 1, "needs.cpu") };
  if (needs.memory !== undefined) {
    const mib = parseMemoryMiB(needs.memory, "needs.memory");
    amounts["memory"] = thousandths(mib, "needs.memory");
  }
  if (needs.gpu !== undefined) amounts["gpu"] = thousandths(needs.gpu, "needs.gpu");
  for (const [name, amount] of Object.entries(needs.custom ?? {})) {
    amounts[name] = thousandths(amount, `needs.custom.${name}`);
  }
  const { required, preferred } = needs.labels ?? {};
  return { amounts, ...(required && { required }), ...(preferred && { preferred }) };
}

/** Amounts travel as whole thousandths, rounded up: a task never gets less than it asked for. */
function thousandths(amount: number, what: string): number {
  if (Number.isFinite(amount) && amount >= 0) return Math.ceil(amount * 1_000 - 1e-6);
  throw new SkeinError("invalid", `${what}: ${String(amount)} is no amount.`, {
    hint: "Write a number that is not negative.",
  });
}

function ms(value: Duration | undefined, what: string): number | undefined {
  return value === undefined ? undefined : parseDuration(value, what);
}

function isSet(fields: object): boolean {
  return Object.values(fields).some((value) => value !== undefined);
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  // Object.fromEntries forgets which keys it was given.
  return Object.fromEntries(set) as Defined<T>;
}
