// What workers tell in passing and nobody journals: which attempts began to run, and how far they are. Lost
// hints do no harm, so they are bounded by forgetting the oldest.
//
//   N1. A hint is of one attempt, and goes with it: an attempt that ended says nothing of the next one (W9).
//   N2. A hint that comes when its attempt or its job has ended is not kept.

import { attemptOf, stateOf } from "../core/columns.ts";
import type { StartedAttempt } from "../core/commands/worker.ts";
import type { Effect } from "../core/effect.ts";
import type { State } from "../core/state.ts";
import type { AttemptRange, TaskProgress, WorkerProgress } from "../protocol/messages.ts";
import { taskState } from "../protocol/model.ts";
import { decodeOutcomes } from "../protocol/outcome-block.ts";

/** Of one worker. */
const startedMax = 4_096;
const progressMax = 100_000;
/** Characters of all messages. */
const textMax = 16 * 1024 * 1024;

interface Progress {
  readonly attempt: number;
  readonly percent: number;
  readonly message?: string;
}

/** What one attempt each task, by job; the oldest first. */
type ByTask<T> = Map<number, Map<number, T>>;

export class Hints {
  readonly #started = new Map<number, { size: number; readonly attempts: ByTask<number> }>();
  readonly #progress: ByTask<Progress> = new Map();
  #progressCount = 0;
  #textLength = 0;

  /** What a worker says of its attempts. */
  take(state: State, worker: number, said: Pick<WorkerProgress, "started" | "tasks">): void {
    for (const range of said.started) this.#start(state, worker, range);
    for (const progress of said.tasks) this.#keep(state, progress);
  }

  /** Attempts of the worker that are known to have begun. */
  startedBy(worker: number): StartedAttempt[] {
    const found: StartedAttempt[] = [];
    for (const [job, tasks] of this.#started.get(worker)?.attempts ?? []) {
      for (const [task, attempt] of tasks) found.push([job, task, attempt]);
    }
    return found;
  }

  isStarted(worker: number, [job, task, attempt]: StartedAttempt): boolean {
    return this.#started.get(worker)?.attempts.get(job)?.get(task) === attempt;
  }

  progressOf(job: number, task: number): Pick<TaskProgress, "percent" | "message"> | undefined {
    const found = this.#progress.get(job)?.get(task);
    if (!found) return undefined;
    const { percent, message } = found;
    return message === undefined ? { percent } : { percent, message };
  }

  /** N1: what a durable batch ended. */
  follow(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "attempt") this.#drop(effect.worker, effect.job, effect.task);
      else if (effect.kind === "jobEnded") this.#dropJob(effect.job);
      else if (effect.kind === "outcomes") this.#dropOutcomes(effect);
    }
  }

  forgetWorker(worker: number): void {
    this.#started.delete(worker);
  }

  #start(state: State, worker: number, { job, first, count, attempt }: AttemptRange): void {
    const own = this.#started.get(worker) ?? { size: 0, attempts: new Map() };
    this.#started.set(worker, own);
    for (let task = first; task < first + Math.min(count, startedMax); task++) {
      if (!isLive(state, job, task, attempt)) continue;
      if (put(own.attempts, job, task, attempt) === undefined) own.size++;
      if (own.size <= startedMax) continue;
      takeOldest(own.attempts);
      own.size--;
    }
  }

  #keep(state: State, { job, task, attempt, percent, message }: TaskProgress): void {
    if (!isLive(state, job, task, attempt)) return;
    const progress = message === undefined ? { attempt, percent } : { attempt, percent, message };
    this.#count(put(this.#progress, job, task, progress), -1);
    this.#count(progress, 1);
    while (this.#progressCount > progressMax || this.#textLength > textMax) {
      const oldest = takeOldest(this.#progress);
      if (!oldest) return;
      this.#count(oldest, -1);
    }
  }

  #count(progress: Progress | undefined, by: 1 | -1): void {
    if (!progress) return;
    this.#progressCount += by;
    this.#textLength += by * (progress.message?.length ?? 0);
  }

  /** Most blocks are of tasks so short that nobody told of them: those are not looked into. */
  #dropOutcomes({ job, worker, block }: Extract<Effect, { kind: "outcomes" }>): void {
    if (!this.#progress.has(job) && !this.#started.get(worker)?.attempts.has(job)) return;
    const { count, tasks } = decodeOutcomes(block);
    for (let i = 0; i < count; i++) this.#drop(worker, job, tasks[i] ?? 0);
  }

  #drop(worker: number, job: number, task: number): void {
    this.#count(remove(this.#progress, job, task), -1);
    const own = this.#started.get(worker);
    if (own && remove(own.attempts, job, task) !== undefined) own.size--;
  }

  #dropJob(job: number): void {
    for (const progress of this.#progress.get(job)?.values() ?? []) this.#count(progress, -1);
    this.#progress.delete(job);
  }
}

/** N2. */
function isLive(state: State, number: number, task: number, attempt: number): boolean {
  const job = state.jobs.get(number);
  if (!job || job.ended !== "" || task >= job.tasks.count) return false;
  return stateOf(job.tasks, task) === taskState.assigned && attemptOf(job.tasks, task) === attempt;
}

/** Puts it last of its job; gives what was there before. */
function put<T>(all: ByTask<T>, job: number, task: number, value: T): T | undefined {
  const tasks = all.get(job) ?? new Map<number, T>();
  all.set(job, tasks);
  const before = tasks.get(task);
  tasks.delete(task);
  tasks.set(task, value);
  return before;
}

function remove<T>(all: ByTask<T>, job: number, task: number): T | undefined {
  const tasks = all.get(job);
  const found = tasks?.get(task);
  tasks?.delete(task);
  if (tasks?.size === 0) all.delete(job);
  return found;
}

/** Of the job that was first heard of, the task that was not heard of for longest. */
function takeOldest<T>(all: ByTask<T>): T | undefined {
  for (const [job, tasks] of all) {
    for (const task of tasks.keys()) return remove(all, job, task);
  }
  return undefined;
}
