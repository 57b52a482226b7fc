// What stands around the loop in a scenario: a clock that only scripts move, and a journal in an array. Both
// are synchronous; what the loop puts off runs when the script's command is through.

import type { EncodedBatch } from "../../src/journal/batch.ts";
import { decodeBatch } from "../../src/journal/batch.ts";
import { checkNext, headOf } from "../../src/journal/chain.ts";
import { emptyHead } from "../../src/journal/journal.ts";
import type { AppendResult, Head, StoredBatch } from "../../src/journal/journal.ts";
import type { CancelTimer } from "../../src/lib/clock.ts";
import { HandClock } from "../../src/lib/hand-clock.fixture.ts";

/** Noon of a winter day; the wall clock of every scenario starts here. */
const wallStart = 1_767_268_800_000;

export class ScriptClock extends HandClock {
  #deferred: (() => void)[] = [];

  constructor() {
    super(wallStart);
  }

  override after(delayMs: number, fire: () => void): CancelTimer {
    return super.after(Math.ceil(delayMs), () => {
      fire();
      this.settle();
    });
  }

  defer(fire: () => void): void {
    this.#deferred.push(fire);
  }

  /** Runs what was put off, until nothing is left. */
  settle(): void {
    for (let fire = this.#deferred.shift(); fire; fire = this.#deferred.shift()) fire();
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
