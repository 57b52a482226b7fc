// The SQLite engine: one file, one row per batch, every commit fsynced.
//
//     this thread ──append, head, trim──▶ thread A: the connection that writes
//                 ──read, verify, usage, checkpoint──▶ thread B: a connection beside it
//
// It owns the two threads and decides who does what. The SQL is in `sqlite-store.ts`, what is set
// and checked at opening in `sqlite-connection.ts` and `sqlite-preflight.ts`.
//
// S1  Thread A never reads ranges and never checkpoints: its time belongs to appends.
// S2  After every `checkpointBytes` of appends thread B empties the WAL, so it stays bounded.
// S3  The first halt of kind fsync_failed or engine_failed stops the journal as a whole (E7).
// S4  Several masters on one machine may open one file; SQLite's locks order their appends.
// S5  A file that was moved or replaced is noticed when `usage` is asked, and stops the journal.

import { realpath, stat, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { asError } from "../lib/as-error.ts";
import { systemClock, type Clock } from "../lib/clock.ts";
import { lockHolders } from "../lib/lock-holders.ts";
import { startThread } from "../lib/thread.ts";
import { decodeChecked, type EncodedBatch } from "./batch.ts";
import { checkExpected, foreignJournal, headWentBack } from "./chain.ts";
import { JournalHalt } from "./halt.ts";
import { readBytesDefault, type AppendResult, type Head, type Journal } from "./journal.ts";
import type { JournalUsage, StoredBatch } from "./journal.ts";
import { ThreadCaller, type CallKind, type Calls } from "./sqlite-calls.ts";
import type { Opened, SqliteSettings } from "./sqlite-calls.ts";
import { checkPlace } from "./sqlite-preflight.ts";

export interface SqliteJournalOptions {
  /** The file; it and its folder are created if they are missing. */
  readonly path: string;
  /** Of a new journal: its id. Of an old one: what it must be. */
  readonly journalId?: string;
  /** The quota of what the journal may occupy; none unless given. */
  readonly bytesMax?: number;
  readonly clock?: Clock;
  /** For tests of the engine only. */
  readonly testing?: {
    readonly synchronous?: "OFF" | "NORMAL";
    readonly fileSystemType?: number;
  };
}

/** An append that takes longer is answered `unknown`; the caller then reads the index (J3). */
const appendMs = 10_000;
const callMs = 60_000;
/** Trims and verification of a large journal take as long as they take. */
const longMs = 2 ** 31 - 1;
const checkpointBytes = 16 * 1024 * 1024;
const batchBytesMax = 4 * 1024 * 1024;
const inlineBytesMax = 16 * 1024;
/** WAL_WRITE_LOCK in the file format of SQLite (walformat.html, "WAL Locks"): whoever appends holds it. */
const writeLockByte = 120;

export async function openSqliteJournal(options: SqliteJournalOptions): Promise<SqliteJournal> {
  const path = resolve(options.path);
  checkPlace(path, options.testing?.fileSystemType);
  const clock = options.clock ?? systemClock;
  const url = new URL("./sqlite-thread.ts", import.meta.url);
  const writer = new ThreadCaller(startThread(url, { name: "journal" }), clock);
  const reader = new ThreadCaller(startThread(url, { name: "journal-reads" }), clock);
  const ask = {
    path,
    journalId: options.journalId,
    bytesMax: options.bytesMax,
    unsafeSynchronous: options.testing?.synchronous,
  };
  try {
    const opened = await writer.call("open", ask, callMs);
    await reader.call("open", { ...ask, journalId: opened.journalId }, callMs);
    const { ino: file } = await stat(path);
    const shared = `${await realpath(path)}-shm`;
    const { bytesMax } = options;
    return new SqliteJournal({ path, writer, reader, opened, file, shared, bytesMax });
  } catch (error) {
    await Promise.all([writer.close(callMs), reader.close(callMs)]);
    throw error;
  }
}

interface Parts {
  readonly path: string;
  readonly writer: ThreadCaller;
  readonly reader: ThreadCaller;
  readonly opened: Opened;
  readonly bytesMax: number | undefined;
  /** The inode of the opened file. */
  readonly file: number;
  /** The index of the WAL, where SQLite puts its locks: beside the file itself, not beside a link to it. */
  readonly shared: string;
}

export class SqliteJournal implements Journal {
  readonly engine = "sqlite";
  readonly batchBytesMax = batchBytesMax;
  readonly inlineBytesMax = inlineBytesMax;
  readonly journalId: string;
  /** What the writing connection says about itself. */
  readonly settings: SqliteSettings;
  readonly #parts: Parts;
  #bytesSinceCheckpoint = 0;
  #checkpoint: Promise<void> | undefined;
  #seen = 0;
  #stopped: JournalHalt | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.journalId = parts.opened.journalId;
    this.settings = parts.opened.settings;
  }

  async append(expected: number, batch: EncodedBatch): Promise<AppendResult> {
    checkExpected(expected, batch);
    const { bytes, hash, journalId } = batch;
    if (journalId !== this.journalId) throw foreignJournal(this.journalId, journalId);
    if (bytes.length > batchBytesMax) return tooLarge(bytes.length);
    try {
      const result = await this.#call("append", { bytes: ownMemory(bytes), hash }, appendMs);
      if (result.kind === "appended") this.#appended(batch);
      return result;
    } catch (error) {
      if (error instanceof JournalHalt) throw error;
      return { kind: "unknown", cause: asError(error) };
    }
  }

  async read(index: number): Promise<StoredBatch | undefined> {
    const raw = await this.#call("read", { index }, callMs);
    return raw ? decodeChecked(raw.bytes, raw.hash) : undefined;
  }

  async readAfter(index: number, limitBytes: number = readBytesDefault): Promise<StoredBatch[]> {
    const raws = await this.#call("readAfter", { index, limitBytes }, callMs);
    return raws.map(({ bytes, hash }) => decodeChecked(bytes, hash));
  }

  async head(): Promise<Head> {
    const head = await this.#call("head", null, callMs);
    if (head.index < this.#seen) throw headWentBack(head.index, this.#seen);
    this.#seen = head.index;
    return head;
  }

  trimmed(): Promise<number> {
    return this.#call("trimmed", null, callMs);
  }

  async trim(below: number): Promise<void> {
    await this.#call("trim", { below }, longMs);
  }

  async usage(): Promise<JournalUsage> {
    const { path, bytesMax } = this.#parts;
    const { bytes } = await this.#call("usage", null, callMs);
    await this.#checkInPlace();
    const { bavail, bsize } = await statfs(dirname(path));
    return { bytes, bytesMax: bytesMax ?? Number.MAX_SAFE_INTEGER, diskFree: bavail * bsize };
  }

  async verify(from?: number): Promise<void> {
    await this.#call("verify", { from }, longMs);
  }

  lockedBy(): readonly number[] | undefined {
    return lockHolders(this.#parts.shared, writeLockByte);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** S5: what is appended to a file without a name is gone with this process. */
  async #checkInPlace(): Promise<void> {
    const { path, file } = this.#parts;
    const found = await stat(path).catch(() => undefined);
    if (found?.ino === file) return;
    this.#stopped ??= new JournalHalt("engine_failed", {
      what: `the journal at ${path} is no longer the file that was opened`,
      why: found ? "another file stands in its place" : "it was deleted or moved away",
      todo: "Put it back, then restart this master",
    });
    throw this.#stopped;
  }

  #appended({ index, bytes }: EncodedBatch): void {
    this.#seen = Math.max(this.#seen, index);
    // A commit writes whole pages, and the leaf page besides those of the batch itself.
    const { pageBytes } = this.#parts.opened;
    this.#bytesSinceCheckpoint += (Math.ceil(bytes.length / pageBytes) + 1) * pageBytes;
    if (this.#bytesSinceCheckpoint < checkpointBytes || this.#checkpoint) return;
    this.#bytesSinceCheckpoint = 0;
    this.#checkpoint = this.#call("checkpoint", null, callMs)
      .then(({ walBytes }) => {
        // A reader of another process was in the way: what is left counts for the next time.
        this.#bytesSinceCheckpoint += walBytes / 2;
      })
      .catch(() => {
        // A halt is kept by #call for all later calls; a busy lock is tried again the next time.
      })
      .finally(() => {
        this.#checkpoint = undefined;
      });
  }

  async #call<K extends CallKind>(
    kind: K,
    ask: Calls[K]["ask"],
    limitMs: number,
  ): Promise<Calls[K]["answer"]> {
    if (this.#stopped) throw this.#stopped;
    const { writer, reader } = this.#parts;
    const thread = writerKinds.has(kind) ? writer : reader;
    try {
      return await thread.call(kind, ask, limitMs);
    } catch (error) {
      const fatal = error instanceof JournalHalt && stopping.has(error.kind);
      if (fatal) this.#stopped ??= error;
      throw error;
    }
  }

  async #close(): Promise<void> {
    this.#stopped ??= new JournalHalt("engine_failed", {
      what: `the journal at ${this.#parts.path} is closed`,
      why: "its owner closed it",
      todo: "Open it again",
    });
    await this.#checkpoint;
    await this.#parts.reader.close(callMs);
    await this.#parts.writer.close(callMs);
  }
}

const writerKinds: ReadonlySet<CallKind> = new Set<CallKind>(["append", "head", "trim"]);
const stopping: ReadonlySet<string> = new Set(["fsync_failed", "engine_failed"]);

/** Posting a view copies all of the memory below it: a small view of a large pool gets its own. */
function ownMemory(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function tooLarge(size: number): AppendResult {
  const why = `a batch of ${size} bytes is larger than ${batchBytesMax}`;
  return { kind: "refused", code: "too_large", why };
}
