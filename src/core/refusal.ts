// What a decision answers: that it is in the batch, or why not.

import type { ErrorCode } from "../protocol/errors.ts";

export type Answer<T = object> = ({ readonly ok: true } & T) | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly retryAfter?: number;
}

export function refuse(
  code: ErrorCode,
  message: string,
  more: { readonly hint?: string; readonly retryAfter?: number } = {},
): Refusal {
  return { ok: false, code, message, ...more };
}
