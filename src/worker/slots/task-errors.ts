// What a failed attempt carries as its value: a TaskError as JSON, never longer than the limit.

import { inspect } from "node:util";
import { limits } from "../../protocol/limits.ts";
import type { TaskError } from "../../protocol/model.ts";

export function errorText(error: TaskError): string {
  const text = JSON.stringify(error);
  if (text.length * 3 <= limits.errorBytesMax) return text;
  if (Buffer.byteLength(text) <= limits.errorBytesMax) return text;
  return cutText(error);
}

export function errorBytes(error: TaskError): Uint8Array {
  return Buffer.from(errorText(error));
}

/** Whatever was thrown, with its causes at the end of the stack. */
export function toTaskError(thrown: unknown): TaskError {
  if (!isErrorLike(thrown)) {
    return { name: "Error", message: `not an Error was thrown: ${shortInspect(thrown)}` };
  }
  const stack = stackOf(thrown);
  return {
    name: textOr(thrown.name, "Error"),
    message: textOr(thrown.message, ""),
    ...(stack === "" ? {} : { stack }),
  };
}

/** An error that no retry will change: declared so by its name, or by itself. */
export function isFinalError(thrown: unknown, finalErrors: readonly string[]): boolean {
  if (typeof thrown !== "object" || thrown === null) return false;
  const { name, final } = thrown as { name?: unknown; final?: unknown };
  return final === true || (typeof name === "string" && finalErrors.includes(name));
}

interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly stack?: unknown;
  readonly cause?: unknown;
}

function isErrorLike(thrown: unknown): thrown is ErrorLike {
  // Not instanceof: an error may come from another realm (node:vm).
  return typeof thrown === "object" && thrown !== null && "message" in thrown;
}

function stackOf(thrown: ErrorLike): string {
  let text = textOr(thrown.stack, "");
  let cause = thrown.cause;
  for (let depth = 0; depth < 5 && cause !== undefined && cause !== null; depth++) {
    const known: ErrorLike | undefined = isErrorLike(cause) ? cause : undefined;
    const why = known ? textOr(known.stack, textOr(known.message, "")) : shortInspect(cause);
    text += `\ncaused by: ${why}`;
    cause = known?.cause;
  }
  return asWritten(text);
}

/**
 * As the user knows the code: lines are named from the project's folder, not from where this worker keeps the
 * bundle, and frames of the slot, which tell the user nothing, are left out.
 */
function asWritten(stack: string): string {
  const lines = stack.split("\n").filter((line) => !ownFrame.test(line));
  return lines.map((line) => line.replace(bundleFolder, "")).join("\n");
}

const bundleFolder = /(?:file:\/\/)?\/[^\s()]*\/bundles\//;
const ownFrame = /^\s+at .*[\\/]worker[\\/]slots[\\/]slot-[a-z]+\.[jt]s/;

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

function shortInspect(value: unknown): string {
  return inspect(value, { depth: 2, breakLength: Infinity }).slice(0, 1_000);
}

/** The stack goes first, then the tail, then the end of the message. */
function cutText(error: TaskError): string {
  let cut: TaskError = { ...error, name: error.name.slice(0, 200), cut: true };
  for (const field of ["stack", "tail", "message"] as const) {
    const value = cut[field];
    if (value === undefined) continue;
    const excess = Buffer.byteLength(JSON.stringify(cut)) - limits.errorBytesMax;
    if (excess <= 0) break;
    cut = { ...cut, [field]: shortened(value, excess, field === "tail") };
  }
  return JSON.stringify(cut);
}

/** Shorter by so many bytes of JSON: of a tail the end is kept, of the rest the beginning. */
function shortened(text: string, excess: number, fromStart: boolean): string {
  let keep = text.length;
  const wanted = Math.max(0, jsonBytes(text) - excess);
  while (keep > 0 && jsonBytes(part(text, keep, fromStart)) > wanted) keep = Math.floor(keep * 0.9);
  return part(text, keep, fromStart);
}

function part(text: string, keep: number, fromStart: boolean): string {
  return fromStart ? text.slice(text.length - keep) : text.slice(0, keep);
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
