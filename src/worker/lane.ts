// A lane: one slot, and the attempts that were assigned to it and have not ended.
//
// `waiting` are assigned but not yet with the slot: it starts, or an input is being fetched. They
// have not started for sure. `given` are with the slot, the first of them probably runs.

import type { Assigned } from "./assigned.ts";
import type { Slot } from "./executor.ts";
import type { NeedList } from "./amounts.ts";
import type { Job } from "./jobs.ts";

export type LaneState = "starting" | "ready" | "stopping" | "gone";

/** Slots that can go on with another job of the same code have this; others serve one job. */
export interface ReusableSlot extends Slot {
  /** Attempts given from now on are of this job. Called only while the slot has none. */
  serve?(job: Job["descriptor"]): void;
}

export class Lane {
  readonly id: number;
  job: Job;
  state: LaneState = "starting";
  slot: ReusableSlot | undefined;
  waiting: Assigned[] = [];
  /** Stops the fetch of the input that `waiting` waits for. */
  cancelInput: (() => void) | undefined;
  /** A drop was asked for and not answered: nothing is given until it is. */
  dropping = false;
  /** Drops are expected: one call may be answered in parts. */
  askedToDrop = false;
  /** When the slot last got work while idle, or last ended an attempt. */
  movedAt = 0;
  /** It handed back, unasked, what it was given. */
  gaveUp = false;
  /** Ended an attempt, so it is able to run some. */
  proven = false;
  /** What its attempts take of the worker's amounts; undefined while it has none. */
  holds: NeedList | undefined;
  #given: Assigned[] = [];
  #head = 0;

  constructor(id: number, job: Job) {
    this.id = id;
    this.job = job;
  }

  get busy(): boolean {
    return this.waiting.length > 0 || this.givenCount > 0;
  }

  get givenCount(): number {
    return this.#given.length - this.#head;
  }

  /** Attempts with the slot, the first given first. */
  get given(): readonly Assigned[] {
    if (this.#head > 0) {
      this.#given = this.#given.slice(this.#head);
      this.#head = 0;
    }
    return this.#given;
  }

  /** Asks the slot for the last `count` attempts, if they have not started. */
  drop(count: number): void {
    this.dropping = true;
    this.askedToDrop = true;
    this.slot?.drop(count);
  }

  /** Hands what waits to the slot. */
  pass(): void {
    const attempts = this.waiting;
    this.waiting = [];
    if (this.#head > 1_024) void this.given;
    this.askedToDrop = false;
    for (const attempt of attempts) this.#given.push(attempt);
    this.slot?.give(attempts);
  }

  find(task: number, attempt: number): Assigned | undefined {
    const first = this.#given[this.#head];
    if (first?.task === task && first.attempt === attempt) return first;
    return this.given.find((given) => given.task === task && given.attempt === attempt);
  }

  /** Takes an attempt that ended or was dropped; undefined when the slot does not have it. */
  end(task: number, attempt: number): Assigned | undefined {
    const first = this.#given[this.#head];
    if (first?.task === task && first.attempt === attempt) {
      this.#head++;
      if (this.#head === this.#given.length) {
        this.#given = [];
        this.#head = 0;
        this.dropping = false;
      }
      return first;
    }
    const found = this.find(task, attempt);
    if (found) this.#given.splice(this.#given.indexOf(found), 1);
    if (this.#given.length === 0) this.dropping = false;
    return found;
  }

  /** Takes everything the slot has. */
  takeGiven(): Assigned[] {
    const given = [...this.given];
    this.#given = [];
    return given;
  }

  takeWaiting(): Assigned[] {
    this.cancelInput?.();
    this.cancelInput = undefined;
    const waiting = this.waiting;
    this.waiting = [];
    return waiting;
  }
}
