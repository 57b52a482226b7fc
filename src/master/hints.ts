// What workers tell in passing and nobody journals: which attempts began to run, and how far they are. Lost
// hints do no harm; so they are bounded by forgetting the oldest.

import type { TaskPair } from "../core/commands/worker.ts";
import type { AttemptRange, TaskProgress } from "../protocol/messages.ts";

const startedMax = 4_096;
const progressMax = 100_000;

export class Hints {
  readonly #started = new Map<number, Map<string, TaskPair>>();
  readonly #progress = new Map<number, Map<number, Pick<TaskProgress, "percent" | "message">>>();
  #progressCount = 0;

  started(worker: number, range: AttemptRange): void {
    const all = this.#started.get(worker) ?? new Map<string, TaskPair>();
    this.#started.set(worker, all);
    for (let task = range.first; task < range.first + Math.min(range.count, startedMax); task++) {
      const key = `${range.job}/${task}`;
      all.delete(key);
      all.set(key, [range.job, task]);
    }
    for (const key of all.keys()) {
      if (all.size <= startedMax) break;
      all.delete(key);
    }
  }

  /** Attempts of the worker that are known to have begun; some may have ended since. */
  startedBy(worker: number): TaskPair[] {
    return [...(this.#started.get(worker)?.values() ?? [])];
  }

  isStarted(worker: number, job: number, task: number): boolean {
    return this.#started.get(worker)?.has(`${job}/${task}`) ?? false;
  }

  progress(progress: TaskProgress): void {
    const { job, task, percent, message } = progress;
    const tasks =
      this.#progress.get(job) ?? new Map<number, Pick<TaskProgress, "percent" | "message">>();
    if (!tasks.has(task)) {
      if (this.#progressCount >= progressMax) return;
      this.#progressCount++;
    }
    tasks.set(task, message === undefined ? { percent } : { percent, message });
    this.#progress.set(job, tasks);
  }

  progressOf(job: number, task: number): Pick<TaskProgress, "percent" | "message"> | undefined {
    return this.#progress.get(job)?.get(task);
  }

  forget(job: number): void {
    this.#progressCount -= this.#progress.get(job)?.size ?? 0;
    this.#progress.delete(job);
  }

  forgetWorker(worker: number): void {
    this.#started.delete(worker);
  }
}
