// Who leads, in the journal: elections, hand-over, masters that joined, feature levels, snapshots, trims.

import type { Effect } from "../effect.ts";
import type {
  Elected,
  FeatureLevel,
  MasterJoined,
  MasterLeft,
  ProcessId,
  Resigned,
  SnapshotTaken,
  Trimmed,
} from "../entry.ts";
import { unreachable } from "../invariants.ts";
import { refuse } from "../refusal.ts";
import type { Answer } from "../refusal.ts";
import type { MasterRecord, State } from "../state.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";

type LeadingEntry =
  | Elected
  | MasterJoined
  | MasterLeft
  | Resigned
  | FeatureLevel
  | SnapshotTaken
  | Trimmed;

export function applyLeading(state: State, entry: LeadingEntry, effects: Effect[]): void {
  switch (entry.kind) {
    case "elected":
      return applyElected(state, entry, effects);
    case "masterJoined":
      return applyMasterJoined(state, entry, effects);
    case "masterLeft":
      return applyMasterLeft(state, entry, effects);
    case "resigned":
      return applyResigned(state, entry, effects);
    case "featureLevel":
      state.featureLevel = entry.level;
      return;
    case "snapshotTaken":
      state.snapshotIndex = entry.index;
      effects.push({ kind: "note", note: { about: "snapshot.taken", index: entry.index } });
      return;
    case "trimmed":
      return applyTrimmed(state, entry, effects);
    default:
      return unreachable(entry);
  }
}

function applyElected(state: State, entry: Elected, effects: Effect[]): void {
  state.term = entry.term;
  state.leader = {
    id: entry.id,
    incarnation: entry.incarnation,
    addresses: entry.addresses,
    term: entry.term,
    electedAt: state.time,
    electedWall: state.wall,
    process: entry.process ?? null,
  };
  effects.push({ kind: "elected" });
  const note = { about: "master.elected", master: entry.id, term: entry.term } as const;
  effects.push({ kind: "note", note });
  setMaster(state, entry, effects);
}

function applyMasterJoined(state: State, entry: MasterJoined, effects: Effect[]): void {
  setMaster(state, entry, effects);
  effects.push({ kind: "note", note: { about: "master.joined", master: entry.id } });
}

function setMaster(state: State, entry: MasterJoined | Elected, effects: Effect[]): void {
  const { id, incarnation, addresses, levels = firstLevels, process = null } = entry;
  state.masters.set(id, { id, incarnation, addresses, levels, process });
  effects.push({ kind: "masters" });
}

function applyMasterLeft(state: State, entry: MasterLeft, effects: Effect[]): void {
  state.masters.delete(entry.id);
  effects.push({ kind: "masters" });
  effects.push({ kind: "note", note: { about: "master.left", master: entry.id } });
}

function applyResigned(state: State, entry: Resigned, effects: Effect[]): void {
  const master = state.leader?.id ?? "";
  effects.push({ kind: "resigned", from: master, to: entry.to });
  effects.push({ kind: "note", note: { about: "master.resigned", master, to: entry.to } });
  state.leader = null;
}

/** Of masters that did not say yet: those of version 0.1.0. */
const firstLevels = [1, 1] as const;

export interface JoinMasterRequest {
  readonly kind: "joinMaster";
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
  readonly levels: readonly [min: number, max: number];
  readonly process?: ProcessId;
}

/** A standby has said hello (L6). What all masters can read may be written from now on (L11). */
export function joinMaster(turn: Turn, request: JoinMasterRequest): Answer {
  const { kind: _, ...master } = request;
  const known = turn.state.masters.get(master.id);
  if (!known || !sameMaster(known, master)) emit(turn, { kind: "masterJoined", v: 1, ...master });
  const common = Math.min(...[...turn.state.masters.values()].map(({ levels }) => levels[1]));
  if (common > turn.state.featureLevel) emit(turn, { kind: "featureLevel", v: 1, level: common });
  return { ok: true };
}

export interface ForgetMasterRequest {
  readonly kind: "forgetMaster";
  readonly id: string;
}

/** Nothing waits any more for a master that has long been away; when it returns it joins anew. */
export function forgetMaster(turn: Turn, { id }: ForgetMasterRequest): Answer {
  const { masters, leader } = turn.state;
  if (masters.has(id) && leader?.id !== id) emit(turn, { kind: "masterLeft", v: 1, id });
  return { ok: true };
}

function sameMaster(a: MasterRecord, b: Omit<JoinMasterRequest, "kind">): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.addresses.join() === b.addresses.join() &&
    a.levels.join() === b.levels.join()
  );
}

function applyTrimmed(state: State, entry: Trimmed, effects: Effect[]): void {
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
