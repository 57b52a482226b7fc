// The last day as this master saw it: a point every ten seconds, from its own state, so that graphs need no other
// program and a standby that takes over has them too. In memory: a master that starts anew begins with none.

import type { State, Worker } from "../core/state.ts";
import { unended } from "../core/commands/end-job.ts";
import type { Clock } from "../lib/clock.ts";
import type { SeriesView } from "../protocol/picture-views.ts";

export interface Sample {
  readonly wall: number;
  /** Ever since the cluster began. */
  readonly succeeded: number;
  readonly failed: number;
  readonly waiting: number;
  readonly assigned: number;
  /** Whole cpus. */
  readonly used: number;
  readonly total: number;
  readonly oldestWaitMs: number;
}

const secondsKept = 11;
const stepMs = 10_000;
const pointsMax = 8_640;

export interface SeriesPorts {
  readonly clock: Clock;
  readonly peek: <T>(see: (state: State) => T) => T;
}

export class Series {
  readonly #ports: SeriesPorts;
  /** One a second: what rates are made of. */
  #seconds: Sample[] = [];
  /** One every ten. */
  #points: Sample[] = [];
  #ticks = 0;
  #stop = () => {};

  constructor(ports: SeriesPorts) {
    this.#ports = ports;
    this.#tick();
  }

  stop(): void {
    this.#stop();
  }

  #tick(): void {
    const sample = this.#ports.peek((state) => sampleOf(state, this.#ports.clock.wall()));
    this.#seconds = [...this.#seconds.slice(1 - secondsKept), sample];
    if (this.#ticks++ % (stepMs / 1_000) === 0) {
      this.#points.push(sample);
      if (this.#points.length > pointsMax * 1.1) this.#points = this.#points.slice(-pointsMax);
    }
    this.#stop = this.#ports.clock.after(1_000, () => this.#tick());
  }

  /** Ends per second, over the last five. */
  rates(): { readonly succeeded: number; readonly failed: number } {
    const last = this.#seconds.at(-1);
    const first = this.#seconds.at(-6) ?? this.#seconds[0];
    if (!last || !first || last.wall <= first.wall) return { succeeded: 0, failed: 0 };
    const seconds = (last.wall - first.wall) / 1_000;
    const per = (ended: number) => Math.max(0, Math.round((ended / seconds) * 10) / 10);
    return {
      succeeded: per(last.succeeded - first.succeeded),
      failed: per(last.failed - first.failed),
    };
  }

  view(span: "15m" | "24h"): SeriesView {
    const all = this.#points.slice(span === "15m" ? -91 : -pointsMax);
    // What ended before the first point is no part of the picture.
    const points = all.slice(1);
    const gained = (pick: (sample: Sample) => number) =>
      points.map((point, i) => Math.max(0, pick(point) - pick(all[i] ?? point)));
    return {
      from: points[0]?.wall ?? this.#ports.clock.wall(),
      stepMs,
      succeeded: gained(({ succeeded }) => succeeded),
      failed: gained(({ failed }) => failed),
      waiting: points.map(({ waiting }) => waiting),
      assigned: points.map(({ assigned }) => assigned),
      used: points.map(({ used }) => used),
      total: points.map(({ total }) => total),
      oldestWaitMs: points.map(({ oldestWaitMs }) => oldestWaitMs),
    };
  }
}

function sampleOf(state: State, wall: number): Sample {
  let waiting = 0;
  let assigned = 0;
  for (const queue of state.queues.values()) {
    waiting += queue.waiting;
    assigned += queue.assigned;
  }
  const { succeeded, failed } = state.totals;
  const used = cpus(state, "used");
  const total = cpus(state, "total");
  // The state's time stands still while nothing is appended.
  const oldestWaitMs = Math.round(oldestWait(state, state.time + Math.max(0, wall - state.wall)));
  return { wall, succeeded, failed, waiting, assigned, used, total, oldestWaitMs };
}

/** Of the workers that are there, in whole cpus. */
export function cpus(state: State, which: "total" | "used"): number {
  let sum = 0;
  for (const worker of state.workers.values()) {
    if (isHere(worker)) sum += worker[which].get("cpu") ?? 0;
  }
  return sum / 1_000;
}

export function isHere({ state }: Worker): boolean {
  return state !== "lost" && state !== "gone";
}

/** How long the job that has had ready tasks longest has waited; 0 when none has. */
export function oldestWait(state: State, time: number): number {
  let since = time;
  for (const { jobs, head } of state.classes.values()) {
    const job = state.jobs.get(jobs[head] ?? 0);
    if (job && unended(job) > 0) since = Math.min(since, Math.max(job.createdTime, job.wakeTime));
  }
  return Math.max(0, time - since);
}
