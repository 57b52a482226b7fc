// One turn of the leader: requests are decided one at a time, and every entry is applied as it is decided,
// so that each request sees those before it (L1). What the turn made becomes one batch.

import type { Effect } from "./effect.ts";
import type { Entry } from "./entry.ts";
import type { State } from "./state.ts";

export interface Turn {
  readonly state: State;
  readonly index: number;
  readonly term: number;
  /** Cluster time and wall clock of this turn's batch (T1). */
  readonly time: number;
  readonly wall: number;
  readonly entries: Entry[];
  readonly effects: Effect[];
  /** `apply`, handed in: decisions do not know who folds them. */
  readonly fold: (state: State, entry: Entry, effects: Effect[]) => void;
}

export interface BatchPosition {
  readonly index: number;
  readonly term: number;
  readonly time: number;
  readonly wall: number;
}

/** Moves the state to a batch; its entries follow. */
export function openBatch(state: State, at: BatchPosition): void {
  state.index = at.index;
  state.term = at.term;
  state.time = Math.max(state.time, at.time);
  state.wall = at.wall;
}

/** Decides an entry: it is part of the batch and of the state from here on. */
export function emit(turn: Turn, entry: Entry): void {
  if (turn.entries.length === 0) openBatch(turn.state, turn);
  turn.entries.push(entry);
  turn.fold(turn.state, entry, turn.effects);
}
