// Why a task does not go to a worker, or does not go anywhere: ordered filters, each of which says so in one
// sentence (S5). `place` and `explain` ask the same ones, so that the answer is the truth.

import { fitCount } from "../accounting.ts";
import { makeClass } from "../classes.ts";
import type { Job, Queue, State, TaskClass, Worker } from "../state.ts";

export interface WorkerFilter {
  readonly name: string;
  /** Undefined when the worker may take tasks of the job; otherwise why not. */
  readonly refuses: (state: State, job: Job, own: TaskClass, worker: Worker) => string | undefined;
  /** True when it could change by itself, without anybody adding or changing workers. */
  readonly passing: boolean;
}

export const workerFilters: readonly WorkerFilter[] = [
  {
    name: "state",
    passing: true,
    refuses(state, _job, _own, worker) {
      if (isOpen(state, worker)) return undefined;
      if (worker.state === "suspect") return "has been silent for a few seconds";
      if (worker.state === "draining" || worker.state === "drained") return "is draining";
      if (worker.state !== "active") return `is ${worker.state}`;
      return "has not registered with the new leader yet";
    },
  },
  {
    name: "labels",
    passing: false,
    refuses(_state, job, _own, worker) {
      if (hasLabels(job, worker)) return undefined;
      for (const name of Object.keys(job.spec.needs.required)) {
        const wanted = job.spec.needs.required[name];
        if (worker.info.labels[name] === wanted) continue;
        const has = worker.info.labels[name];
        return `needs label ${name}=${wanted}, ${has === undefined ? "has none" : `has ${has}`}`;
      }
      return undefined;
    },
  },
  {
    name: "size",
    passing: false,
    refuses(_state, job, _own, worker) {
      if (isLargeEnough(job, worker)) return undefined;
      for (const [name, amount] of job.amounts) {
        const total = worker.total.get(name) ?? 0;
        if (total < amount) return `needs ${words(name, amount)}, has ${words(name, total)} in all`;
      }
      return undefined;
    },
  },
  {
    name: "reserved",
    passing: true,
    refuses(state, _job, own, worker) {
      return isKept(state, own, worker)
        ? "is reserved for larger tasks that waited long"
        : undefined;
    },
  },
  {
    name: "free",
    passing: true,
    refuses(_state, job, _own, worker) {
      if (fitCount(worker, job.amounts, 1) > 0) return undefined;
      for (const [name, amount] of job.amounts) {
        const total = worker.total.get(name) ?? 0;
        const used = worker.used.get(name) ?? 0;
        if (total - used < amount) {
          return `${words(name, amount)} needed, ${words(name, total - used)} of ${words(name, total)} free`;
        }
      }
      return "is full";
    },
  },
];

/** All filters before "free": may the worker ever, or soon, take tasks of this job? */
export function isEligible(state: State, job: Job, own: TaskClass, worker: Worker): boolean {
  return isSuitable(state, job, worker) && !isKept(state, own, worker);
}

/** State, labels and size: what a task needs, not whose it is. Alike for all classes of one shape. */
export function isSuitable(state: State, job: Job, worker: Worker): boolean {
  return isOpen(state, worker) && isLargeEnough(job, worker) && hasLabels(job, worker);
}

/** Anything may be given to it. */
export function isOpen(state: State, worker: Worker): boolean {
  return worker.state === "active" && worker.term === state.term;
}

function hasLabels(job: Job, worker: Worker): boolean {
  const { required } = job.spec.needs;
  return Object.keys(required).every((name) => worker.info.labels[name] === required[name]);
}

function isLargeEnough(job: Job, worker: Worker): boolean {
  return job.amounts.every(([name, amount]) => amount <= (worker.total.get(name) ?? 0));
}

/** The worker is reserved, and not for this class. */
export function isKept(state: State, own: TaskClass, worker: Worker): boolean {
  const other = state.reserved.get(worker.number);
  if (!other || other === own || other.priority < own.priority) return false;
  // A class that may not run now, since its queue is paused or full, keeps nobody waiting.
  const queue = state.queues.get(other.queue);
  return queue !== undefined && queueRoom(queue) > 0;
}

/** As workers are: nothing but another worker could change it. */
export function couldEverRun(state: State, job: Job, worker: Worker): boolean {
  const own = state.classes.get(job.classKey) ?? makeClass(job);
  return workerFilters.every(
    (filter) => filter.passing || filter.refuses(state, job, own, worker) === undefined,
  );
}

/** How many more of the queue's tasks may be assigned now. */
export function queueRoom(queue: Queue): number {
  if (queue.paused) return 0;
  const { runningMax } = queue.settings;
  return runningMax === 0 ? Number.MAX_SAFE_INTEGER : Math.max(0, runningMax - queue.assigned);
}

/** How many more attempts the job's concurrency key allows now. */
export function keyRoom(state: State, job: Job): number {
  if (job.spec.concurrency === null) return Number.MAX_SAFE_INTEGER;
  const use = state.concurrency.get(job.spec.concurrency.key);
  return use ? Math.max(0, use.limit - use.active) : job.spec.concurrency.limit;
}

/** Thousandths as people say them: "1.5 cpu", "512 MiB memory". */
export function words(name: string, thousandths: number): string {
  const whole = Math.floor(thousandths / 1000);
  const rest = thousandths % 1000;
  const digits = rest === 0 ? "" : `.${`00${rest}`.slice(-3).replace(/0+$/, "")}`;
  return name === "memory" ? `${whole}${digits} MiB memory` : `${whole}${digits} ${name}`;
}
