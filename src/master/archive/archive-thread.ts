// The archive's thread: owns the database and decides when to commit.
//
//   T1  What was added is held in memory until it is committed, so that a full disk loses nothing:
//       the transaction is rolled back, and tried again with all of it until there is space.
//   T2  Any other failure of a write ends the archive: what the disk then holds is known only after
//       it is opened again (J5). Calls are refused with the reason.
//   T3  Pruning works in slices and lets other messages pass in between.

import { parentPort } from "node:worker_threads";
import { encodeOutcomes } from "../../protocol/outcome-block.ts";
import type { CallKind, Calls, FromThread, ToThread } from "./archive-calls.ts";
import { archiveTrouble, openConnection } from "./archive-connection.ts";
import { ArchiveReads } from "./archive-reads.ts";
import { ArchiveStore } from "./archive-store.ts";
import { readAll } from "./archive-wire.ts";
import type { IndexRange, Pruned, PruneQuery } from "./archive.ts";
import { KeptEnds } from "./run-columns.ts";
import { codesOf, errorsOf, spansOf } from "./run-picture.ts";
import { plainTrouble, StoreTrouble } from "./trouble.ts";

if (!parentPort) throw new Error("archive-thread.ts runs as a worker thread only");
const port = parentPort;

const commitMs = 100;
const commitBytes = 4 * 1024 * 1024;
/** Batches without events only move the watermark: that need not be fsynced ten times a second. */
const idleCommitMs = 2_000;
const retryMs = 500;
/** A slice of pruning: a few milliseconds, also with blocks of a megabyte. */
const sliceRows = 64;
const slicePages = 64;

type Pending = { readonly bytes: Uint8Array } | { readonly skip: IndexRange };

let store: ArchiveStore | undefined;
let reads: ArchiveReads | undefined;
let ends: KeptEnds | undefined;
/** Added and not committed (T1). */
let pending: Pending[] = [];
let pendingBytes = 0;
let timer: NodeJS.Timeout | undefined;
let timerAt = 0;
let trouble: StoreTrouble | undefined;
/** The last one that the other side was told: a retry that fails again is no news. */
let said: StoreTrouble["trouble"] | undefined;

type Handlers = {
  readonly [K in CallKind]: (
    ask: Calls[K]["ask"],
  ) => Calls[K]["answer"] | Promise<Calls[K]["answer"]>;
};

const handlers: Handlers = {
  open(ask) {
    const connection = openConnection(ask);
    try {
      store = new ArchiveStore(connection);
      reads = new ArchiveReads(connection);
      ends = new KeptEnds(reads);
      return { watermark: store.added, lacks: store.lacks() };
    } catch (cause) {
      connection.db.close();
      store = undefined;
      throw cause;
    }
  },
  flush() {
    commit();
    if (trouble) throw trouble;
    return null;
  },
  blocks: ({ job, after, bytesMax }) => reader().blocks(job, after, bytesMax),
  results({ job, query }) {
    const { items, missing, next } = reader().results(job, query);
    return { packed: encodeOutcomes(items), missing, next };
  },
  task: ({ job, task }) => reader().task(job, task),
  inputs({ job, first, count }) {
    const { bytes, ...range } = reader().inputs(job, first, count);
    return { packed: bytes, ...range };
  },
  endedTasks: ({ job, query }) => reader().endedTasks(job, query),
  spans: ({ job, query }) => spansOf(kept().of(job), query),
  codes: ({ job, count }) => ({ packed: codesOf(kept().of(job), count) }),
  errors: ({ job, lookMax }) => errorsOf(reader().failures(job), lookMax),
  timelineAfter({ after, limit }) {
    reader();
    const { timeline, added } = opened();
    return timeline.after(after, limit, added);
  },
  timeline({ query }) {
    reader();
    return opened().timeline.page(query);
  },
  endedAttempts: ({ query }) => reader().endedAttempts(query),
  job: ({ ref }) =>
    afterFlush(({ jobs }) => (typeof ref === "number" ? jobs.byNumber(ref) : jobs.byPrefix(ref))),
  jobs: ({ query }) => afterFlush(({ jobs }) => jobs.page(query)),
  prune: ({ query }) => prune(query),
  usage: () =>
    afterFlush((opened) => ({
      jobs: opened.jobCount(),
      bytes: opened.jobs.bytes,
      fileBytes: opened.fileBytes(),
    })),
  copy({ path }) {
    commit();
    if (trouble) throw trouble;
    // Not inside a transaction; it reads as one. What is added meanwhile waits.
    opened().connection.db.prepare("VACUUM INTO ?").run(path);
    return null;
  },
  close() {
    if (!trouble) commit();
    clearTimeout(timer);
    store?.connection.db.close();
    store = undefined;
    return null;
  },
};

port.on("message", (message: ToThread) => {
  if (message.kind === "call") return void answer(message.id, message.call, message.ask);
  const piece: Pending =
    message.kind === "add" ? { bytes: message.bytes } : { skip: message.range };
  pending.push(piece);
  if (message.kind === "add") pendingBytes += message.bytes.length;
  if (trouble) return;
  if (!attempt(() => write(opened(), piece))) return;
  if (pendingBytes >= commitBytes) commit();
  else commitWithin(opened().idle ? idleCommitMs : commitMs);
});

function commitWithin(ms: number): void {
  const at = performance.now() + ms;
  if (timer && timerAt <= at) return;
  clearTimeout(timer);
  timer = setTimeout(commit, ms);
  timerAt = at;
}

function write(into: ArchiveStore, piece: Pending): void {
  if ("skip" in piece) return into.skip(piece.skip);
  for (const added of readAll(piece.bytes)) into.add(added);
}

function commit(): void {
  const into = store;
  if (trouble || !into) return;
  clearTimeout(timer);
  timer = undefined;
  if (attempt(() => into.commit())) committed(into);
}

function committed(into: ArchiveStore): void {
  say({ kind: "committed", watermark: into.added, bytes: pendingBytes });
  pending = [];
  pendingBytes = 0;
}

/** Runs a write; false when it failed, and then everything since the last commit is undone. */
function attempt(step: () => void): boolean {
  try {
    step();
    return true;
  } catch (cause) {
    const found = archiveTrouble(cause, "The archive cannot be written");
    setTrouble(found);
    try {
      store?.rollBack();
      ends?.drop();
      clearTimeout(timer);
      timer = found.trouble === "full" ? setTimeout(retry, retryMs) : undefined;
    } catch (error) {
      setTrouble(archiveTrouble(error, "The archive cannot be rolled back"));
    }
    return false;
  }
}

/** T1: all of it again. */
function retry(): void {
  timer = undefined;
  const into = store;
  if (!into) return;
  trouble = undefined;
  const done = attempt(() => {
    for (const piece of pending) write(into, piece);
    into.commit();
  });
  if (!done) return;
  said = undefined;
  say({ kind: "trouble", trouble: undefined });
  committed(into);
}

function setTrouble(found: StoreTrouble): void {
  const isNew = said !== found.trouble;
  trouble = found;
  said = found.trouble;
  if (isNew) say({ kind: "trouble", trouble: plainTrouble(found) });
}

async function answer<K extends CallKind>(id: number, call: K, ask: unknown): Promise<void> {
  try {
    // The other side is typed by the same table.
    const given = await handlers[call](ask as Calls[K]["ask"]);
    say({ kind: "answer", id, answer: given });
  } catch (cause) {
    const found = archiveTrouble(cause, `The archive cannot answer "${call}"`);
    say({ kind: "refused", id, trouble: plainTrouble(found) });
  }
}

function opened(): ArchiveStore {
  if (!store) {
    throw new StoreTrouble("closed", {
      what: "The archive is not open",
      why: "it was closed, or never opened",
      todo: "Open it first",
    });
  }
  return store;
}

/** While what was added is not in the database, a read would not see it (R4). */
function reader(): ArchiveReads {
  opened();
  if (trouble) throw trouble;
  if (!reads) throw new TypeError("an open archive has its reads");
  return reads;
}

function kept(): KeptEnds {
  reader();
  if (!ends) throw new TypeError("an open archive has its ends");
  return ends;
}

/** Rows of jobs are held back until a commit; a read of them writes what is held first. */
function afterFlush<T>(read: (opened: ArchiveStore) => T): T {
  reader();
  const from = opened();
  if (!attempt(() => from.jobs.flush())) throw failed();
  return read(from);
}

function failed(): Error {
  return trouble ?? new TypeError("a failed write leaves its reason");
}

async function prune(query: PruneQuery): Promise<Pruned> {
  let jobs = 0;
  let bytes = 0;
  for (;;) {
    reader();
    const into = opened();
    const oldest = into.jobs.oldestRetired();
    if (!oldest) break;
    const old = query.endedBefore !== undefined && oldest.ended < query.endedBefore;
    const much = query.bytesMax !== undefined && into.jobs.bytes > query.bytesMax;
    // One that is half pruned is hidden already: it goes in any case.
    if (!oldest.half && !old && !much) break;
    let done = false;
    const slice = () => {
      into.begin();
      into.jobs.hide(oldest.number);
      ends?.drop(oldest.number);
      done = into.removeSlice(oldest.number, sliceRows);
      if (done) into.jobs.remove(oldest.number, oldest.bytes);
    };
    if (!attempt(slice)) throw failed();
    commitWithin(commitMs);
    if (done) {
      jobs += 1;
      bytes += oldest.bytes;
    }
    await pause();
  }
  if (query.rowsMax !== undefined) await pruneRows(query.rowsMax);
  await shrink();
  return { jobs, bytes };
}

async function pruneRows(rowsMax: number): Promise<void> {
  for (let more = true; more;) {
    reader();
    const into = opened();
    const slice = () => {
      into.begin();
      more = into.timeline.pruneSlice(rowsMax, sliceRows);
    };
    if (!attempt(slice)) throw failed();
    commitWithin(commitMs);
    await pause();
  }
}

/** Pages are given back outside of the transaction of what is added. */
async function shrink(): Promise<void> {
  for (;;) {
    reader();
    commit();
    if (trouble || !opened().shrinkSlice(slicePages)) return;
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function say(message: FromThread): void {
  port.postMessage(message, message.kind === "answer" ? handedOver(message.answer) : []);
}

/** Buffers made for an answer are handed over; those that the driver made are copied. */
function handedOver(given: unknown): ArrayBuffer[] {
  if (typeof given !== "object" || given === null) return [];
  const bytes = "packed" in given ? given.packed : undefined;
  return bytes instanceof Uint8Array ? [bytes.buffer as ArrayBuffer] : [];
}
