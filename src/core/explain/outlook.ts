// What lies ahead of a task that waits: what goes before it, when it may start, and the smallest change that would
// let it. Dearer than `explain`, and asked by people only.

import { taskState } from "../../protocol/model.ts";
import { stateOf } from "../columns.ts";
import { present } from "../invariants.ts";
import { isSuitable } from "../placement/filters.ts";
import type { Job, State } from "../state.ts";
import { smallestChange } from "./change.ts";
import type { Change } from "./change.ts";
import { dueOf } from "./explain.ts";
import { forecast, forecastAt } from "./forecast.ts";
import type { Forecast } from "./forecast.ts";
import { inLine } from "./in-line.ts";
import type { InLine } from "./in-line.ts";

export interface Outlook {
  /** Of a ready task: what goes before it. */
  readonly line: InLine | null;
  /** Null where nothing tells, as for one that waits for another job. */
  readonly forecast: Forecast | null;
  /** All of it is needed; empty where time alone helps. */
  readonly change: readonly Change[];
}

const nothing: Outlook = { line: null, forecast: null, change: [] };

export function outlook(state: State, job: Job, task: number, time: number): Outlook {
  const byte = stateOf(job.tasks, task);
  if (job.stopping !== null) return nothing;
  if (byte === taskState.backoff) {
    return { ...nothing, forecast: forecastAt(dueOf(job, task), time) };
  }
  if (byte === taskState.waiting && job.wakeTime > time && job.waitsFor.size === 0) {
    return { ...nothing, forecast: forecastAt(job.wakeTime, time) };
  }
  if (byte !== taskState.ready) return nothing;
  const takers = [...state.workers.values()].filter((worker) => isSuitable(state, job, worker));
  const line = inLine(state, job, task, takers);
  const change = smallestChange(state, job, line);
  const { paused } = present(state.queues.get(job.spec.queue), "queue");
  const held = paused || takers.length === 0;
  return { line, change, forecast: held ? null : forecast(state, job, line, takers) };
}
