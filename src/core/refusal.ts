// What a decision answers: that it is in the batch, or why not.

import type { ErrorCode } from "../protocol/errors.ts";

export type Answer<T = object> = ({ readonly ok: true } & T) | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly retryAfter?: number;
  /** Address of the master that leads, where the answer is to ask that one. */
  readonly leader?: string;
}

export function refuse(
  code: ErrorCode,
  message: string,
  more: Omit<Partial<Refusal>, "ok" | "code" | "message"> = {},
): Refusal {
  return { ok: false, code, message, ...more };
}
