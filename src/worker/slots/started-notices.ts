// Tells the agent what runs, at most once every 50 ms: short tasks go by unseen, and the one that goes on is
// told in the end.

import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Entry } from "./attempt-queue.ts";

const noticeMs = 50;

export class StartedNotices {
  readonly #clock: Clock;
  readonly #tell: (entry: Entry) => void;
  #told: Entry | undefined;
  #toldAt = -Infinity;
  #next: Entry | undefined;
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock, tell: (entry: Entry) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  running(entry: Entry): void {
    if (entry === this.#told) return;
    this.#next = entry;
    const wait = this.#toldAt + noticeMs - this.#clock.now();
    if (wait <= 0) this.#notice();
    else this.#cancel ??= this.#clock.after(wait, () => this.#notice());
  }

  ended(entry: Entry): void {
    if (this.#next === entry) this.#next = undefined;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#next = undefined;
  }

  #notice(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const entry = this.#next;
    this.#next = undefined;
    if (!entry) return;
    this.#told = entry;
    this.#toldAt = this.#clock.now();
    this.#tell(entry);
  }
}
