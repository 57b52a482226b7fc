// An outcome as JSON for people and programs without the SDK. Values are put in as the text they are.

import { endReason } from "../../protocol/model.ts";
import type { EndReason, StoredPayload, TaskError } from "../../protocol/model.ts";
import { decodeStored, storedBit } from "../../protocol/outcome-block.ts";
import type { OutcomeItem } from "../../protocol/outcome-block.ts";

export function reasonOf(code: number): EndReason {
  return endReason(code & ~storedBit);
}

/** What a stored value names; undefined for one that is inline. */
export function storedOf({ code, value }: Pick<OutcomeItem, "code" | "value">) {
  return (code & storedBit) === 0 ? undefined : (decodeStored(value) satisfies StoredPayload);
}

export function runMsOf({ micros }: Pick<OutcomeItem, "micros">): number {
  return micros / 1_000;
}

export function outcomeLine(item: OutcomeItem): string {
  const { state, name } = reasonOf(item.code);
  const head = { task: item.task, attempt: item.attempt, state, reason: name };
  const known = JSON.stringify({ ...head, runMs: runMsOf(item) }).slice(0, -1);
  const stored = storedOf(item);
  if (stored) return `${known},"stored":${JSON.stringify(stored)}}`;
  if (state !== "succeeded") return `${known},"error":${JSON.stringify(errorOf(item))}}`;
  return item.value.length === 0 ? `${known}}` : `${known},"value":${textOf(item.value)}}`;
}

/** The error of an outcome that is no success; its reason's words where it brought none. */
export function errorOf({ code, value }: Pick<OutcomeItem, "code" | "value">): TaskError {
  const error = value.length === 0 || (code & storedBit) !== 0 ? undefined : parsed(value);
  if (typeof error === "object" && error !== null && "message" in error) return error as TaskError;
  const { name, text } = reasonOf(code);
  return { name, message: text };
}

/** Values come from slots, which send JSON; one that is not is shown as the text it is. */
export function parsed(value: Uint8Array): unknown {
  const text = textOf(value);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function textOf(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8");
}
