// Which workers of the state are behind the sessions of a master.

import type { State } from "../core/state.ts";
import type { Session } from "./session-ports.ts";

/** Of these workers those that any session was heard of since then (L8). */
export function heardSince(
  since: number,
  sessions: Iterable<Session>,
  state: State,
  workers: readonly number[],
): number[] {
  const heard = [...sessions].filter(({ heardAt }) => heardAt >= since);
  const ids = new Set(heard.map(({ hello }) => hello?.id ?? ""));
  return workers.filter((worker) => ids.has(state.workers.get(worker)?.info.id ?? ""));
}

/** The worker that this life is; 0 when another life of it is registered, or none. */
export function numberOf(state: State, id: string, incarnation: string): number {
  const known = state.workers.get(state.workerNumbers.get(id) ?? 0);
  return known?.info.incarnation === incarnation ? known.number : 0;
}
