// When a task will start, as far as measured run times tell: what goes first and what runs already, divided by the
// slots of the workers that may take it and by the queue's share of them. A forecast, not a promise: it is said
// with what it rests on, and where nothing was measured it says so.

import { fitCount, slotCount } from "../accounting.ts";
import { present } from "../invariants.ts";
import type { Job, State, Worker } from "../state.ts";
import type { InLine } from "./in-line.ts";

export interface Forecast {
  /** Null when nobody can say. */
  readonly ms: number | null;
  readonly text: string;
}

/** Jobs looked at for one of the same task whose run times are known. */
const alikeMax = 1_000;

/** Of a ready task that nothing but other tasks keeps waiting. */
export function forecast(
  state: State,
  job: Job,
  line: InLine,
  takers: readonly Worker[],
): Forecast {
  const slots = takers.reduce((sum, worker) => sum + slotCount(worker, job.amounts, 1_000_000), 0);
  if (slots === 0) return { ms: null, text: "No worker that may run it is there." };
  if (line.tasks === 0 && takers.some((worker) => hasRoom(worker, job))) {
    return { ms: 0, text: "It starts at once." };
  }
  const own = meanMicros(state, job);
  let work = 0;
  for (const { job: other, tasks } of line.before) {
    const mean = meanMicros(state, other) ?? own;
    if (mean === undefined) return unmeasured(job);
    work += mean * tasks;
  }
  for (const worker of takers) {
    const left = leftOn(state, worker, own);
    if (left === undefined) return unmeasured(job);
    work += left;
  }
  const share = shareOf(state, job);
  const ms = Math.ceil((work * share.all) / (slots * share.own) / 1_000);
  const first = line.tasks === 0 ? "what runs there" : `${counted(line.tasks, "task")} before it`;
  const others = share.all > share.own ? `, ${share.own} of ${share.all} shares of them` : "";
  return {
    ms,
    text: `It starts in about ${lasting(ms)}: ${first}, ${counted(slots, "slot")}${others}, measured run times.`,
  };
}

/** Of one that a moment in cluster time lets go on. */
export function forecastAt(due: number, time: number): Forecast {
  const ms = Math.max(0, due - time);
  return { ms, text: `It is ready in ${lasting(ms)}.` };
}

function hasRoom(worker: Worker, job: Job): boolean {
  return worker.aheadCount === 0 && fitCount(worker, job.amounts, 1) > 0;
}

function unmeasured(job: Job): Forecast {
  const text = `Nobody can say when: no task "${job.spec.task}" has ended yet, so its run time is not known.`;
  return { ms: null, text };
}

/** Of the job's own ended attempts, else of the newest job of the same task. */
function meanMicros(state: State, job: Job): number | undefined {
  if (job.runCount > 0) return Math.ceil(job.runMicros / job.runCount);
  let looks = alikeMax;
  for (let number = state.nextJob - 1; number > 0 && looks > 0; number--, looks--) {
    const other = state.jobs.get(number);
    if (other?.spec.task === job.spec.task && other.runCount > 0) {
      return Math.ceil(other.runMicros / other.runCount);
    }
  }
  return undefined;
}

/** Half of what runs now, on the average, and all that stands in line there. */
function leftOn(state: State, worker: Worker, own: number | undefined): number | undefined {
  let micros = 0;
  const add = (number: number, attempts: number): boolean => {
    const job = state.jobs.get(number);
    const mean = (job && meanMicros(state, job)) ?? own;
    if (mean === undefined) return false;
    micros += mean * attempts;
    return true;
  };
  for (const [number, count] of worker.active) if (!add(number, count / 2)) return undefined;
  for (const { job, count } of worker.ahead) if (!add(job, count)) return undefined;
  return micros;
}

/** Its queue's weight among all that have something ready. */
function shareOf(state: State, job: Job): { readonly own: number; readonly all: number } {
  const names = new Set([...state.classes.values()].map(({ queue }) => queue)).add(job.spec.queue);
  let all = 0;
  for (const name of names) {
    const queue = state.queues.get(name);
    if (queue && !queue.paused) all += queue.settings.weight;
  }
  const { settings } = present(state.queues.get(job.spec.queue), "queue");
  return { own: settings.weight, all: Math.max(all, settings.weight) };
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Rounded as people say it. */
export function lasting(ms: number): string {
  if (ms < 1_000) return "less than a second";
  const seconds = Math.ceil(ms / 1_000);
  if (seconds <= 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 120 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}
