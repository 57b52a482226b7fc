// Attempts as run-length-compressed ranges, the form in which they travel.

import type { JobNumber } from "../protocol/ids.ts";
import type { AttemptRange } from "../protocol/messages.ts";

/** Collects attempts in any order and writes down neighbours as one range. */
export class RangeList {
  readonly #jobs = new Map<JobNumber, Map<number, number[]>>();
  #ranges: AttemptRange[] = [];

  add(job: JobNumber, attempt: number, task: number): void {
    let attempts = this.#jobs.get(job);
    if (!attempts) this.#jobs.set(job, (attempts = new Map()));
    const tasks = attempts.get(attempt);
    if (tasks) tasks.push(task);
    else attempts.set(attempt, [task]);
  }

  addRange(range: AttemptRange): void {
    if (range.count > 0) this.#ranges.push(range);
  }

  get empty(): boolean {
    return this.#jobs.size === 0 && this.#ranges.length === 0;
  }

  /** What was collected; the list is empty afterwards. */
  take(): AttemptRange[] {
    const ranges = this.#ranges;
    this.#ranges = [];
    for (const [job, attempts] of this.#jobs) {
      for (const [attempt, tasks] of attempts) compress(job, attempt, tasks, ranges);
    }
    this.#jobs.clear();
    return ranges;
  }
}

function compress(job: JobNumber, attempt: number, tasks: number[], into: AttemptRange[]): void {
  tasks.sort((a, b) => a - b);
  let first = 0;
  for (let i = 1; i <= tasks.length; i++) {
    const start = tasks[first] ?? 0;
    if (i < tasks.length && tasks[i] === start + (i - first)) continue;
    into.push({ job, first: start, count: i - first, attempt });
    first = i;
  }
}

export function countAttempts(ranges: readonly AttemptRange[]): number {
  return ranges.reduce((sum, range) => sum + range.count, 0);
}
