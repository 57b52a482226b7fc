// What goes before a ready task (S3): more urgent tasks of its queue, then older ones, as far as they want the
// same workers. Counted, not estimated; placement itself never asks.

import { taskState } from "../../protocol/model.ts";
import { stateOf } from "../columns.ts";
import { couldEverRun } from "../placement/filters.ts";
import type { Job, State, TaskClass, Worker } from "../state.ts";

/** Ready tasks of one job that go first. */
export interface Before {
  readonly job: Job;
  readonly tasks: number;
}

export interface InLine {
  readonly before: readonly Before[];
  readonly tasks: number;
  /** Other jobs among them. */
  readonly jobs: number;
}

/** Looks at a worker that one question may cost; classes beyond them count as going first. */
const looksMax = 20_000;

export function inLine(state: State, job: Job, task: number, takers: readonly Worker[]): InLine {
  const before: Before[] = [];
  let looks = looksMax;
  for (const own of state.classes.values()) {
    if (own.queue !== job.spec.queue || own.priority < job.spec.priority) continue;
    if (own.key !== job.classKey && looks > 0) {
      looks -= takers.length;
      if (!wantsOneOf(state, own, takers)) continue;
    }
    for (const number of own.jobs.slice(own.head)) {
      const other = state.jobs.get(number);
      if (!other || (own.priority === job.spec.priority && number >= job.number)) continue;
      before.push({ job: other, tasks: other.tasks.counts[taskState.ready] ?? 0 });
    }
  }
  const older = readyBelow(job, task);
  if (older > 0) before.push({ job, tasks: older });
  const tasks = before.reduce((sum, one) => sum + one.tasks, 0);
  return { before, tasks, jobs: before.filter((one) => one.job !== job).length };
}

function wantsOneOf(state: State, own: TaskClass, takers: readonly Worker[]): boolean {
  const first = state.jobs.get(own.jobs[own.head] ?? 0);
  return first !== undefined && takers.some((worker) => couldEverRun(state, first, worker));
}

function readyBelow(job: Job, task: number): number {
  let found = 0;
  for (let other = job.tasks.readyFrom; other < task; other++) {
    if (stateOf(job.tasks, other) === taskState.ready) found++;
  }
  return found;
}
