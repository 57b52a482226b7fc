// The way of a result: short ones in rows, up to 64 KiB through the pipe, larger ones as files (W11).

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../protocol/limits.ts";
import { endReasons } from "../../protocol/model.ts";
import type { Attempt, Runner } from "./slot-runner.ts";
import { errorText, toTaskError } from "./task-errors.ts";
import { pipeBytesMax } from "./wire.ts";

/** A slot is started in its own folder; user code may change directory later. */
export const slotFolder = process.cwd();

/** Ends an attempt with a result that is JSON already. */
export function endWithText(runner: Runner, attempt: Attempt, text: string): void {
  if (text.length * 3 <= limits.inlineBytesMax) return runner.end(attempt, 0, text);
  const size = Buffer.byteLength(text);
  if (size <= limits.inlineBytesMax) return runner.end(attempt, 0, text);
  if (size > limits.payloadBytesMax) return endTooLarge(runner, attempt, `${size} bytes`);
  if (size <= pipeBytesMax) return runner.endWithValue(attempt, { bytes: Buffer.from(text) });
  const file = join(slotFolder, `result-${attempt.seq}`);
  try {
    writeFileSync(file, text);
  } catch (error) {
    const problem = new Error(`the result could not be written to ${file}`, { cause: error });
    return runner.end(attempt, endReasons.error.code, errorText(toTaskError(problem)));
  }
  runner.endWithValue(attempt, { file });
}

export function endTooLarge(runner: Runner, attempt: Attempt, size: string): void {
  const most = Math.floor(limits.payloadBytesMax / 1_048_576);
  const message = `the result has ${size}, more than the ${most} MiB allowed: split the task`;
  runner.end(attempt, endReasons.tooLarge.code, errorText({ name: "ResultTooLarge", message }));
}

/** JSON; throws a TypeError that says what it is when it is none, rather than losing it silently (P8). */
export function serialise(result: unknown): string {
  if (result instanceof Map || result instanceof Set) {
    throw new TypeError(`it is a ${result.constructor.name}, which JSON would make empty`);
  }
  const text = JSON.stringify(result) as string | undefined;
  if (text === undefined) throw new TypeError(`it is a ${typeof result}`);
  return text;
}
