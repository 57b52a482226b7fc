// One segment of a master's logs: a SQLite file of pieces that is only added to, and leaves as a whole. Inside the
// thread only.
//
// The `DatabaseSync` lives as long as its statements: @photostructure/sqlite does not keep it alive for them, and a
// statement of a collected database crashes the process. And a closed one keeps its file open until its statements are
// collected: so there is no exclusive lock on it, and one that leaves is emptied before it is unlinked.

import { existsSync, rmSync, statSync, truncateSync } from "node:fs";
import { crc32 } from "node:zlib";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import type { LogPiece } from "../../protocol/log-push.ts";
import { pieceFlags } from "../../protocol/log-push.ts";
import { LogRecordReader } from "../../protocol/log-record.ts";
import type { LinePlace, LogAddress } from "./log-calls.ts";

export interface StoredPiece {
  readonly task: number;
  readonly attempt: number;
  readonly start: number;
  readonly at: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
}

/** A place in a log, without its bytes. */
export interface Span {
  readonly start: number;
  readonly length: number;
  readonly flags: number;
}

const applicationId = 0x534b4c47; // "SKLG"
const layout = 1;

const schema = `
  CREATE TABLE jobs (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
  -- at, last: wall times of the worker at the first and the last record.
  CREATE TABLE pieces (
    id INTEGER PRIMARY KEY, job INTEGER NOT NULL, task INTEGER NOT NULL, attempt INTEGER NOT NULL,
    start INTEGER NOT NULL, length INTEGER NOT NULL, flags INTEGER NOT NULL, at INTEGER NOT NULL,
    last INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX place ON pieces (job, task, attempt, start);
  CREATE INDEX times ON pieces (job, at, task, attempt, start, last);
  CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta (key, value) VALUES ('came', 0);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${layout};
`;

// A piece that comes again is the same; cut otherwise, by a worker that started again, the longer one has all.
const insertSql = `
  INSERT INTO pieces (job, task, attempt, start, length, flags, at, last, crc, bytes)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (job, task, attempt, start) DO UPDATE SET
    length = excluded.length, flags = excluded.flags, last = excluded.last, crc = excluded.crc,
    bytes = excluded.bytes
  WHERE excluded.length > length
    OR (excluded.length = length AND (excluded.flags & 1) > (flags & 1))`;

const columns = "task, attempt, start, at, flags, crc, bytes";
const ofAttempt = "job = ? AND task = ? AND attempt = ?";

export class LogSegment {
  readonly file: string;
  readonly number: number;
  readonly #db: DatabaseSyncInstance;
  readonly #jobs = new Map<string, number>();
  readonly #sql: ReturnType<typeof prepare>;
  #bytes = 0;
  /** Wall time of this master when the last piece came. */
  came: number;

  constructor(file: string, number: number) {
    this.file = file;
    this.number = number;
    this.#db = new DatabaseSync(file, { timeout: 1_000 });
    try {
      configure(this.#db);
      this.#sql = prepare(this.#db);
      const came = this.#sql.came.get() as { value: number } | undefined;
      this.came = came?.value ?? 0;
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.#bytes = fileBytes(file);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All of them, or none. */
  add(pieces: readonly LogPiece[], wall: number): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      for (const piece of pieces) this.#insert(piece);
      this.#sql.setCame.run(Math.trunc(wall));
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#jobs.clear();
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    this.came = wall;
    this.#bytes = fileBytes(this.file);
  }

  #insert({ job, task, attempt, from, at, flags, crc, bytes }: LogPiece): void {
    const number = this.#jobNumber(job) ?? this.#newJob(job);
    const kept = flags & ~pieceFlags.again;
    const last = lastTime(bytes, at);
    const length = bytes.length;
    const times = [Math.trunc(at), Math.trunc(last)] as const;
    this.#sql.insert.run(number, task, attempt, from, length, kept, ...times, crc, bytes);
  }

  #newJob(job: string): number {
    const number = Number(this.#sql.newJob.run(job).lastInsertRowid);
    this.#jobs.set(job, number);
    return number;
  }

  #jobNumber(job: string): number | undefined {
    const known = this.#jobs.get(job);
    if (known !== undefined) return known;
    const row = this.#sql.job.get(job) as { number: number } | undefined;
    if (row) {
      if (this.#jobs.size > 10_000) this.#jobs.clear();
      this.#jobs.set(job, row.number);
    }
    return row?.number;
  }

  has(job: string): boolean {
    return this.#jobNumber(job) !== undefined;
  }

  /** The piece that has the byte at `from`, else the one that begins next. */
  at(address: LogAddress, from: number): StoredPiece | undefined {
    const { job, task, attempt } = address;
    const number = this.#jobNumber(job);
    if (number === undefined) return undefined;
    const before = this.#sql.before.get(number, task, attempt, from) as Row | undefined;
    if (before && before.start + before.bytes.length > from) {
      const sound = checked(before);
      if (sound) return sound;
    }
    for (const row of this.#sql.behind.all(number, task, attempt, from) as unknown as Row[]) {
      const sound = row.bytes.length > 0 ? checked(row) : undefined;
      if (sound) return sound;
    }
    return undefined;
  }

  spans({ job, task, attempt }: LogAddress): readonly Span[] {
    const number = this.#jobNumber(job);
    if (number === undefined) return [];
    return this.#sql.spans.all(number, task, attempt) as unknown as Span[];
  }

  /** The last of an attempt: it says whether the log ends there. */
  lastSpan({ job, task, attempt }: LogAddress): Span | undefined {
    const number = this.#jobNumber(job);
    if (number === undefined) return undefined;
    return this.#sql.lastSpan.get(number, task, attempt) as Span | undefined;
  }

  /** Pieces of a job by the time of their first record, from this place on. */
  pieces(job: string, from: LinePlace, since: number, count: number): readonly StoredPiece[] {
    const number = this.#jobNumber(job);
    if (number === undefined) return [];
    const [at, task, attempt, start] = from;
    const rows = this.#sql.pieces.all(number, since, at, task, attempt, start, count);
    return (rows as unknown as Row[]).flatMap((row) => checked(row) ?? []);
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  remove(): void {
    this.close();
    for (const suffix of ["", "-wal", "-shm"]) {
      const file = `${this.file}${suffix}`;
      if (suffix !== "-shm" && existsSync(file)) truncateSync(file);
      rmSync(file, { force: true });
    }
  }
}

interface Row extends StoredPiece {
  readonly crc: number;
}

/** Undefined when a bit of it has changed. */
function checked({ crc, ...piece }: Row): StoredPiece | undefined {
  return crc32(piece.bytes) === crc ? piece : undefined;
}

function prepare(db: DatabaseSyncInstance) {
  return {
    came: db.prepare("SELECT value FROM meta WHERE key = 'came'"),
    setCame: db.prepare("UPDATE meta SET value = ? WHERE key = 'came'"),
    job: db.prepare("SELECT number FROM jobs WHERE id = ?"),
    newJob: db.prepare("INSERT INTO jobs (id) VALUES (?)"),
    insert: db.prepare(insertSql),
    before: db.prepare(
      `SELECT ${columns} FROM pieces WHERE ${ofAttempt} AND start <= ? ORDER BY start DESC LIMIT 1`,
    ),
    behind: db.prepare(
      `SELECT ${columns} FROM pieces WHERE ${ofAttempt} AND start > ? ORDER BY start LIMIT 4`,
    ),
    spans: db.prepare(`SELECT start, length, flags FROM pieces WHERE ${ofAttempt} ORDER BY start`),
    lastSpan: db.prepare(
      `SELECT start, length, flags FROM pieces WHERE ${ofAttempt} ORDER BY start DESC LIMIT 1`,
    ),
    pieces: db.prepare(
      `SELECT ${columns} FROM pieces INDEXED BY times
       WHERE job = ? AND last >= ? AND (at, task, attempt, start) >= (?, ?, ?, ?)
       ORDER BY at, task, attempt, start LIMIT ?`,
    ),
  };
}

function configure(db: DatabaseSyncInstance): void {
  db.exec("PRAGMA page_size = 16384");
  db.exec("PRAGMA journal_mode = WAL");
  // A process that dies loses nothing; what a power cut may take is said in docs/logs.md.
  db.exec("PRAGMA synchronous = NORMAL");
  db.exec("PRAGMA wal_autocheckpoint = 500");
  db.exec("PRAGMA journal_size_limit = 16777216");
  db.exec("PRAGMA cache_size = -2048");
  const version = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version.user_version === layout) return;
  if (version.user_version !== 0) throw new Error(`its layout is ${version.user_version}`);
  db.exec(`BEGIN; ${schema} COMMIT`);
}

/** Whether an error says that the file itself is no good, and not that it cannot be had now. */
export function isDamage(error: unknown): boolean {
  const code =
    typeof error === "object" && error !== null && "errcode" in error ? Number(error.errcode) : 0;
  return (code & 0xff) === sqliteCorrupt || (code & 0xff) === sqliteNotADatabase;
}

const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;

/** The wall time of the last record. */
function lastTime(bytes: Uint8Array, first: number): number {
  return new LogRecordReader().push(bytes).findLast(({ at }) => at !== undefined)?.at ?? first;
}

function fileBytes(file: string): number {
  const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
  return size(file) + size(`${file}-wal`);
}
