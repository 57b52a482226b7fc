// Outcomes on their way in: columns of a block become values, each parsed once, when somebody looks.

import { SkeinError } from "../protocol/errors.ts";
import { endReason } from "../protocol/model.ts";
import type { TaskError } from "../protocol/model.ts";
import { decodeOutcomes, decodeStored, storedBit } from "../protocol/outcome-block.ts";
import type { OutcomeColumns } from "../protocol/outcome-block.ts";

interface Ended {
  /** The task's number within its job, from 0. */
  readonly task: number;
  readonly attempt: number;
  /** Why it ended so: "succeeded", "error", "run_timeout", "upstream" … */
  readonly reason: string;
  /** Run time of the last attempt, in milliseconds; not whole. */
  readonly runMs: number;
}

/** How a task ended: recorded once, never changed. */
export type Outcome<Output> =
  | (Ended & { readonly state: "succeeded"; readonly value: Output })
  | (Ended & { readonly state: "failed" | "cancelled"; readonly error: TaskError });

/** Fetches a stored payload by its hash. */
export type Fetch = (hash: string) => Promise<Uint8Array>;

/** One block, read: values are parsed one by one. */
export class OutcomeBlock {
  readonly columns: OutcomeColumns;
  readonly #fetch: Fetch;
  /** All values as text, where each character is one byte; else they are decoded one by one. */
  readonly #text: string | undefined;

  constructor(block: Uint8Array, fetch: Fetch) {
    this.columns = decodeOutcomes(block);
    this.#fetch = fetch;
    const { bytes } = this.columns;
    const text = textOf(bytes);
    this.#text = text.length === bytes.length ? text : undefined;
  }

  /** A value that lies in the block, or a promise of one that is stored elsewhere. */
  value(i: number): unknown {
    const { offsets, bytes, codes } = this.columns;
    const from = offsets[i] ?? 0;
    const to = offsets[i + 1] ?? from;
    if ((codes[i] ?? 0) >= storedBit) return this.#stored(bytes.subarray(from, to));
    if (from === to) return undefined;
    const text = this.#text?.slice(from, to) ?? textOf(bytes.subarray(from, to));
    return JSON.parse(text);
  }

  succeeded(i: number): boolean {
    return ((this.columns.codes[i] ?? 0) & ~storedBit) === 0;
  }

  /** Whether a value of it lies elsewhere: then `outcome` gives a promise for that one. */
  get stored(): boolean {
    return this.columns.codes.some((code) => code >= storedBit);
  }

  /** One outcome, or a promise of it while its value is fetched. */
  outcome(i: number): Outcome<unknown> | Promise<Outcome<unknown>> {
    const value = this.value(i);
    return value instanceof Promise
      ? value.then((late: unknown) => this.#outcome(i, late))
      : this.#outcome(i, value);
  }

  #outcome(i: number, value: unknown): Outcome<unknown> {
    const { tasks, attempts, codes, micros } = this.columns;
    const reason = endReason((codes[i] ?? 0) & ~storedBit);
    const task = tasks[i] ?? 0;
    const attempt = attempts[i] ?? 0;
    const runMs = (micros[i] ?? 0) / 1_000;
    if (reason.state === "succeeded") {
      return { state: "succeeded", task, attempt, reason: reason.name, runMs, value };
    }
    const error = toTaskError(value) ?? { name: reason.name, message: reason.text };
    return { state: reason.state, task, attempt, reason: reason.name, runMs, error };
  }

  async #stored(value: Uint8Array): Promise<unknown> {
    const { hash, encoding } = decodeStored(value);
    const bytes = await this.#fetch(hash);
    return encoding === "json" ? JSON.parse(textOf(bytes)) : bytes;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function toTaskError(value: unknown): TaskError | undefined {
  if (typeof value !== "object" || value === null || !("message" in value)) return undefined;
  // Written by a slot or a master of ours.
  return value as TaskError;
}

/** The error a failed task is thrown as; its own error is the cause. */
export function taskFailed(
  job: string,
  outcome: Outcome<unknown>,
  failures = 1,
  tasks = 1,
): SkeinError {
  if (outcome.state === "succeeded") throw new TypeError("a task that succeeded has not failed");
  const { error, task, attempt, reason, state } = outcome;
  const cause = Object.assign(new Error(error.message), { name: error.name });
  if (error.stack !== undefined) cause.stack = error.stack;
  const others = failures > 1 ? `${failures} of ${tasks} tasks did not succeed; the first: ` : "";
  const said = reason === "error" || reason === "final_error" ? "" : ` (${reason})`;
  const message =
    `${others}task ${job}/${task} ${state}${said} in attempt ${attempt}: ` +
    `${error.name}: ${error.message}`;
  return new SkeinError("task_failed", message, {
    cause,
    hint: `skein why ${job}/${task} and skein logs ${job}/${task} tell more.`,
  });
}
