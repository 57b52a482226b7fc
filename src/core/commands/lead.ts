// Who leads, in the journal: elections, hand-over, masters that joined, feature levels, snapshots, trims.

import type { Effect } from "../effect.ts";
import type { Elected, MasterJoined, Resigned, Trimmed } from "../entry.ts";
import { refuse } from "../refusal.ts";
import type { Answer } from "../refusal.ts";
import type { State } from "../state.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";

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

export interface NoteSnapshotRequest {
  readonly kind: "noteSnapshot";
  readonly index: number;
  readonly digest: string;
  readonly file: string;
}

/** A snapshot is named once it is verified (A4). */
export function noteSnapshot(turn: Turn, request: NoteSnapshotRequest): Answer {
  if (request.index <= turn.state.snapshotIndex) return { ok: true };
  const { index, digest, file } = request;
  emit(turn, { kind: "snapshotTaken", v: 1, index, digest, file });
  return { ok: true };
}

export interface TrimRequest {
  readonly kind: "trim";
  readonly below: number;
}

/** A trim is an entry, so that an old leader's wish trims nothing (A5). Never above the last snapshot. */
export function trim(turn: Turn, request: TrimRequest): Answer {
  const { state } = turn;
  if (request.below > state.snapshotIndex + 1) {
    return refuse("conflict", `There is no snapshot at ${request.below - 1} or later.`);
  }
  if (request.below > state.trimIndex) emit(turn, { kind: "trimmed", v: 1, below: request.below });
  return { ok: true };
}
