// What a worker and a slot say to each other over fd 3: frames of 4 bytes length (big endian) and one
// MessagePack array of messages. Attempts are known by a number that rises with every attempt a slot is
// given, so that neither side ever looks up a task. Bytes of inputs and outcomes travel as blocks (W11).

import type { Labels } from "../../protocol/model.ts";

// ── the worker says ──────────────────────────────────────────────────────────────────────

export type SlotCode =
  | { readonly kind: "function"; readonly file: string }
  | {
      readonly kind: "command";
      readonly argv: readonly string[];
      readonly env: Labels;
      readonly stdin: "none" | "input";
    };

/** Whose attempts follow. Sent before the first ones, and again when a warm slot changes jobs. */
export interface SlotJob {
  readonly kind: "job";
  readonly job: string;
  readonly name: string;
  readonly code: SlotCode;
  readonly labels: Labels;
  readonly finalErrors: readonly string[];
  readonly worker: string;
  /** W3C trace context of the job's submit, if it had one. */
  readonly traceparent?: string;
}

/** Attempts first … first + tasks.length - 1, to run in this order. */
export interface SlotGive {
  readonly kind: "give";
  readonly first: number;
  readonly tasks: readonly number[];
  readonly attempts: readonly number[];
  readonly fences: readonly number[];
  /** Lines of JSON, each ended by a newline, one per attempt. */
  readonly inputs: Uint8Array;
}

/** Take back up to `count` that have not started, the last first; answered by `dropped`. */
export interface SlotDrop {
  readonly kind: "drop";
  readonly count: number;
}

/** End one: a waiting one is answered by a row with `code`; of a running one the signal is aborted. */
export interface SlotAbort {
  readonly kind: "abort";
  readonly seq: number;
  readonly code: number;
  readonly reason: string;
  /** After this long a command's group is killed; a function's is killed by the worker. */
  readonly graceMs: number;
}

/** Nothing more comes: exit. */
export interface SlotStop {
  readonly kind: "stop";
}

export type ToSlot = SlotJob | SlotGive | SlotDrop | SlotAbort | SlotStop;

// ── a slot says ──────────────────────────────────────────────────────────────────────────

export interface SlotReady {
  readonly kind: "ready";
}

/** The module is being loaded, or is loaded: a death in between is the module's doing. */
export interface SlotLoading {
  readonly kind: "loading";
  readonly on: boolean;
}

/** From the slot's other thread, over fd 4: this attempt has been at it for so long (see slot-thread.ts). */
export interface SlotRunning {
  readonly kind: "running";
  readonly seq: number;
  readonly phase: number;
  readonly forMs: number;
}

/** Ends of attempts: see rows.ts. */
export interface SlotRows {
  readonly kind: "rows";
  readonly bytes: Uint8Array;
}

/** A result that is to be stored: over 64 KiB it lies in a file. */
export interface SlotValue {
  readonly kind: "value";
  readonly seq: number;
  readonly micros: number;
  readonly value: { readonly bytes: Uint8Array } | { readonly file: string };
}

/** A command has succeeded and left files. The worker stores them and removes `folder`. */
export interface SlotOutputs {
  readonly kind: "outputs";
  readonly seq: number;
  readonly micros: number;
  readonly stdout: string;
  readonly folder: string;
  readonly files: readonly { readonly name: string; readonly file: string }[];
}

/** Something was printed. */
export interface SlotLog {
  readonly kind: "log";
  readonly seq: number;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

export interface SlotProgress {
  readonly kind: "progress";
  readonly seq: number;
  readonly percent: number;
  readonly message?: string;
}

export interface SlotDropped {
  readonly kind: "dropped";
  readonly seqs: readonly number[];
}

/** The process group of the command that runs now; 0 when none does. */
export interface SlotGroup {
  readonly kind: "group";
  readonly pid: number;
}

/** The slot exits by itself: its state is not to be trusted any more. */
export interface SlotLeaving {
  readonly kind: "leaving";
  readonly reason: string;
}

export type FromSlot =
  | SlotReady
  | SlotLoading
  | SlotRunning
  | SlotRows
  | SlotValue
  | SlotOutputs
  | SlotLog
  | SlotProgress
  | SlotDropped
  | SlotGroup
  | SlotLeaving;

/** Results up to here travel through the pipe, larger ones as files (W11). */
export const pipeBytesMax = 64 * 1024;
