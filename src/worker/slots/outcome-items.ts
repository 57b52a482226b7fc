// Makes outcomes of what a slot says: applies verdicts, and stores what is too large to travel inline.

import { rm } from "node:fs/promises";
import { delay } from "../../lib/abort.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { Log } from "../../lib/log.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import {
  endReason,
  endReasons,
  type CommandResult,
  type StoredPayload,
  type TaskError,
} from "../../protocol/model.ts";
import { encodeStored, storedBit, type OutcomeItem } from "../../protocol/outcome-block.ts";
import type { Entry } from "./attempt-queue.ts";
import type { Row } from "./rows.ts";
import type { ForgetResults, StoreResult, StoreSource } from "./slot-support.ts";
import { errorBytes, toTaskError } from "./task-errors.ts";
import type { SlotOutputs, SlotValue } from "./wire.ts";

const storeTriesMax = 5;

export function outcomeItem(
  { given, logBytes }: Entry,
  code: number,
  micros: number,
  value: Uint8Array,
): OutcomeItem {
  return { task: given.task, attempt: given.attempt, code, micros, logBytes, value };
}

export function errorItem(entry: Entry, code: number, error: TaskError, micros = 0): OutcomeItem {
  return outcomeItem(entry, code, micros, errorBytes(error));
}

/** A verdict goes over what the process said, except over a success that a mere cancel came too late for. */
export function rowItem(entry: Entry, row: Row): OutcomeItem {
  const { verdict } = entry;
  if (!verdict || row.code === verdict.code || (row.code === 0 && !verdict.overSuccess)) {
    return outcomeItem(entry, row.code, row.micros, row.value);
  }
  return errorItem(entry, verdict.code, verdictError(entry, row), row.micros);
}

/** What the verdict says; how a command ended and its last output stay. */
function verdictError({ verdict }: Entry, row: Row): TaskError {
  const said = row.code === 0 ? {} : readError(row.value);
  return {
    name: endReason(verdict?.code ?? 0).name,
    message: verdict?.reason ?? "",
    ...(said.tail === undefined ? {} : { tail: said.tail }),
    ...(said.signal === undefined ? {} : { signal: said.signal }),
    ...(said.exitCode === undefined ? {} : { exitCode: said.exitCode }),
  };
}

function readError(value: Uint8Array): Partial<TaskError> {
  return JSON.parse(Buffer.from(value).toString("utf8")) as Partial<TaskError>;
}

export interface StoreContext {
  readonly storeResult: StoreResult;
  readonly forgetResults: ForgetResults;
  readonly log: Log;
  /** The worker ends now: what is not stored by then was done for nothing, and is done again elsewhere. */
  readonly isForced: () => boolean;
}

/** Stores a large result. Never rejects: what cannot be stored is a failed outcome. */
export async function storedItem(
  entry: Entry,
  { value, micros }: SlotValue,
  context: StoreContext,
): Promise<OutcomeItem> {
  try {
    const stored = await store(value, "json", context);
    return outcomeItem(entry, storedBit, micros, encodeStored(stored));
  } catch (error) {
    return notStored(entry, error, micros, context);
  } finally {
    if ("file" in value) await rm(value.file, { force: true });
  }
}

/** Stores what a command left in $SKEIN_OUT. Never rejects. */
export async function outputsItem(
  entry: Entry,
  { files, folder, stdout, micros }: SlotOutputs,
  context: StoreContext,
): Promise<OutcomeItem> {
  const payloads: string[] = [];
  try {
    const outputs: Record<string, StoredPayload> = Object.create(null) as typeof outputs;
    for (const { name, file } of files) {
      const output = await store({ file }, "bytes", context);
      outputs[name] = output;
      payloads.push(output.hash);
    }
    const result: CommandResult = { exitCode: 0, stdout, outputs };
    const bytes = Buffer.from(JSON.stringify(result));
    if (bytes.length <= limits.inlineBytesMax) {
      return { ...outcomeItem(entry, 0, micros, bytes), payloads };
    }
    const stored = await store({ bytes }, "json", context);
    return { ...outcomeItem(entry, storedBit, micros, encodeStored(stored)), payloads };
  } catch (error) {
    context.forgetResults(payloads);
    return notStored(entry, error, micros, context);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function store(
  source: StoreSource,
  encoding: "json" | "bytes",
  { storeResult, log, isForced }: StoreContext,
): Promise<StoredPayload> {
  for (let tries = 0; ; tries++) {
    try {
      const { hash, size } = await storeResult(source, encoding);
      return { hash, size, encoding };
    } catch (error) {
      // Hours of work may hang on a disk that is full for a moment.
      if (tries + 1 >= storeTriesMax || isTooLarge(error) || isForced()) throw error;
      log.warn("a result could not be stored; trying again", { error });
      await delay(backoffMs(tries, { firstMs: 500, maxMs: 10_000 }));
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof SkeinError && error.code === "too_large";
}

function notStored(
  entry: Entry,
  error: unknown,
  micros: number,
  { isForced }: StoreContext,
): OutcomeItem {
  const why = toTaskError(error);
  if (isTooLarge(error)) return errorItem(entry, endReasons.tooLarge.code, why, micros);
  if (isForced()) {
    const message = "the worker was stopped before the result was stored";
    return errorItem(entry, endReasons.drained.code, { name: "drained", message }, micros);
  }
  const message = `the result could not be stored: ${why.message}. Look at the worker's disk and log`;
  return errorItem(entry, endReasons.error.code, { ...why, message }, micros);
}
