// The one error of this layer: something is wrong with the journal that no retry can repair, so
// the master that met it must stop (J5). Everything that can be lived with is a value instead
// (`AppendResult`), so a caller needs no other `catch`.

export type HaltKind =
  /** An index that must exist is missing. */
  | "gap"
  /** A batch does not continue the one before it. */
  | "broken_chain"
  /** The batch or the file belongs to another journal. */
  | "foreign_journal"
  /** The journal is shorter than what was seen of it before. */
  | "head_went_back"
  /** Bytes are not what was written. */
  | "corrupt"
  /** A newer version wrote what this one cannot read (L11). */
  | "newer_version"
  /** The index was trimmed away; load a snapshot instead. */
  | "trimmed"
  /** The disk did not take or give bytes; what it holds now is unknown until it is reopened. */
  | "fsync_failed"
  /** The engine or the place cannot keep the promises of a journal. */
  | "preflight"
  /** The engine's own thread or connection died. */
  | "engine_failed";

export interface HaltReason {
  /** What happened, with the numbers. */
  readonly what: string;
  /** Why that is a reason to stop. */
  readonly why: string;
  /** What the person who reads this should do. */
  readonly todo: string;
  readonly cause?: unknown;
}

export class JournalHalt extends Error {
  override readonly name = "JournalHalt";
  readonly kind: HaltKind;

  constructor(kind: HaltKind, { what, why, todo, cause }: HaltReason) {
    super(`${what}: ${why}. ${todo}.`, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** Rebuilds a halt that crossed a thread, where only plain data survives. */
export function haltFromText(kind: HaltKind, message: string): JournalHalt {
  const halt = new JournalHalt(kind, { what: "", why: "", todo: "" });
  halt.message = message;
  return halt;
}
