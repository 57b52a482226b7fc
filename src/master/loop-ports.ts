// What the loop needs from outside, and what it hands out.

import type { Effect } from "../core/effect.ts";
import type { ProcessId } from "../core/entry.ts";
import type { Request } from "../core/machine.ts";
import type { Recall } from "../core/placement/recall.ts";
import type { Refusal } from "../core/refusal.ts";
import type { State } from "../core/state.ts";
import type { Turn } from "../core/turn.ts";
import type { EncodedBatch } from "../journal/batch.ts";
import type { AppendResult, StoredBatch } from "../journal/journal.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

export interface LoopIdentity {
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
  /** Feature levels it can read and write (L11). */
  readonly levels: readonly [min: number, max: number];
  readonly process?: ProcessId;
}

/** What is durable and must be done about it, in order; the same on every master. */
export interface Durable {
  readonly index: number;
  readonly wall: number;
  readonly effects: readonly Effect[];
  readonly recalls: readonly Recall[];
  /** The encoded batch; empty when nothing was appended: recalls only. */
  readonly bytes: Uint8Array;
  /** This batch made this master the leader. */
  readonly elected: boolean;
}

export interface LoopPorts {
  readonly clock: Clock;
  readonly log: Log;
  append(expected: number, batch: EncodedBatch, done: (result: AppendResult) => void): void;
  /** Reads one index, for M3; undefined above the head. An error is tried again. */
  read(index: number, done: (batch: StoredBatch | undefined | "trimmed" | Error) => void): void;
  /** Lets the tail read what the journal has beyond this state; `done` when it has been followed. */
  look(done: () => void): void;
  /** Calls back once, soon, after what waits now. */
  defer(fire: () => void): void;
  newBatchId(): string;
  perform(durable: Durable): void;
  /** Rebuilds the state from snapshot and journal, then calls `adopt` (M4). */
  rebuild(why: string): void;
  /** A candidate has got no answer from the journal for a lease; said with each of its appends from then on. */
  stuck(): void;
  /** This master led, and another does now: it follows from here on. */
  deposed(): void;
  /** The journal is broken, or this master is: it stops. */
  halt(why: Error): void;
  /** What only this process knows, asked right before a decision: the request, or a refusal (A1). */
  admit(request: Request, turn: Turn): Request | Refusal;
  /** Tasks that may be assigned in the next turn (J7). */
  dispatchMax(): number;
  recalling(): ReadonlySet<number>;
  /** Workers that placement passes over for a while: they gave work back unasked. */
  resting(): ReadonlySet<number>;
  /** Address of the master that leads as far as is known; undefined while nobody does: requests wait (L9). */
  leaderElsewhere(): string | undefined;
}

/** State that stands exactly at a durable batch. */
export interface Grounded {
  readonly state: State;
  readonly hash: string;
  /** The journal's digest in this batch is not this state's, although all was folded anew (L10); 0: none. */
  readonly doubts: number;
}

/** A batch that is none. */
export const noBatch: Durable = {
  index: 0,
  wall: 0,
  effects: [],
  recalls: [],
  bytes: new Uint8Array(0),
  elected: false,
};
