// The database of an archive: its tables, and what is checked when it is opened. Inside the thread
// only.
//
// Q1  The `DatabaseSync` lives as long as its statements: @photostructure/sqlite does not keep it
//     alive for them, and a statement of a collected database crashes the process.
// Q2  One process at a time: the lock is exclusive, which also spares the shared memory of the WAL.
//
// Positions are packed into row ids, so that the big tables need no index for their own order:
// blocks.at = index × 2^20 + n (more entries than a batch has bytes), inputs.at = job × 2^24 +
// first.

import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { describeCause, StoreTrouble } from "./trouble.ts";

export interface Connection {
  readonly db: DatabaseSyncInstance;
  readonly path: string;
}

export interface OpenArchiveAsk {
  readonly path: string;
  readonly journalId: string;
  /** Tests only: SQLite then says that the disk is full. */
  readonly pagesMax?: number;
}

const applicationId = 0x534b4152; // "SKAR"
const schemaVersion = 2;
/** Measured, a block of 1,100 bytes: 4 KiB 5.1 µs of CPU, 16 KiB 3.5, 64 KiB 3.3, more written. */
const pageBytes = 16_384;

const schema = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
  CREATE TABLE lacks (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  -- state: 0 unfinished, 1 succeeded, 2 failed, 3 cancelled. retired: 2 while it is being pruned.
  CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, queue TEXT NOT NULL, labels TEXT NOT NULL,
    state INTEGER NOT NULL, retired INTEGER NOT NULL, created INTEGER NOT NULL, ended INTEGER,
    ended_index INTEGER, bytes INTEGER NOT NULL, json TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX jobs_id ON jobs (id);
  CREATE INDEX jobs_retired ON jobs (ended, number) WHERE retired > 0;
  CREATE INDEX jobs_half_pruned ON jobs (number) WHERE retired = 2;
  -- A tag is what jobs are asked by: a queue, a label, both, or nothing but their state ('').
  CREATE TABLE tags (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    n0 INTEGER NOT NULL, n1 INTEGER NOT NULL, n2 INTEGER NOT NULL, n3 INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE tagged (
    tag INTEGER NOT NULL, state INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (tag, state, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE inputs (at INTEGER PRIMARY KEY, count INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE blocks (
    at INTEGER PRIMARY KEY, job INTEGER NOT NULL, bin INTEGER NOT NULL, states INTEGER NOT NULL,
    wall INTEGER NOT NULL, worker TEXT NOT NULL, block BLOB NOT NULL
  ) STRICT;
  CREATE INDEX blocks_job ON blocks (job);
  CREATE INDEX blocks_bin ON blocks (job, bin);
  CREATE INDEX blocks_unsuccessful ON blocks (job) WHERE states > 1;
  CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY, job INTEGER NOT NULL, task INTEGER NOT NULL, attempt INTEGER NOT NULL,
    code INTEGER NOT NULL, charged INTEGER NOT NULL, started INTEGER NOT NULL,
    ended INTEGER NOT NULL, micros INTEGER NOT NULL, log_bytes INTEGER NOT NULL,
    worker TEXT NOT NULL, error BLOB
  ) STRICT;
  CREATE INDEX attempts_task ON attempts (job, task);
  PRAGMA application_id = ${applicationId};
`;

/** Layout 2: the timeline. at = index × 2^20 + n; many: 1 of jobs and attempts, 0 of all else. */
const timelineSchema = `
  ALTER TABLE jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE timeline (
    at INTEGER PRIMARY KEY, wall INTEGER NOT NULL, kind TEXT NOT NULL, many INTEGER NOT NULL,
    level TEXT NOT NULL, text TEXT NOT NULL,
    job TEXT NOT NULL, worker TEXT NOT NULL, queue TEXT NOT NULL, master TEXT NOT NULL
  ) STRICT;
  CREATE INDEX timeline_kind ON timeline (kind);
  CREATE INDEX timeline_many ON timeline (many);
  CREATE INDEX timeline_job ON timeline (job) WHERE job <> '';
  CREATE INDEX timeline_worker ON timeline (worker) WHERE worker <> '';
  INSERT INTO meta (key, value)
    SELECT 'timeline_floor', iif(value = 0, 0, value + 1)
    FROM meta WHERE key = 'watermark';
  INSERT INTO meta (key, value) VALUES ('timeline_memory', '[]');
  PRAGMA user_version = 2;
`;

export function openConnection(ask: OpenArchiveAsk): Connection {
  let db: DatabaseSyncInstance | undefined;
  try {
    db = new DatabaseSync(ask.path, { timeout: 1000 });
    checkOwner(db, ask.path);
    configure(db, ask);
    createOrCheck(db, ask);
    return { db, path: ask.path };
  } catch (cause) {
    if (db?.isOpen) db.close();
    throw archiveTrouble(cause, `The archive ${ask.path} cannot be opened`);
  }
}

function checkOwner(db: DatabaseSyncInstance, path: string): void {
  const owner = Number(single(db, "PRAGMA application_id"));
  const tables = Number(single(db, "SELECT count(*) FROM sqlite_schema"));
  if (owner !== applicationId && tables > 0) {
    throw new StoreTrouble("foreign", {
      what: `${path} is not opened as an archive`,
      why: "it is a database of something else",
      todo: "Choose another place; nothing was changed",
    });
  }
  const version = Number(single(db, "PRAGMA user_version"));
  if (version > schemaVersion) {
    throw new StoreTrouble("version", {
      what: `The archive ${path} is not opened`,
      why: `its layout ${version} is newer than ${schemaVersion}`,
      todo: "Run the version of Skein that wrote it, or a newer one",
    });
  }
}

function configure(db: DatabaseSyncInstance, { pagesMax }: OpenArchiveAsk): void {
  db.exec(`PRAGMA page_size = ${pageBytes}`);
  db.exec("PRAGMA auto_vacuum = INCREMENTAL"); // Both only before the first table.
  db.exec("PRAGMA locking_mode = EXCLUSIVE");
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL"); // R2: what is committed is fsynced.
  db.exec("PRAGMA fullfsync = ON");
  db.exec("PRAGMA checkpoint_fullfsync = ON");
  db.exec("PRAGMA wal_autocheckpoint = 1000"); // 16 MiB
  db.exec("PRAGMA journal_size_limit = 67108864");
  db.exec("PRAGMA cache_size = -32768");
  // Read back, not assumed: some builds default to less.
  const settings = [single(db, "PRAGMA journal_mode"), single(db, "PRAGMA synchronous")];
  if (settings.join() !== "wal,2") {
    throw new StoreTrouble("failed", {
      what: "The archive cannot keep what it says is durable",
      why: `journal_mode and synchronous are ${settings.join()} instead of wal,2`,
      todo: "Put it on a local disk, and use the packaged SQLite",
    });
  }
  if (pagesMax !== undefined) db.exec(`PRAGMA max_page_count = ${pagesMax}`);
}

function createOrCheck(db: DatabaseSyncInstance, { path, journalId }: OpenArchiveAsk): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    const version = Number(single(db, "PRAGMA user_version"));
    if (version < 1) {
      db.exec(schema);
      const insert = db.prepare("INSERT INTO meta (key, value) VALUES (?, ?)");
      insert.run("journal_id", journalId);
      insert.run("watermark", 0);
      insert.run("bytes", 0);
    }
    if (version < 2) db.exec(timelineSchema);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
  const owner = String(single(db, "SELECT value FROM meta WHERE key = 'journal_id'"));
  if (owner === journalId) return;
  throw new StoreTrouble("foreign", {
    what: `The archive ${path} is not opened`,
    why: `it belongs to journal ${owner}, not to ${journalId}`,
    todo: "Give this master its own data directory, or move the old archive away",
  });
}

/** The single value of a pragma or a query with one row. */
export function single(db: DatabaseSyncInstance, sql: string): unknown {
  const row: unknown = db.prepare(sql).get();
  return typeof row === "object" && row !== null ? Object.values(row)[0] : undefined;
}

/** What SQLite's result codes mean for an archive. */
export function archiveTrouble(cause: unknown, what: string): StoreTrouble {
  if (cause instanceof StoreTrouble) return cause;
  const code =
    typeof cause === "object" && cause !== null && "errcode" in cause ? Number(cause.errcode) : 0;
  const why = describeCause(cause);
  switch (code & 0xff) {
    case 5:
      return new StoreTrouble("in_use", {
        what,
        why: "another process has it open",
        todo: "Stop the other master that uses this data directory",
        cause,
      });
    case 13:
      return new StoreTrouble("full", {
        what,
        why,
        todo: "Free space on this master's disk",
        cause,
      });
    case 11:
    case 26:
      return new StoreTrouble("corrupt", {
        what,
        why: `its file is damaged (${why})`,
        todo:
          "Check the disk, move the file away and restart: this master then archives from its " +
          "snapshot on; copy the rest from another master",
        cause,
      });
    default:
      return new StoreTrouble("failed", {
        what,
        why: code === 0 ? why : `${why}, code ${code}`,
        todo: "Check this master's disk, then restart it: what is missing is in the journal",
        cause,
      });
  }
}
