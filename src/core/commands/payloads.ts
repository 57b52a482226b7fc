// Stored payloads and who uses them. A payload is freed by an entry, never by one master's judgement (A1).

import { limits } from "../../protocol/limits.ts";
import type { Effect } from "../effect.ts";
import type { Forgotten, PayloadsFreed } from "../entry.ts";
import type { Answer } from "../refusal.ts";
import type { Job, State } from "../state.ts";
import { addTimer } from "../timers.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";

export function useStored(state: State, job: Job, hash: string): void {
  job.payloads.set(hash, (job.payloads.get(hash) ?? 0) + 1);
  const use = state.payloads.get(hash);
  if (use) {
    use.uses++;
    use.freeSince = -1;
  } else state.payloads.set(hash, { uses: 1, freeSince: -1 });
}

function unuse(state: State, hash: string, uses: number): void {
  const use = state.payloads.get(hash);
  if (!use) return;
  use.uses -= uses;
  if (use.uses > 0) return;
  use.freeSince = state.time;
  addTimer(state.timers, { at: state.time + limits.payloadGraceMs, kind: "payload", hash });
}

/** The archive has forgotten these jobs: what they used is used no more. */
export function applyForgotten(state: State, entry: Forgotten, effects: Effect[]): void {
  for (const hash of entry.payloads) unuse(state, hash, 1);
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
  return use.uses <= 0 && use.freeSince + limits.payloadGraceMs <= time;
}

export function applyPayloadsFreed(state: State, entry: PayloadsFreed, effects: Effect[]): void {
  for (const hash of entry.hashes) state.payloads.delete(hash);
  effects.push({ kind: "payloadsFreed", hashes: entry.hashes });
}

export interface ForgetRequest {
  readonly kind: "forget";
  readonly jobs: readonly number[];
  readonly payloads: readonly string[];
}

export function forget(turn: Turn, request: ForgetRequest): Answer {
  const { jobs, payloads } = request;
  emit(turn, { kind: "forgotten", v: 1, jobs, payloads });
  return { ok: true };
}
