// Outcomes that the worker itself makes: of attempts that never reached a slot, or whose slot is
// gone.

import { endReason, type TaskError } from "../protocol/model.ts";
import type { OutcomeItem } from "../protocol/outcome-block.ts";

export interface AttemptKey {
  readonly task: number;
  readonly attempt: number;
}

/** The end of an attempt with no result: `message` says more than its reason's own text. */
export function endItem(
  { task, attempt }: AttemptKey,
  code: number,
  message?: string,
): OutcomeItem {
  const reason = endReason(code);
  const error: TaskError = { name: reason.name, message: message ?? reason.text };
  const value = new TextEncoder().encode(JSON.stringify(error));
  return { task, attempt, code, micros: 0, logBytes: 0, value };
}
