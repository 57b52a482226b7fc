// Hints for people: what has begun to run, how far it is, how busy the worker is. Nobody journals
// them, so they are coalesced without mercy: at most 10 frames a second, and 4 notices a second for
// one task.

import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { JobNumber } from "../protocol/ids.ts";
import type { TaskProgress, WorkerLoad, WorkerProgress } from "../protocol/messages.ts";
import { RangeList } from "./ranges.ts";

const frameMs = 100;
const taskMs = 250;
const loadMs = 5_000;
/** Tasks whose progress waits for its turn; more are dropped, the next notice comes soon enough. */
const tasksMax = 10_000;

interface Notice {
  latest: TaskProgress | undefined;
  sentAt: number;
}

export class ProgressHints {
  readonly #clock: Clock;
  readonly #load: () => WorkerLoad;
  readonly #send: (message: WorkerProgress) => void;
  readonly #started = new RangeList();
  readonly #tasks = new Map<string, Notice>();
  #timer: CancelTimer | undefined;
  #loadTimer: CancelTimer | undefined;

  constructor(clock: Clock, load: () => WorkerLoad, send: (message: WorkerProgress) => void) {
    this.#clock = clock;
    this.#load = load;
    this.#send = send;
  }

  /** A leader listens: tells it the load now and every few seconds. */
  begin(): void {
    this.end();
    const tell = (): void => {
      this.#loadTimer = this.#clock.after(loadMs, tell);
      this.#flush(true);
    };
    this.#loadTimer = this.#clock.after(0, tell);
  }

  /** Nobody listens: nothing is kept. */
  end(): void {
    this.#loadTimer?.();
    this.#timer?.();
    this.#timer = undefined;
    this.#loadTimer = undefined;
    this.#started.take();
    for (const notice of this.#tasks.values()) notice.latest = undefined;
  }

  started(job: JobNumber, task: number, attempt: number): void {
    if (!this.#loadTimer) return;
    this.#started.add(job, attempt, task);
    this.#arm();
  }

  progress(notice: TaskProgress): void {
    if (!this.#loadTimer) return;
    const key = keyOf(notice);
    const known = this.#tasks.get(key);
    if (known) known.latest = notice;
    else if (this.#tasks.size < tasksMax) {
      this.#tasks.set(key, { latest: notice, sentAt: Number.NEGATIVE_INFINITY });
    }
    this.#arm();
  }

  /** The attempt has ended: what was to be said of it is no longer true. */
  ended(job: JobNumber, task: number, attempt: number): void {
    if (this.#tasks.size > 0) this.#tasks.delete(keyOf({ job, task, attempt }));
  }

  #arm(): void {
    this.#timer ??= this.#clock.after(frameMs, () => {
      this.#timer = undefined;
      this.#flush(false);
    });
  }

  #flush(always: boolean): void {
    const now = this.#clock.now();
    const tasks: TaskProgress[] = [];
    let later = false;
    for (const notice of this.#tasks.values()) {
      if (!notice.latest) continue;
      if (now - notice.sentAt < taskMs) {
        later = true;
        continue;
      }
      tasks.push(notice.latest);
      notice.latest = undefined;
      notice.sentAt = now;
    }
    const started = this.#started.take();
    if (later) this.#arm();
    if (!always && started.length === 0 && tasks.length === 0) return;
    this.#send({ kind: "progress", started, tasks, load: this.#load() });
  }
}

function keyOf({ job, task, attempt }: Omit<TaskProgress, "percent" | "message">): string {
  return `${job}/${task}/${attempt}`;
}
