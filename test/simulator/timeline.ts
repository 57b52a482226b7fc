// Virtual time: one heap of events, ordered by time and, at the same time, by a draw from the seed. What
// happened is traced: a rolling hash for comparing runs, and the last lines for people.

import { hashText } from "./random.ts";
import type { Random } from "./random.ts";

interface Event {
  readonly at: number;
  readonly tie: number;
  readonly order: number;
  readonly label: string;
  fire: (() => void) | null;
}

const tailLines = 600;

export class Timeline {
  now = 0;
  steps = 0;
  /** Prints every line as it is traced. */
  verbose = false;
  #hash = 0x811c9dc5;
  #order = 0;
  #traced = 0;
  readonly #heap: Event[] = [];
  readonly #random: Random;
  readonly #tail: string[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get traceHash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  /** Calls `fire` after `delayMs`; returns what takes it back. */
  after(delayMs: number, label: string, fire: () => void): () => void {
    const at = this.now + Math.max(0, delayMs);
    const event: Event = { at, tie: this.#random.next(), order: this.#order++, label, fire };
    push(this.#heap, event);
    return () => {
      event.fire = null;
    };
  }

  /** Does the next event; false when there is none at or before `until`. */
  step(until: number): boolean {
    for (;;) {
      const first = this.#heap[0];
      if (!first || first.at > until) return false;
      pop(this.#heap);
      const { fire } = first;
      if (!fire) continue;
      this.now = first.at;
      this.steps++;
      this.#hash = hashText(`${first.at.toFixed(3)}${first.label}`, this.#hash);
      first.fire = null;
      fire();
      return true;
    }
  }

  trace(text: string): void {
    const line = `${(this.now / 1000).toFixed(4).padStart(10)}  ${text}`;
    this.#hash = hashText(line, this.#hash);
    this.#tail[this.#traced++ % tailLines] = line;
    if (this.verbose) console.log(line);
  }

  tail(lines: number): string[] {
    const from = Math.max(0, this.#traced - Math.min(lines, tailLines));
    return Array.from({ length: this.#traced - from }, (_, i) => {
      return this.#tail[(from + i) % tailLines] ?? "";
    });
  }
}

function isBefore(a: Event, b: Event): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.tie === b.tie ? a.order < b.order : a.tie < b.tie;
}

function push(heap: Event[], event: Event): void {
  let i = heap.length;
  heap.push(event);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(event, above)) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    const left = heap[child];
    if (left === undefined) break;
    const right = heap[child + 1];
    let below = left;
    if (right !== undefined && isBefore(right, left)) {
      below = right;
      child++;
    }
    if (!isBefore(below, last)) break;
    heap[i] = below;
    i = child;
  }
  heap[i] = last;
}
