// Stored payloads and who uses them. A payload is freed by an entry, never by one master's judgement (A1).

import { limits } from "../../protocol/limits.ts";
import { bytesPerPayload, bytesPerUse } from "../columns.ts";
import type { Effect } from "../effect.ts";
import type { Forgotten, PayloadsFreed } from "../entry.ts";
import type { Answer } from "../refusal.ts";
import type { Job, PayloadUse, State } from "../state.ts";
import { sumPayload } from "../sums.ts";
import { addTimer } from "../timers.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";

export function useStored(state: State, job: Job, hash: string, bundle = false): void {
  const before = job.payloads.get(hash) ?? 0;
  job.payloads.set(hash, before + 1);
  if (before > 0) sumPayload(job, hash, before, -1);
  else state.bytes += bytesPerUse;
  sumPayload(job, hash, before + 1, 1);
  const use = state.payloads.get(hash);
  if (use) {
    use.uses++;
    use.freeSince = -1;
  } else {
    state.payloads.set(hash, { uses: 1, freeSince: -1, bundle });
    state.bytes += bytesPerPayload;
  }
}

export function unuse(state: State, hash: string, uses: number): void {
  const use = state.payloads.get(hash);
  if (!use) return;
  use.uses -= uses;
  if (use.uses > 0) return;
  use.freeSince = state.time;
  addTimer(state.timers, { at: freeAt(use), kind: "payload", hash });
}

/** A job leaves the state: its bundle is done with, the rest stays as long as the archive names it. */
export function keepForArchive(state: State, job: Job): void {
  const { code } = job.spec;
  const bundle = code.kind === "function" ? code.bundle : "";
  const uses: [hash: string, uses: number][] = [];
  for (const [hash, count] of job.payloads) {
    const own = hash === bundle ? 1 : 0;
    if (own > 0) unuse(state, hash, own);
    if (count > own) uses.push([hash, count - own]);
    else state.bytes -= bytesPerUse;
  }
  if (uses.length > 0) state.kept.set(job.number, { endedWall: job.endedWall, uses });
}

export function applyForgotten(state: State, entry: Forgotten, effects: Effect[]): void {
  for (const number of entry.jobs) {
    const kept = state.kept.get(number)?.uses ?? [];
    for (const [hash, uses] of kept) unuse(state, hash, uses);
    state.bytes -= kept.length * bytesPerUse;
    state.kept.delete(number);
  }
  effects.push({ kind: "forgotten", jobs: entry.jobs });
}

export interface FreePayloadsRequest {
  readonly kind: "freePayloads";
  /** Stored but named by no entry, for longer than the grace time. */
  readonly hashes: readonly string[];
}

/** Frees what is stored and unused; what an entry has named meanwhile stays. */
export function freePayloads(
  turn: Turn,
  request: FreePayloadsRequest,
): Answer<{ freed: string[] }> {
  const freed = request.hashes.filter((hash) => isUnused(turn.state, hash, turn.time));
  if (freed.length > 0) emit(turn, { kind: "payloadsFreed", v: 1, hashes: freed });
  return { ok: true, freed };
}

function isUnused(state: State, hash: string, time: number): boolean {
  const use = state.payloads.get(hash);
  if (!use) return true;
  return use.uses <= 0 && freeAt(use) <= time;
}

/** When a payload that nothing uses may go. */
export function freeAt(use: PayloadUse): number {
  return use.freeSince + (use.bundle ? limits.archiveMs : limits.payloadGraceMs);
}

export function applyPayloadsFreed(state: State, entry: PayloadsFreed, effects: Effect[]): void {
  for (const hash of entry.hashes) {
    if (state.payloads.delete(hash)) state.bytes -= bytesPerPayload;
  }
  effects.push({ kind: "payloadsFreed", hashes: entry.hashes });
}
