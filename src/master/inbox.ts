// Requests that wait for a turn of the loop, in the order they came.

import type { Request } from "../core/machine.ts";
import { limits } from "../protocol/limits.ts";

export interface Waiting {
  readonly request: Request;
  /** What it weighs in a batch, estimated. */
  readonly bytes: number;
  readonly done: (answer: object) => void;
}

/** A batch that was too large is halved at most so often. */
const shrinkMax = 16;

export class Inbox {
  #waiting: Waiting[] = [];
  #bytes = 0;
  /** After a batch that was too large the next ones are smaller by so many halvings. */
  #shrink = 0;

  get length(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
  }

  /** For one turn: at least one if there is one, at most a batch full. */
  take(): Waiting[] {
    const bytesMax = this.share(limits.batchBytesMax);
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && bytes + waiting.bytes > bytesMax) break;
      bytes += waiting.bytes;
      count++;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  /** In front of all others again. */
  putBack(waiting: readonly Waiting[]): void {
    this.#waiting = [...waiting, ...this.#waiting];
    for (const one of waiting) this.#bytes += one.bytes;
  }

  drain(): Waiting[] {
    this.#bytes = 0;
    return this.#waiting.splice(0);
  }

  /** How much of a full turn's share a turn may take now. */
  share(whole: number): number {
    return Math.ceil(whole / 2 ** this.#shrink);
  }

  tooLarge(): void {
    this.#shrink = Math.min(shrinkMax, this.#shrink + 1);
  }

  fitted(): void {
    if (this.#shrink > 0) this.#shrink--;
  }
}
