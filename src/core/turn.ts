// One turn of the leader: requests are decided one at a time, and every entry is applied as it is decided,
// so that each request sees those before it (L1). What the turn made becomes one batch.

import { apply, openBatch } from "./apply.ts";
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
}

export function openTurn(state: State, term: number, time: number, wall: number): Turn {
  return { state, index: state.index + 1, term, time, wall, entries: [], effects: [] };
}

/** Decides an entry: it is part of the batch and of the state from here on. */
export function emit(turn: Turn, entry: Entry): void {
  if (turn.entries.length === 0) openBatch(turn.state, turn);
  turn.entries.push(entry);
  apply(turn.state, entry, turn.effects);
}
