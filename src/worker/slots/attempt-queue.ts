// The attempts a slot was given and has not ended. Those that are `sent` are with the process, in order, the
// first of them probably runs; the others are held back here, where dropping and cancelling them is
// exact and immediate. So few are sent as keep the process busy for some milliseconds.

import type { JobDescriptor } from "../../protocol/messages.ts";
import type { SlotAttempt } from "../executor.ts";
import type { SlotGive } from "./wire.ts";

/** Enough that a slot does not wait for the worker's next turn. */
const windowMicros = 20_000;
const windowMax = 1_024;
const frameBytesMax = 256 * 1_024;

/** How an attempt is to be reported, whatever its process says. */
export interface Verdict {
  readonly code: number;
  readonly reason: string;
  readonly graceMs: number;
  /** A success that comes late is none (timeouts); otherwise it counts (cancels). */
  readonly overSuccess: boolean;
}

/** An attempt that was sent to the process. */
export interface Entry {
  readonly seq: number;
  readonly given: SlotAttempt;
  readonly job: JobDescriptor;
  done: boolean;
  logBytes: number;
  verdict: Verdict | undefined;
}

export class AttemptQueue {
  #held: SlotAttempt[] = [];
  #heldHead = 0;
  #sent: Entry[] = [];
  #sentHead = 0;
  #base = 1;
  #open = 0;
  #ended = 0;
  /** Mean run time, mostly of the last ones; undefined before the first end. */
  #micros: number | undefined;
  /** The last one that ended: what its process prints after that is still its. */
  last: Entry | undefined;

  get heldCount(): number {
    return this.#held.length - this.#heldHead;
  }

  /** Sent and not ended. */
  get openCount(): number {
    return this.#open;
  }

  get endedCount(): number {
    return this.#ended;
  }

  /** The first one that was sent and has not ended. */
  get head(): Entry | undefined {
    while (this.#sent[this.#sentHead]?.done) this.#sentHead++;
    return this.#sent[this.#sentHead];
  }

  give(attempts: readonly SlotAttempt[]): void {
    for (const attempt of attempts) this.#held.push(attempt);
  }

  find(seq: number): Entry | undefined {
    const entry = this.#sent[seq - this.#base];
    return entry ?? (this.last?.seq === seq ? this.last : undefined);
  }

  findSent(task: number, attempt: number): Entry | undefined {
    for (let i = this.#sentHead; i < this.#sent.length; i++) {
      const entry = this.#sent[i];
      if (entry && !entry.done && matches(entry.given, task, attempt)) return entry;
    }
    return undefined;
  }

  has(task: number, attempt: number): boolean {
    const held = this.#held.findIndex(
      (given, i) => i >= this.#heldHead && matches(given, task, attempt),
    );
    return held >= 0 || this.findSent(task, attempt) !== undefined;
  }

  /** The message that sends the next ones, or undefined when enough are with the process. */
  next(job: JobDescriptor): SlotGive | undefined {
    const window = this.#window();
    // Half a window at a time: a message for each that ends would cost more than the tasks.
    if (this.heldCount === 0 || this.#open > window / 2) return undefined;
    const count = this.#countThatFits(window - this.#open);
    const taken = this.#held.slice(this.#heldHead, this.#heldHead + count);
    this.#heldHead += count;
    if (this.#heldHead === this.#held.length) {
      this.#held = [];
      this.#heldHead = 0;
    }
    return this.#message(taken, job);
  }

  /** False when it had ended before. */
  end(entry: Entry, micros?: number): boolean {
    if (entry.done) return false;
    entry.done = true;
    this.#open--;
    this.#ended++;
    this.last = entry;
    if (micros !== undefined) {
      // A short memory: the first runs of cold code say little.
      this.#micros = this.#micros === undefined ? micros : this.#micros * 0.9 + micros * 0.1;
    }
    return true;
  }

  /** Another task comes: how long the last one took says nothing about it. */
  forgetPace(): void {
    this.#micros = undefined;
  }

  /** Takes back the last of those held. */
  takeHeld(count: number): SlotAttempt[] {
    const from = Math.max(this.#heldHead, this.#held.length - count);
    return this.#held.splice(from);
  }

  /** Takes one of those held. */
  takeOne(task: number, attempt: number): SlotAttempt | undefined {
    const at = this.#held.findIndex(
      (given, i) => i >= this.#heldHead && matches(given, task, attempt),
    );
    return at < 0 ? undefined : this.#held.splice(at, 1)[0];
  }

  /** Takes all that were sent and have not ended. */
  takeOpen(): Entry[] {
    const open = this.#sent.slice(this.#sentHead).filter((entry) => !entry.done);
    for (const entry of open) entry.done = true;
    this.#open = 0;
    return open;
  }

  #window(): number {
    if (this.#micros === undefined) return 1;
    return Math.min(windowMax, Math.max(1, Math.floor(windowMicros / Math.max(1, this.#micros))));
  }

  #countThatFits(countMax: number): number {
    let bytes = 0;
    let count = 0;
    while (count < countMax) {
      const attempt = this.#held[this.#heldHead + count];
      if (!attempt) break;
      bytes += attempt.input.length + 1;
      if (count > 0 && bytes > frameBytesMax) break;
      count++;
    }
    return count;
  }

  #message(taken: readonly SlotAttempt[], job: JobDescriptor): SlotGive {
    this.#forget();
    const first = this.#base + this.#sent.length;
    let bytes = 0;
    for (const attempt of taken) bytes += attempt.input.length + 1;
    const inputs = new Uint8Array(bytes);
    let offset = 0;
    for (const given of taken) {
      inputs.set(given.input, offset);
      // Inside a JSON text a line end can only be white space, and here it would be the end of an input.
      if (given.input.includes(10)) blankLineEnds(inputs.subarray(offset));
      offset += given.input.length;
      inputs[offset++] = 10;
      const seq = this.#base + this.#sent.length;
      this.#sent.push({ seq, given, job, done: false, logBytes: 0, verdict: undefined });
    }
    this.#open += taken.length;
    return {
      kind: "give",
      first,
      tasks: taken.map((given) => given.task),
      attempts: taken.map((given) => given.attempt),
      fences: taken.map((given) => given.fence),
      inputs,
    };
  }

  /** Entries that ended are dropped once there are many, so that a warm slot does not grow (P7). */
  #forget(): void {
    void this.head;
    if (this.#sentHead < windowMax && this.#sentHead < this.#sent.length) return;
    this.#sent = this.#sent.slice(this.#sentHead);
    this.#base += this.#sentHead;
    this.#sentHead = 0;
  }
}

function matches(given: SlotAttempt, task: number, attempt: number): boolean {
  return given.task === task && given.attempt === attempt;
}

function blankLineEnds(bytes: Uint8Array): void {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at)) bytes[at] = 32;
}
