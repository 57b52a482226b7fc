// A journal nastier than any engine (high-availability.md §4.2): slow, stalled for up to a minute, answers that
// are lost while the batch is stored, stored late or never, refusals, and appends that arrive twice. What it
// stores it keeps as real bytes, chained and checked.

import { decodeBatch } from "../../src/journal/batch.ts";
import type { EncodedBatch } from "../../src/journal/batch.ts";
import { checkNext, headOf } from "../../src/journal/chain.ts";
import { emptyHead } from "../../src/journal/journal.ts";
import type { AppendResult, Head, StoredBatch } from "../../src/journal/journal.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

export class SimJournal {
  readonly journalId = "simulated-journal-01";
  head: Head = emptyHead;
  trimmed = 0;
  stalledUntil = 0;
  /** Faults are over: it is slow at worst. */
  calm = false;
  readonly #batches = new Map<number, Uint8Array>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  append(
    caller: Process,
    expected: number,
    batch: EncodedBatch,
    done: (result: AppendResult) => void,
  ): void {
    const { timeline, random } = this.#world;
    const chance = random.journal;
    const { journal: odds, appendMs } = this.#world.knobs;
    const stall = Math.max(0, this.stalledUntil - timeline.now);
    const ms = stall + appendMs * (0.5 + chance.float());
    const answer = (result: AppendResult, more = 0): void =>
      caller.later(ms + more + chance.float(), `append ${result.kind}`, () => done(result));
    const lost = { kind: "unknown", cause: new Error("the answer was lost") } as const;
    const draw = this.calm ? 2 : chance.float();
    const { lostThenNever, lostThenLate, lostButStored, refused } = odds;
    if (draw < lostThenNever) return answer(lost, 200);
    if (draw < lostThenNever + lostThenLate) {
      this.#storeAfter(ms + 1 + chance.float() * 4_000, expected, batch);
      return answer(lost);
    }
    if (draw < lostThenNever + lostThenLate + lostButStored) {
      this.#storeAfter(ms, expected, batch);
      return answer(lost, 100);
    }
    if (draw < lostThenNever + lostThenLate + lostButStored + refused) {
      return answer({ kind: "refused", code: "no_space", why: "the disk is full" });
    }
    if (!this.calm && chance.chance(odds.duplicated)) {
      this.#storeAfter(ms + chance.float() * 2_000, expected, batch);
    }
    timeline.after(ms, "journal append", () => {
      const stored = this.#store(expected, batch);
      const kind = stored ? "appended" : "conflict";
      caller.later(chance.float(), `append ${kind}`, () => done({ kind }));
    });
  }

  read(
    caller: Process,
    index: number,
    done: (batch: StoredBatch | undefined | Error) => void,
  ): void {
    const { random, knobs } = this.#world;
    const fails = !this.calm && random.journal.chance(knobs.journal.readFails);
    const ms = Math.max(0, this.stalledUntil - this.#world.timeline.now) + random.journal.float();
    caller.later(ms, "journal read", () => {
      done(fails ? new Error("the journal cannot be read now") : this.batch(index));
    });
  }

  batch(index: number): StoredBatch | undefined {
    const bytes = this.#batches.get(index);
    return bytes && decodeBatch(bytes);
  }

  *after(index: number): Generator<StoredBatch> {
    if (index < this.trimmed) throw new Error(`index ${index + 1} was trimmed away`);
    for (let next = index + 1; next <= this.head.index; next++) {
      const batch = this.batch(next);
      if (!batch) throw new Error(`index ${next} is missing from the journal`);
      yield batch;
    }
  }

  trim(below: number): void {
    const until = Math.min(below - 1, this.head.index - 1);
    for (let index = this.trimmed + 1; index <= until; index++) this.#batches.delete(index);
    this.trimmed = Math.max(this.trimmed, until);
  }

  #storeAfter(ms: number, expected: number, batch: EncodedBatch): void {
    this.#world.timeline.after(ms, "journal append", () => this.#store(expected, batch));
  }

  /** The fence of J2, and nothing else, decides. */
  #store(expected: number, batch: EncodedBatch): boolean {
    if (this.head.index !== expected || this.head.term > batch.term) return false;
    const bytes = batch.bytes.slice();
    const stored = decodeBatch(bytes);
    checkNext(this.journalId, this.head, stored);
    this.#batches.set(stored.index, bytes);
    this.head = headOf(stored);
    this.#world.committed(stored);
    return true;
  }
}
