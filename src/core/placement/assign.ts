// What an assignment and a reservation do to the state.

import { reserve } from "../classes.ts";
import type { Effect } from "../effect.ts";
import type { Assigned, Reserved } from "../entry.ts";
import { present } from "../invariants.ts";
import type { State } from "../state.ts";
import { assign } from "../tasks.ts";

export function applyAssigned(state: State, entry: Assigned, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  const worker = present(state.workers.get(entry.worker), `worker ${entry.worker}`);
  const own = state.classes.get(job.classKey);
  if (own?.reserved === worker.number) reserve(state, own, 0);
  assign(state, job, entry, worker);
  effects.push({
    kind: "start",
    worker: entry.worker,
    job: entry.job,
    first: entry.first,
    count: entry.count,
    attempt: entry.attempt,
    fence: state.index,
  });
}

export function applyReserved(state: State, entry: Reserved): void {
  const own = state.classes.get(entry.classKey);
  if (own) reserve(state, own, entry.worker);
}
