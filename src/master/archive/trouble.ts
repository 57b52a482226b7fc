// What can be wrong with the files that a master keeps for itself: archive, history, snapshots. The
// message says what happened, why that matters and what to do.

import { SkeinError } from "../../protocol/errors.ts";

export type TroubleKind =
  /** Bytes are not what was written. */
  | "corrupt"
  /** The files belong to another journal, or to another program. */
  | "foreign"
  /** A newer version of Skein wrote them. */
  | "version"
  /** Another process has them open. */
  | "in_use"
  /** No space is left; it goes on by itself once there is some. */
  | "full"
  /** The disk, or the thread that writes, failed: open it again and replay the journal. */
  | "failed"
  /** It was closed by us. */
  | "closed"
  /** What was asked for was pruned away, or never was here. */
  | "gone";

export interface TroubleReason {
  readonly what: string;
  readonly why: string;
  readonly todo: string;
  readonly cause?: unknown;
}

export class StoreTrouble extends SkeinError {
  readonly trouble: TroubleKind;
  readonly reason: TroubleReason;

  constructor(trouble: TroubleKind, reason: TroubleReason) {
    const { what, why, todo, cause } = reason;
    super(codes[trouble], `${what}: ${why}`, {
      hint: `${todo}.`,
      ...(cause === undefined ? {} : { cause }),
    });
    this.trouble = trouble;
    this.reason = reason;
  }
}

const codes = {
  corrupt: "data_unusable",
  foreign: "data_unusable",
  version: "data_unusable",
  in_use: "data_unusable",
  full: "journal_full",
  failed: "internal",
  closed: "internal",
  gone: "not_found",
} as const satisfies Record<TroubleKind, string>;

/** A trouble as plain data, to cross a thread. */
export interface PlainTrouble extends TroubleReason {
  readonly trouble: TroubleKind;
}

export function plainTrouble({ trouble, reason }: StoreTrouble): PlainTrouble {
  return { trouble, what: reason.what, why: reason.why, todo: reason.todo };
}

export function fromPlain({ trouble, ...reason }: PlainTrouble): StoreTrouble {
  return new StoreTrouble(trouble, reason);
}

export function describeCause(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

const full = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What the file system said, in our words. */
export function diskTrouble(cause: unknown, what: string): StoreTrouble {
  if (cause instanceof StoreTrouble) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = describeCause(cause);
  return full.has(code)
    ? new StoreTrouble("full", { what, why, todo: "Free space on this master's disk", cause })
    : new StoreTrouble("failed", { what, why, todo: "Check this master's disk", cause });
}
