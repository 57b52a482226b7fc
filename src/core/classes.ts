// Classes of ready tasks: equal needs, queue and priority (S2). A class lists the jobs that have ready
// tasks in the order of their age; the tasks themselves are found in the job's state column.

import type { WorkerNumber } from "../protocol/ids.ts";
import type { JobSpec, Needs } from "../protocol/model.ts";
import { addTimer } from "./timers.ts";
import type { Amount, Job, State, TaskClass } from "./state.ts";

/** Texts ordered by code units, the same on every machine and in every locale. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sortedAmounts(needs: Needs): readonly Amount[] {
  return Object.keys(needs.amounts)
    .toSorted(byText)
    .map((name): Amount => [name, needs.amounts[name] ?? 0])
    .filter(([, amount]) => amount > 0);
}

export function classKeyOf(spec: JobSpec): string {
  return JSON.stringify([spec.queue, spec.priority, ...needsOf(spec)]);
}

function needsOf({ needs }: JobSpec) {
  const pairs = (labels: Readonly<Record<string, string>>) =>
    Object.keys(labels)
      .toSorted(byText)
      .map((name) => [name, labels[name]]);
  return [sortedAmounts(needs), pairs(needs.required), pairs(needs.preferred)];
}

export function makeClass(job: Job): TaskClass {
  return {
    key: job.classKey,
    queue: job.spec.queue,
    priority: job.spec.priority,
    shape: JSON.stringify(needsOf(job.spec)),
    jobs: [],
    head: 0,
    ready: 0,
    headSince: -1,
    reserved: 0,
  };
}

function classOf(state: State, job: Job): TaskClass {
  const found = state.classes.get(job.classKey);
  if (found) return found;
  const made = makeClass(job);
  state.classes.set(job.classKey, made);
  return made;
}

/** Tells the class that `change` more (or fewer) tasks of the job are ready; `now` of them in all. */
export function readyChanged(state: State, job: Job, change: number, now: number): void {
  if (change === 0) return;
  const own = classOf(state, job);
  const before = now - change;
  if (before === 0 && now > 0) insertJob(own, job.number);
  if (before > 0 && now === 0) removeJob(own, job.number);
  own.ready += change;
  if (own.ready === 0) {
    own.headSince = -1;
    reserve(state, own, 0);
    // A class without jobs in it is dropped, so that names in needs cannot pile up.
    state.classes.delete(own.key);
  } else if (change < 0 || own.headSince < 0) {
    own.headSince = state.time;
  }
}

/** The class keeps this worker for itself (S4); 0 for none. */
export function reserve(state: State, own: TaskClass, worker: WorkerNumber): void {
  if (state.reserved.get(own.reserved) === own) state.reserved.delete(own.reserved);
  own.reserved = worker;
  if (worker !== 0) state.reserved.set(worker, own);
}

function insertJob(own: TaskClass, job: number): void {
  const last = own.jobs[own.jobs.length - 1];
  if (own.head === own.jobs.length || last === undefined || last < job) {
    own.jobs.push(job);
    return;
  }
  own.jobs.splice(position(own, job), 0, job);
}

function removeJob(own: TaskClass, job: number): void {
  const at = position(own, job);
  if (at === own.head) {
    own.head++;
    if (own.head > 1024 && own.head * 2 > own.jobs.length) {
      own.jobs = own.jobs.slice(own.head);
      own.head = 0;
    }
  } else own.jobs.splice(at, 1);
}

/** Where the job stands, or would stand. */
function position(own: TaskClass, job: number): number {
  let low = own.head;
  let high = own.jobs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((own.jobs[middle] ?? 0) < job) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Arms the timers of a job that state alone implies: after a load they are made anew. */
export function armJobTimers(state: State, job: Job): void {
  if (job.ended !== "") return;
  if (job.wakeTime > state.time) {
    addTimer(state.timers, { at: job.wakeTime, kind: "wake", job: job.number });
  }
}
