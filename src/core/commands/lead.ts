// Who leads, in the journal: elections, hand-over, masters that joined, feature levels, snapshots, trims.

import type { Effect } from "../effect.ts";
import type { Elected, MasterJoined, Resigned, Trimmed } from "../entry.ts";
import type { State } from "../state.ts";

export function applyElected(state: State, entry: Elected): void {
  state.term = entry.term;
  state.leader = {
    id: entry.id,
    incarnation: entry.incarnation,
    addresses: entry.addresses,
    term: entry.term,
    electedAt: state.time,
    electedWall: state.wall,
  };
  applyMasterJoined(state, entry);
}

export function applyMasterJoined(state: State, entry: MasterJoined | Elected): void {
  const { id, incarnation, addresses } = entry;
  state.masters.set(id, { id, incarnation, addresses });
}

export function applyResigned(state: State, _entry: Resigned): void {
  state.leader = null;
}

export function applyTrimmed(state: State, entry: Trimmed, effects: Effect[]): void {
  state.trimIndex = entry.below;
  effects.push({ kind: "trim", below: entry.below });
}
