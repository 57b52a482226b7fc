// One master's connection to the journal, nastier than any engine's (high-availability.md §4.2): slow, stalled for
// up to a minute, cut off one way or both, answers that are lost while the batch is stored, stored late or never,
// refusals, appends that arrive twice, tails that see an old head, and rings that are lost, late or about nothing.
// Only what engines promise holds: the fence, `refused`, and that `read` and `head` see what was acknowledged.

import type { EncodedBatch } from "../../src/journal/batch.ts";
import { headWentBack, trimmedAway } from "../../src/journal/chain.ts";
import { JournalHalt } from "../../src/journal/halt.ts";
import type { AppendResult, Head, StoredBatch } from "../../src/journal/journal.ts";
import { EngineUnavailable } from "../../src/journal/unavailable.ts";
import type { Process } from "./process.ts";
import { batchAt, batchesAfter } from "./store.ts";
import type { SimStore, View } from "./store.ts";
import type { World } from "./world.ts";

/** What stands between one master's machine and the engine, life after life. */
export class EngineLink {
  /** Nothing is done for this master until then. */
  stalledUntil = 0;
  /** Requests, or answers, do not arrive until then. */
  readonly blockedUntil = { request: 0, answer: 0 };
  /** A tail sees the journal as it was so many ms ago. */
  lagMs = 0;
  /** What this master is shown instead of the store. */
  view: View;
  /** Requests and answers that wait for the trouble to end. */
  readonly waiting = new Set<() => void>();

  constructor(view: View) {
    this.view = view;
  }

  /** The master and the engine reach each other, as far as that goes. */
  isSound(now: number, store: SimStore): boolean {
    const { request, answer } = this.blockedUntil;
    return Math.max(store.stalledUntil, this.stalledUntil, request, answer) <= now;
  }

  heal(): void {
    this.stalledUntil = this.blockedUntil.request = this.blockedUntil.answer = 0;
    this.lagMs = 0;
    for (const go of [...this.waiting]) go();
  }
}

type Done<T> = (answer: T | Error) => void;

/** Of one life of a master. */
export class SimJournal {
  readonly journalId: string;
  readonly #world: World;
  readonly #link: EngineLink;
  readonly #process: Process;
  readonly #by: string;
  /** The answer to the last append was lost. */
  #lostLast = false;
  /** The highest index this connection has seen. */
  #seen = 0;

  /** `by`: who appends. */
  constructor(world: World, link: EngineLink, process: Process, by: string) {
    this.#world = world;
    this.#by = by;
    this.#link = link;
    this.#process = process;
    this.journalId = world.store.journalId;
  }

  append(expected: number, batch: EncodedBatch, done: Done<AppendResult>): void {
    const { random, knobs, calm } = this.#world;
    const chance = random.journal;
    const { lostThenNever, lostThenLate, lostButStored, refused, duplicated } = knobs.journal;
    this.#world.check(batch.index === expected + 1, `E1: ${batch.index} after ${expected}`);
    const answer = (result: AppendResult | Error): void => {
      const late = result instanceof EngineUnavailable;
      done(late ? { kind: "unknown", cause: result } : result);
    };
    const store_ = (): AppendResult => {
      const result = this.#link.view.append(batch, this.#by);
      if (result.kind === "appended") this.#seen = batch.index;
      return result;
    };
    // What is found wrong when nobody waits for the answer any more, nobody hears of.
    const late_ = () => {
      try {
        store_();
      } catch (error) {
        if (!(error instanceof JournalHalt)) throw error;
      }
    };
    let draw = calm ? 1 : chance.float();
    const hits = (odds: number) => (draw -= odds) < 0;
    if (hits(lostThenNever)) return this.#ask("append", lost, answer, 200);
    if (hits(lostThenLate)) {
      this.#lostLast = true;
      this.#later(1 + chance.float() * knobs.lateMs, late_);
      return this.#ask("append", lost, answer);
    }
    if (hits(lostButStored)) {
      const both = () => {
        store_();
        return lost();
      };
      return this.#ask("append", both, answer, 100);
    }
    // Trouble seldom comes alone.
    const wasLost = this.#lostLast;
    this.#lostLast = false;
    if (hits(wasLost && refused > 0 ? 0.3 : refused))
      return this.#ask("append", () => this.#refusal(), answer);
    if (!calm && chance.chance(duplicated)) this.#later(chance.float() * 2_000, late_);
    this.#ask("append", store_, answer);
  }

  /** Sees what was acknowledged (J3 rests on it); it may fail. */
  read(index: number, done: Done<StoredBatch | undefined | "trimmed">): void {
    const { view } = this.#link;
    const look = () => (index <= view.trimmed ? ("trimmed" as const) : batchAt(view, index));
    this.#ask("read", () => this.#failing(look), done);
  }

  /** Sees what was acknowledged (L5 rests on it). */
  head(done: Done<Head>): void {
    const look = () => {
      const { head } = this.#link.view;
      if (head.index < this.#seen) throw headWentBack(head.index, this.#seen);
      this.#seen = head.index;
      return head;
    };
    this.#ask("head", () => this.#failing(look), done);
  }

  /** May show less than there is. `unchecked`: what is damaged is not noticed by the engine. */
  readAfter(index: number, done: Done<StoredBatch[]>, unchecked = false): void {
    this.#ask("tail", () => this.#failing(() => this.#tail(index, unchecked)), done);
  }

  trim(below: number): void {
    this.#ask(
      "trim",
      () => this.#world.store.trim(below),
      () => {},
    );
  }

  /** Rings when there may be news, and also when there are none. */
  follow(ring: () => void): () => void {
    const { random, knobs, calm } = this.#world;
    return this.#world.store.follow(() => {
      if (!this.#process.alive) return;
      const chance = random.journal;
      const { ringLost, ringLate } = knobs.journal;
      if (!calm && chance.chance(ringLost)) return;
      const late = !calm && chance.chance(ringLate) ? chance.float() * 2_000 : 0;
      const blocked = Math.max(0, this.#link.blockedUntil.answer - this.#world.timeline.now);
      this.#process.later(chance.float() * knobs.appendMs + late + blocked, "ring", ring);
    });
  }

  #tail(index: number, unchecked: boolean): StoredBatch[] {
    const { store, random, calm, knobs } = this.#world;
    const { view, lagMs } = this.#link;
    const ahead = view === store && view.head.index < index;
    this.#world.check(!ahead, `P1: a master reads behind ${index} of ${view.head.index}`);
    const last = calm || lagMs === 0 ? view.head.index : Math.max(index, store.indexBefore(lagMs));
    const most = random.journal.chance(0.3) ? random.journal.between(1, 5) : knobs.readBatches;
    const end = Math.min(view.head.index, last, index + most);
    if (view === store || !unchecked) return [...batchesAfter(view, this.journalId, index, end)];
    if (index < view.trimmed) throw trimmedAway(index + 1, view.trimmed);
    const found = Array.from({ length: Math.max(0, end - index) }, (_, i) => index + 1 + i);
    return found.flatMap((at) => (view.bytes(at) ? [batchAt(view, at)] : [])).filter(isBatch);
  }

  #failing<T>(work: () => T): T {
    const { random, knobs, calm } = this.#world;
    const fails = !calm && random.journal.chance(knobs.journal.readFails);
    if (fails) throw new EngineUnavailable("the journal cannot be read now");
    return work();
  }

  #refusal(): AppendResult {
    const code = this.#world.random.journal.chance(0.3) ? "too_large" : "no_space";
    return { kind: "refused", code, why: "a test wants it" };
  }

  /** When a request that is made now can be done. */
  get #openAt(): number {
    const { stalledUntil, blockedUntil } = this.#link;
    return Math.max(this.#world.store.stalledUntil, stalledUntil, blockedUntil.request);
  }

  /** Calls `go` at that time, or as soon as all trouble is over. */
  #at(time: number, label: string, go: () => void): void {
    const { timeline } = this.#world;
    const { waiting } = this.#link;
    if (time <= timeline.now) return go();
    const once = () => {
      if (waiting.delete(once)) go();
    };
    waiting.add(once);
    timeline.after(time - timeline.now, label, once);
  }

  /** The same, once more and later: an append that was on its way twice. */
  #later(ms: number, work: () => void): void {
    const label = "journal append, late";
    this.#at(this.#openAt, label, () => this.#world.timeline.after(ms, label, work));
  }

  /** `work` is done at the engine, once, late or never; `done` is called once unless the process dies. */
  #ask<T>(label: string, work: () => T, done: Done<T>, moreMs = 0): void {
    const { timeline, random, knobs } = this.#world;
    const name = `journal ${label}`;
    const began = timeline.now;
    let over = false;
    const tell = (answer: T | Error) => {
      if (over) return;
      over = true;
      done(answer);
    };
    const giveUp = () => {
      const ms = Math.max(0, began + knobs.engineTimeoutMs - timeline.now);
      this.#process.later(ms, `${name} timeout`, () => {
        tell(new EngineUnavailable(`${label}: no answer`));
      });
    };
    const requestMs = knobs.appendMs * (0.5 + random.journal.float());
    const openAt = this.#openAt;
    if (openAt - began + requestMs > knobs.engineTimeoutMs) {
      giveUp();
      // What waited in a socket may still arrive when nobody waits for it any more.
      if (random.journal.chance(0.5)) return;
    }
    const answer = (given: T | Error) => {
      const blockedUntil = this.#link.blockedUntil.answer;
      const answerMs = moreMs + random.journal.float();
      const late = Math.max(blockedUntil, timeline.now) + answerMs - began;
      if (late > knobs.engineTimeoutMs) return giveUp();
      const tells = () => this.#process.later(answerMs, `${name} answer`, () => tell(given));
      this.#at(blockedUntil, name, tells);
    };
    this.#at(openAt, name, () => {
      timeline.after(requestMs, name, () => answer(attempt(work)));
    });
  }
}

function isBatch(batch: StoredBatch | undefined): batch is StoredBatch {
  return batch !== undefined;
}

function lost(): AppendResult {
  return { kind: "unknown", cause: new Error("the answer was lost") };
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    // Failures of the simulation itself must not be taken for the engine's.
    if (error instanceof JournalHalt || error instanceof EngineUnavailable) return error;
    throw error;
  }
}
