// The proof that an engine keeps the contract in `journal.ts`. It knows no test runner: a case passes
// if `run` does not throw, and may return a note worth printing. Each case gets a fresh, empty bench.
//
// Cases about processes (kill -9, fsyncs) are in `conformance-durable.ts`.

import assert from "node:assert/strict";
import { delay } from "../lib/abort.ts";
import { decodeBatch, encodeBatch, newBatchId, type EncodedBatch } from "./batch.ts";
import { checkNext, headOf } from "./chain.ts";
import { durableCases } from "./conformance-durable.ts";
import type { OpenJournalOptions } from "./engines.ts";
import { JournalHalt, type HaltKind } from "./halt.ts";
import { emptyHead, type AppendResult, type Batch, type Head, type Journal } from "./journal.ts";
import type { JournalUsage } from "./journal.ts";

/** One empty journal of an engine, and the means to damage it. */
export interface JournalBench {
  /** Opens the same journal every time; several may be open at once. */
  open(options?: { readonly journalId?: string }): Promise<Journal>;
  /** Flips a bit of a stored batch behind the engine's back. */
  flip(index: number): Promise<void>;
  /** Removes a stored batch behind the engine's back. */
  remove(index: number): Promise<void>;
  /** How long `usage` may be behind what was stored or trimmed, while appends go on; 0 unless given. */
  readonly usageLagMs?: number;
  /** Only for engines that outlive a process. */
  readonly durable?: DurableBench;
}

export interface DurableBench {
  /** How another process opens the same journal. */
  readonly url: string;
  readonly options: OpenJournalOptions;
  /** A folder for the files of the suite, not that of the journal. */
  readonly scratch: string;
  /** The engine's own word for it; used only where no fsync can be counted. */
  claimsToSync(): Promise<boolean>;
  /** Only for engines that are processes of their own: the fsyncs of commits that they count so far. */
  countSyncs?(): Promise<number>;
}

export interface JournalCase {
  readonly name: string;
  readonly durableOnly?: true;
  readonly run: (bench: JournalBench) => Promise<string | void>;
}

export const journalCases: readonly JournalCase[] = [
  { name: "an empty journal has head 0 and nothing to read", run: empty },
  { name: "indexes are contiguous from 1 and bytes come back as given", run: contiguous },
  { name: "an index that is taken is a conflict and keeps its batch", run: fenceByIndex },
  { name: "an older term is a conflict, an equal or higher one is not", run: fenceByTerm },
  { name: "of 32 appenders exactly one wins each slot", run: race },
  { name: "an identical batch sent again is recognised by its id", run: sentAgain },
  { name: "a batch that is too large is refused and nothing is stored", run: tooLarge },
  { name: "the caller's bytes are neither changed nor detached", run: bytesStayTheCallers },
  { name: "a reader beside the appender sees every batch once, in order", run: readWhileAppending },
  { name: "a read of a few bytes returns at least one batch", run: readLimits },
  { name: "what is below the trim point is gone and says so", run: trims },
  { name: "a trim never takes the head", run: trimPastHead },
  { name: "a reader that a trim overtakes is told so and skips nothing", run: trimUnderReader },
  { name: "a journal opened again has kept everything", run: reopen },
  { name: "a foreign journal id halts", run: foreign },
  { name: "an expected index above the head halts", run: aboveHead },
  { name: "a batch that does not continue the head halts and is not stored", run: brokenChain },
  { name: "a flipped bit halts", run: flipped },
  { name: "a gap halts", run: gapped },
  { name: "usage grows with what is stored", run: usage },
  {
    name: "a follower hears of what others append, until it ends (if it can be followed)",
    run: follows,
  },
  { name: "a closed journal answers with a halt, and rings no more", run: closed },
  ...durableCases,
];

/** Only a broken engine needs as long. */
const ringMsMax = 10_000;

type Changes = Partial<Omit<Batch, "index">>;

function nextBatch(journal: Journal, head: Head, changes: Changes = {}): EncodedBatch {
  return encodeBatch({
    journalId: journal.journalId,
    index: head.index + 1,
    term: head.term,
    batchId: newBatchId(),
    previousHash: head.hash,
    format: 1,
    time: head.index,
    wall: 1_700_000_000_000,
    bytes: Buffer.from(`entries of ${head.index + 1}`),
    ...changes,
  });
}

/** Appends `count` batches and returns the new head. */
async function fill(journal: Journal, count: number, changes: Changes = {}): Promise<Head> {
  let head = await journal.head();
  for (let done = 0; done < count; done++) {
    const batch = nextBatch(journal, head, changes);
    assertKind(await journal.append(head.index, batch), "appended");
    head = headOf(batch);
  }
  return head;
}

function assertKind(result: AppendResult, kind: AppendResult["kind"]): void {
  assert.equal(result.kind, kind, JSON.stringify(result));
}

async function assertHalts(kind: HaltKind, work: () => Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof JournalHalt, `expected a halt, got ${String(error)}`);
    assert.equal(error.kind, kind, error.message);
    return true;
  });
}

async function empty(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  assert.deepEqual(await journal.head(), emptyHead);
  assert.deepEqual(await journal.readAfter(0), []);
  assert.equal(await journal.read(1), undefined);
  assert.equal(await journal.trimmed(), 0);
  await journal.trim(10);
  await journal.verify();
}

async function contiguous(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const bytes = Uint8Array.from({ length: 300 }, (_, at) => at % 256);
  const head = await fill(journal, 20, { bytes, term: 3, time: 2 ** 40 + 1, format: 7 });
  assert.deepEqual(await journal.head(), head);
  const stored = await journal.readAfter(0);
  assert.deepEqual(
    stored.map(({ index }) => index),
    Array.from({ length: 20 }, (_, at) => at + 1),
  );
  let previous = emptyHead;
  for (const batch of stored) {
    checkNext(journal.journalId, previous, batch);
    previous = headOf(batch);
    assert.deepEqual(Uint8Array.from(batch.bytes), bytes);
    assert.equal(decodeBatch(batch.encoded).hash, batch.hash);
    assert.deepEqual([batch.term, batch.time, batch.format], [3, 2 ** 40 + 1, 7]);
  }
  assert.deepEqual(await journal.readAfter(20), []);
  assert.equal((await journal.read(20))?.hash, head.hash);
  await assert.rejects(journal.append(head.index + 1, nextBatch(journal, head)), TypeError);
  await journal.verify();
}

async function fenceByIndex(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const first = nextBatch(journal, emptyHead);
  assertKind(await journal.append(0, first), "appended");
  assertKind(await journal.append(0, nextBatch(journal, emptyHead, { term: 9 })), "conflict");
  const head = await fill(journal, 3);
  const late = nextBatch(journal, headOf(first), { term: 9 });
  assertKind(await journal.append(1, late), "conflict");
  assert.equal((await journal.read(1))?.batchId, first.batchId);
  assert.deepEqual(await journal.head(), head);
}

async function fenceByTerm(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 1, { term: 5 });
  assertKind(await journal.append(1, nextBatch(journal, head, { term: 4 })), "conflict");
  assert.deepEqual(await journal.head(), head);
  const equal = await fill(journal, 1, { term: 5 });
  assert.equal(equal.term, 5);
  const higher = await fill(journal, 1, { term: 8 });
  assert.deepEqual(await journal.head(), higher);
  assertKind(await journal.append(3, nextBatch(journal, higher, { term: 7 })), "conflict");
}

async function race(bench: JournalBench): Promise<void> {
  await using one = await bench.open();
  await using two = await bench.open();
  const appenders = Array.from({ length: 32 }, (_, at) => (at % 2 === 0 ? one : two));
  for (let slot = 1; slot <= 12; slot++) {
    const head = await one.head();
    const tries = appenders.map((journal) => {
      const batch = nextBatch(journal, head);
      return { journal, batch, result: journal.append(head.index, batch) };
    });
    const results = await Promise.all(tries.map(({ result }) => result));
    const winners = results.filter(({ kind }) => kind === "appended");
    assert.equal(winners.length, 1, `slot ${slot}: ${JSON.stringify(results)}`);
    for (const [at, { journal, batch }] of tries.entries()) {
      const stored = await journal.read(slot);
      assert.equal(stored?.batchId === batch.batchId, results[at]?.kind === "appended");
    }
  }
  await one.verify();
}

async function sentAgain(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 2);
  const batch = nextBatch(journal, head);
  const results = await Promise.all([journal.append(2, batch), journal.append(2, batch)]);
  assert.deepEqual(results.map(({ kind }) => kind).sort(), ["appended", "conflict"]);
  assertKind(await journal.append(2, batch), "conflict");
  assert.equal((await journal.read(3))?.batchId, batch.batchId);
  assert.deepEqual(await journal.head(), headOf(batch));
}

async function tooLarge(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 1);
  const large = nextBatch(journal, head, { bytes: new Uint8Array(journal.batchBytesMax) });
  const result = await journal.append(1, large);
  assert.equal(result.kind === "refused" && result.code, "too_large");
  assert.deepEqual(await journal.head(), head);
  assert.equal(await journal.read(2), undefined);
  const room = journal.batchBytesMax - 200;
  const most = nextBatch(journal, head, { bytes: new Uint8Array(room) });
  assertKind(await journal.append(1, most), "appended");
  assert.equal((await journal.read(2))?.bytes.length, room);
}

async function bytesStayTheCallers(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const made = nextBatch(journal, emptyHead, { bytes: Buffer.alloc(100_000, 7) });
  const copy = Buffer.from(made.bytes);
  assertKind(await journal.append(0, made), "appended");
  assert.ok(copy.equals(made.bytes));
  // A view into the middle of a larger buffer is a batch like any other.
  const next = nextBatch(journal, headOf(made));
  const pool = Buffer.concat([Buffer.alloc(64), next.bytes, Buffer.alloc(64)]);
  const view = pool.subarray(64, 64 + next.bytes.length);
  assertKind(await journal.append(1, { ...next, bytes: view }), "appended");
  assert.equal((await journal.read(2))?.hash, next.hash);
}

async function readWhileAppending(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  await using other = await bench.open();
  const count = 200;
  const writing = fill(journal, count);
  for (const reader of [journal, other]) {
    let last = emptyHead;
    while (last.index < count) {
      for (const batch of await reader.readAfter(last.index)) {
        checkNext(reader.journalId, last, batch);
        last = headOf(batch);
      }
    }
  }
  await writing;
}

async function readLimits(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  await fill(journal, 10, { bytes: Buffer.alloc(1000) });
  assert.equal((await journal.readAfter(0, 1)).length, 1);
  const some = await journal.readAfter(4, 3500);
  assert.deepEqual(
    some.map(({ index }) => index),
    [5, 6, 7],
  );
}

async function trims(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  await fill(journal, 30);
  await journal.trim(11);
  assert.equal(await journal.trimmed(), 10);
  assert.equal(await journal.read(10), undefined);
  assert.equal((await journal.read(11))?.index, 11);
  await assertHalts("trimmed", () => journal.readAfter(9));
  assert.equal((await journal.readAfter(10))[0]?.index, 11);
  await journal.trim(5);
  assert.equal(await journal.trimmed(), 10);
  await fill(journal, 1);
  await journal.verify();
  await journal.verify(20);
}

async function trimPastHead(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 5, { term: 4 });
  await journal.trim(1000);
  assert.equal(await journal.trimmed(), 4);
  assert.deepEqual(await journal.head(), head);
  assertKind(await journal.append(5, nextBatch(journal, head, { term: 3 })), "conflict");
  await fill(journal, 1);
  assert.equal((await journal.head()).index, 6);
}

async function trimUnderReader(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 150, { bytes: Buffer.alloc(500) });
  const trimming = journal.trim(120);
  let last = 0;
  while (last < head.index) {
    try {
      for (const batch of await journal.readAfter(last, 2000)) {
        assert.equal(batch.index, last + 1);
        last = batch.index;
      }
    } catch (error) {
      assert.ok(error instanceof JournalHalt && error.kind === "trimmed", String(error));
      last = await journal.trimmed();
    }
  }
  await trimming;
  assert.equal(await journal.trimmed(), 119);
}

async function reopen(bench: JournalBench): Promise<void> {
  const before = await (async () => {
    await using journal = await bench.open();
    const head = await fill(journal, 12, { term: 2 });
    await journal.trim(4);
    return { head, journalId: journal.journalId };
  })();
  await using journal = await bench.open({ journalId: before.journalId });
  assert.equal(journal.journalId, before.journalId);
  assert.deepEqual(await journal.head(), before.head);
  assert.equal(await journal.trimmed(), 3);
  assert.equal((await journal.readAfter(3)).length, 9);
  await journal.verify();
  await fill(journal, 1);
}

async function foreign(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 1);
  await assertHalts("foreign_journal", () => bench.open({ journalId: "another" }));
  const batch = nextBatch(journal, head, { journalId: "another" });
  await assertHalts("foreign_journal", () => journal.append(1, batch));
  assert.deepEqual(await journal.head(), head);
}

async function aboveHead(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 2);
  const batch = nextBatch(journal, { ...head, index: 5 });
  await assertHalts("head_went_back", () => journal.append(5, batch));
  assert.deepEqual(await journal.head(), head);
}

async function brokenChain(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const head = await fill(journal, 2);
  const batch = nextBatch(journal, { ...head, hash: "f".repeat(64) });
  await assertHalts("broken_chain", () => journal.append(2, batch));
  assert.deepEqual(await journal.head(), head);
  await journal.verify();
}

async function flipped(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  await fill(journal, 9);
  await bench.flip(5);
  await assertHalts("corrupt", () => journal.verify());
  await assertHalts("corrupt", () => journal.read(5));
  await assertHalts("corrupt", () => journal.readAfter(0));
  assert.equal((await journal.readAfter(5)).length, 4);
}

async function gapped(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  await fill(journal, 9);
  await bench.remove(5);
  await assertHalts("gap", () => journal.verify());
  await assertHalts("gap", () => journal.read(5));
  await assertHalts("gap", () => journal.readAfter(0));
  await assertHalts("gap", () => journal.readAfter(4, 1));
}

async function usage(bench: JournalBench): Promise<void> {
  await using journal = await bench.open();
  const lagMs = bench.usageLagMs ?? 0;
  const before = await journal.usage();
  await fill(journal, 8, { bytes: new Uint8Array(100_000) });
  const grown = (bytes: number): boolean => bytes > before.bytes + 700_000;
  const after = await usageOf(journal, grown, lagMs);
  assert.ok(grown(after.bytes), `${before.bytes} → ${after.bytes}`);
  assert.ok(after.bytes <= after.bytesMax && after.diskFree > 0);
  await journal.trim(9);
  const freed = (bytes: number): boolean => bytes < after.bytes - 500_000;
  const last = await usageOf(journal, freed, lagMs);
  assert.ok(freed(last.bytes), `${after.bytes} → ${last.bytes}`);
}

/** The usage once it is as it should be, or after the lag. */
async function usageOf(
  journal: Journal,
  holds: (bytes: number) => boolean,
  lagMs: number,
): Promise<JournalUsage> {
  const end = performance.now() + lagMs;
  for (;;) {
    const usage = await journal.usage();
    if (holds(usage.bytes) || performance.now() >= end) return usage;
    await delay(20);
    // What a commit freed may be counted with the next one.
    await fill(journal, 1);
  }
}

async function follows(bench: JournalBench): Promise<string | void> {
  await using journal = await bench.open();
  await using other = await bench.open();
  if (!journal.follow) return "this engine cannot be followed";
  const one = bell();
  const two = bell();
  const endOne = journal.follow(one.ring);
  const endTwo = journal.follow(two.ring);
  // What is appended before the following is set up may be missed: append until both have heard.
  while (one.rings === 0 || two.rings === 0) await fill(other, 1);
  for (const by of [other, journal]) {
    const [onesNext, twosNext] = [one.next(), two.next()];
    await fill(by, 1);
    await Promise.all([onesNext, twosNext]);
  }
  endOne();
  endOne();
  const rings = one.rings;
  const twosNext = two.next();
  const head = await fill(other, 3);
  await twosNext;
  assert.equal(one.rings, rings, "it rang after its end");
  assert.deepEqual(await journal.head(), head);
  endTwo();
}

/** Counts rings; `next` resolves with the next one, or fails after a long while. */
function bell() {
  const waiting: (() => void)[] = [];
  const own = {
    rings: 0,
    ring: () => {
      own.rings++;
      for (const wake of waiting.splice(0)) wake();
    },
    next: (): Promise<void> => {
      const rung = new Promise<void>((resolve) => waiting.push(resolve));
      const late = delay(ringMsMax).then(() => assert.fail(`no ring within ${ringMsMax} ms`));
      return Promise.race([rung, late]);
    },
  };
  return own;
}

async function closed(bench: JournalBench): Promise<void> {
  const journal = await bench.open();
  await using other = await bench.open();
  const head = await fill(journal, 1);
  let rings = 0;
  journal.follow?.(() => rings++);
  await journal[Symbol.asyncDispose]();
  await journal[Symbol.asyncDispose]();
  rings = 0;
  await fill(other, 1);
  assert.equal(rings, 0, "it rang after it was closed");
  await assertHalts("engine_failed", () => journal.append(1, nextBatch(journal, head)));
  await assertHalts("engine_failed", () => journal.head());
}
