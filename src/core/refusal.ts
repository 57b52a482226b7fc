// What a decision answers: that it is in the batch, or why not.

import type { ErrorCode } from "../protocol/errors.ts";

export type Answer<T = object> = ({ readonly ok: true } & T) | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly retryAfter?: number;
  /** Of `not_leading`: the address of the master that leads. */
  readonly leader?: string;
}

export function refuse(
  code: ErrorCode,
  message: string,
  more: Pick<Refusal, "hint" | "retryAfter" | "leader"> = {},
): Refusal {
  return { ok: false, code, message, ...more };
}
