// What stands around the loop in a scenario: a clock that only scripts move, and a journal in an array. Both
// are synchronous; what the loop puts off runs when the script's command is through.

import type { EncodedBatch } from "../../src/journal/batch.ts";
import { decodeBatch } from "../../src/journal/batch.ts";
import { checkNext, headOf } from "../../src/journal/chain.ts";
import { emptyHead } from "../../src/journal/journal.ts";
import type { AppendResult, Head, StoredBatch } from "../../src/journal/journal.ts";
import type { CancelTimer, Clock } from "../../src/lib/clock.ts";

/** Noon of a winter day; the wall clock of every scenario starts here. */
const wallStart = 1_767_268_800_000;

export class ScriptClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly fire: () => void }[] = [];
  #deferred: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  wall(): number {
    return wallStart + this.#now;
  }

  after(delayMs: number, fire: () => void): CancelTimer {
    const timer = { at: this.#now + Math.ceil(delayMs), fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  defer(fire: () => void): void {
    this.#deferred.push(fire);
  }

  /** Runs what was put off, until nothing is left. */
  settle(): void {
    for (let fire = this.#deferred.shift(); fire; fire = this.#deferred.shift()) fire();
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.fire();
      this.settle();
    }
    this.#now = until;
  }
}

/** What happens to the next append. */
export type JournalFault = "lose" | "lose-answer" | "refuse";

export class ScriptJournal {
  readonly journalId = "scenario-journal";
  readonly batches: EncodedBatch[] = [];
  readonly faults: JournalFault[] = [];
  #head: Head = emptyHead;

  append(expected: number, batch: EncodedBatch): AppendResult {
    const fault = this.faults.shift();
    if (fault === "refuse") return { kind: "refused", code: "no_space", why: "the disk is full" };
    if (fault === "lose") return { kind: "unknown", cause: new Error("the answer was lost") };
    if (expected !== this.#head.index) return { kind: "conflict" };
    checkNext(this.journalId, this.#head, decodeBatch(batch.bytes));
    this.batches.push(batch);
    this.#head = headOf(batch);
    return fault === "lose-answer"
      ? { kind: "unknown", cause: new Error("the answer was lost") }
      : { kind: "appended" };
  }

  read(index: number): StoredBatch | undefined {
    const found = this.batches[index - 1];
    return found && decodeBatch(found.bytes);
  }

  get headHash(): string {
    return this.#head.hash;
  }
}
