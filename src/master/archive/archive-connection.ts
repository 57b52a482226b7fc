// The database of an archive: its tables, and what is checked when it is opened. Inside the thread
// only.
//
// Q1  The `DatabaseSync` lives as long as its statements: @photostructure/sqlite does not keep it
//     alive for them, and a statement of a collected database crashes the process.
// Q2  One process at a time: the lock is exclusive, which also spares the shared memory of the WAL.

import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { layouts } from "./archive-layouts.ts";
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
/** Measured, a block of 1,100 bytes: 4 KiB 5.1 µs of CPU, 16 KiB 3.5, 64 KiB 3.3, more written. */
const pageBytes = 16_384;

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
  if (version > layouts.length) {
    throw new StoreTrouble("version", {
      what: `The archive ${path} is not opened`,
      why: `its layout ${version} is newer than ${layouts.length}`,
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
    for (const [place, sql] of layouts.entries()) {
      if (place < version) continue;
      db.exec(sql);
      // What later layouts are made from stands there before them.
      if (place === 0) begin(db, journalId);
    }
    if (version < layouts.length) db.exec(`PRAGMA user_version = ${layouts.length}`);
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

function begin(db: DatabaseSyncInstance, journalId: string): void {
  db.exec(`PRAGMA application_id = ${applicationId}`);
  const insert = db.prepare("INSERT INTO meta (key, value) VALUES (?, ?)");
  insert.run("journal_id", journalId);
  insert.run("watermark", 0);
  insert.run("bytes", 0);
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
