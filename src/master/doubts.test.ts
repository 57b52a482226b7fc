// L10: the last digest in the journal counts, for who folds from the disk and for who follows.

import { expect, test } from "vitest";
import { apply } from "../core/apply.ts";
import { createDigestMemory, digest } from "../core/digest.ts";
import type { Entry } from "../core/entry.ts";
import { createState } from "../core/state.ts";
import type { State } from "../core/state.ts";
import { openBatch } from "../core/turn.ts";
import { decodeBatch, encodeBatch } from "../journal/batch.ts";
import type { StoredBatch } from "../journal/journal.ts";
import { zeroHash } from "../journal/journal.ts";
import { silentLog } from "../lib/log.ts";
import { encodeEntries, entriesFormat } from "./codec.ts";
import { ground } from "./ground.ts";
import type { GroundOptions } from "./ground.ts";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { Replica } from "./replica.ts";

/** A journal that is written as it is read: each `elected` says the digest that it is given, or the right one. */
class Written {
  readonly batches: StoredBatch[] = [];
  readonly #state = createState("j");
  #term = 0;

  elect(id: string, digestSaid?: string): StoredBatch {
    const own = digest(this.#state, createDigestMemory());
    const [who, term] = [
      { id, incarnation: `${id}a`, addresses: [], levels: [1, 1] },
      ++this.#term,
    ];
    return this.#add({ kind: "elected", v: 1, term, ...who, digest: digestSaid ?? own } as never);
  }

  say(digestSaid?: string): StoredBatch {
    const own = digest(this.#state, createDigestMemory());
    return this.#add({ kind: "digest", v: 1, digest: digestSaid ?? own });
  }

  #add(entry: Entry): StoredBatch {
    const index = this.batches.length + 1;
    const at = { index, term: this.#term, time: index, wall: index };
    const previousHash = this.batches.at(-1)?.hash ?? zeroHash;
    const header = { journalId: "j", batchId: String(index).padStart(32, "0"), previousHash };
    const bytes = encodeEntries([entry]);
    const batch = decodeBatch(
      encodeBatch({ ...header, ...at, format: entriesFormat, bytes }).bytes,
    );
    openBatch(this.#state, batch);
    apply(this.#state, entry, []);
    this.batches.push(batch);
    return batch;
  }

  ground(incarnation = "anew") {
    const head = async () => {
      const { index, term, hash, batchId } = this.batches.at(-1) ?? {
        index: 0,
        term: 0,
        hash: zeroHash,
        batchId: "",
      };
      return { index, term, hash, batchId };
    };
    const readAfter = async (after: number) => this.batches.slice(after);
    const options = {
      journal: { journalId: "j", trimmed: async () => 0, head, readAfter },
      archive: { added: 0, skipTo: () => {}, add: () => {} },
      history: { added: Infinity, add: () => {} },
      snapshot: async () => undefined,
      log: silentLog,
      incarnation,
    };
    return ground(options as unknown as GroundOptions); // what it asks of a journal, and nothing else
  }
}

const wrong = "0123456789abcdef";

test("who starts beside others doubts when the last digest differs, and no more once another leads", async () => {
  const journal = new Written();
  journal.elect("m1");
  journal.elect("m2");
  const { index } = journal.elect("m1", wrong);
  expect(await journal.ground()).toMatchObject({ doubts: index });
  journal.elect("m2");
  expect(await journal.ground()).toMatchObject({ doubts: 0 });
});

test("a leader that builds its state anew halts at a digest of its own, and doubts one of whoever led since", async () => {
  const journal = new Written();
  journal.elect("m2");
  journal.elect("m1", wrong);
  await expect(journal.ground("m1a")).rejects.toThrow("replaying must give the same state");
  // It led, another one was elected meanwhile, and that one is wrong.
  const { index } = journal.elect("m2", wrong);
  expect(await journal.ground("m1a")).toMatchObject({ doubts: index });
});

test("a lone master halts at a last digest that differs", async () => {
  const journal = new Written();
  journal.elect("m1");
  journal.say(wrong);
  await expect(journal.ground()).rejects.toThrow("replaying must give the same state");
});

test("a follower folds anew once a term, and its doubt ends with the first digest that is its own", () => {
  const journal = new Written();
  const state: State = createState("j");
  const replica = new Replica({ state, hash: zeroHash, doubts: 0 }, new HandClock(), silentLog);
  replica.fold(journal.elect("m1"));
  const { index, hash } = journal.say(wrong);
  replica.fold(journal.batches.at(-1) ?? expect.unreachable());
  expect(replica.differs).toBe(true);
  replica.adopt({ state, hash, doubts: index });
  expect([replica.differs, replica.doubts]).toEqual([false, index]);
  replica.fold(journal.say(wrong));
  expect([replica.differs, replica.doubts]).toEqual([false, index + 1]);
  const other = journal.elect("m2", wrong);
  replica.fold(other);
  expect(replica.differs).toBe(true);
  replica.adopt({ state, hash: other.hash, doubts: other.index });
  replica.fold(journal.elect("m3"));
  expect([replica.differs, replica.doubts]).toEqual([false, 0]);
});
