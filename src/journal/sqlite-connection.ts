// One connection to the journal's database: opens or creates it, sets it up, and reads back that it
// is what a journal needs (J6). Used inside the threads only.
//
// Q1  WAL and `synchronous=FULL` are read back, not assumed: some builds default to less.
// Q2  No connection checkpoints by itself (`wal_autocheckpoint=0`): that would put milliseconds into
//     somebody's commit.
// Q3  The `DatabaseSync` lives as long as its statements: @photostructure/sqlite does not keep it
//     alive for them, and a statement of a collected database crashes the process.

import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { checkJournalId, newJournalId } from "./batch.ts";
import { foreignJournal } from "./chain.ts";
import { JournalHalt } from "./halt.ts";
import { describe, haltOf, troubleOf } from "./sqlite-errors.ts";
import { cannotLie, checkVersion } from "./sqlite-preflight.ts";
import type { OpenAsk, SqliteSettings } from "./sqlite-calls.ts";

export interface Connection {
  /** Q3: held here although only its statements are used. */
  readonly db: DatabaseSyncInstance;
  readonly path: string;
  readonly journalId: string;
  readonly pageBytes: number;
  readonly settings: SqliteSettings;
}

/** How long a statement waits for another process's commit or checkpoint. */
const busyMs = 1000;
const openTries = 5;
const applicationId = 0x534b4e4a; // "SKNJ"
const schemaVersion = 1;
/**
 * Measured (p50 ms at 256 B / 64 KiB / 512 KiB): 4 KiB 0.25 / 0.62 / 2.2, 16 KiB 0.31 / 0.40 / 2.8,
 * 64 KiB 0.26 / 0.44 / 1.4, within the noise of the disk. A small commit writes one whole page, so
 * 64 KiB quadruples what is written and checkpointed for it and makes its p99 five times as long.
 */
const pageBytesWanted = 16384;

const schema = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
  -- Small columns first: they are read without touching the overflow pages of the batch.
  CREATE TABLE IF NOT EXISTS batch (
    idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, id BLOB NOT NULL, hash BLOB NOT NULL,
    bytes BLOB NOT NULL
  );
  INSERT OR IGNORE INTO meta (key, value) VALUES ('trimmed', 0);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;

export function openConnection(ask: OpenAsk): Connection {
  for (let tries = 1; ; tries++) {
    try {
      return open(ask);
    } catch (error) {
      // Changing to WAL does not wait for locks: two masters that create the file at once meet here.
      if (troubleOf(error) === "busy" && tries < openTries) continue;
      throw openTrouble(ask.path, error);
    }
  }
}

export function closeConnection({ db }: Connection): void {
  if (db.isOpen) db.close();
}

function open(ask: OpenAsk): Connection {
  const db = new DatabaseSync(ask.path, { timeout: busyMs });
  try {
    checkVersion(String(pragma(db, "SELECT sqlite_version()")));
    checkOwner(db, ask.path);
    const settings = configure(db, ask);
    const journalId = create(db, ask.journalId);
    if (ask.journalId !== undefined && journalId !== ask.journalId) {
      throw foreignJournal(ask.journalId, journalId);
    }
    // After a failed fsync the page cache may hold what the disk does not. Copying the WAL into the
    // database writes those pages anew, so that nothing rests on the cache alone (J5).
    db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    const pageBytes = Number(pragma(db, "PRAGMA page_size"));
    if (ask.bytesMax !== undefined) {
      db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(ask.bytesMax / pageBytes))}`);
    }
    return { db, path: ask.path, journalId, pageBytes, settings };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A database of somebody else is left exactly as it is. */
function checkOwner(db: DatabaseSyncInstance, path: string): void {
  const owner = Number(pragma(db, "PRAGMA application_id"));
  const tables = Number(pragma(db, "SELECT count(*) FROM sqlite_schema"));
  if (owner !== applicationId && tables > 0) {
    throw cannotLie(path, "it is a SQLite database, but not a Skein journal", {
      todo: "Choose another path; nothing was changed",
    });
  }
  const version = Number(pragma(db, "PRAGMA user_version"));
  if (version > schemaVersion) {
    throw cannotLie(path, `its layout ${version} is newer than ${schemaVersion}`, {
      todo: "Run the version of Skein that wrote it, or a newer one",
    });
  }
}

function configure(db: DatabaseSyncInstance, ask: OpenAsk): SqliteSettings {
  db.exec(`PRAGMA page_size = ${pageBytesWanted}`); // Only does something before the first table.
  const journalMode = String(pragma(db, "PRAGMA journal_mode = WAL"));
  if (journalMode !== "wal") {
    throw cannotLie(ask.path, `its journal mode stayed "${journalMode}" instead of WAL`, {
      todo: "Put the journal on a local disk that supports shared memory (mmap)",
    });
  }
  db.exec(`PRAGMA synchronous = ${ask.unsafeSynchronous ?? "FULL"}`);
  db.exec("PRAGMA fullfsync = ON"); // macOS: fsync alone does not reach the platter.
  db.exec("PRAGMA checkpoint_fullfsync = ON");
  db.exec("PRAGMA wal_autocheckpoint = 0");
  db.exec("PRAGMA journal_size_limit = 67108864");
  const synchronous = Number(pragma(db, "PRAGMA synchronous"));
  if (synchronous !== 2 && ask.unsafeSynchronous === undefined) {
    throw cannotLie(ask.path, `synchronous is ${synchronous} although FULL (2) was set`, {
      todo: "This build of SQLite cannot keep what is acknowledged; use the packaged one",
    });
  }
  return { version: String(pragma(db, "SELECT sqlite_version()")), journalMode, synchronous };
}

/** Makes the tables if they are missing, by whoever comes first, and tells the journal's id. */
function create(db: DatabaseSyncInstance, wanted: string | undefined): string {
  if (wanted !== undefined) checkJournalId(wanted);
  // Taken even if nothing is missing: a lock that somebody keeps shows now, not at the first append.
  db.exec("BEGIN IMMEDIATE");
  try {
    if (Number(pragma(db, "PRAGMA user_version")) < schemaVersion) {
      db.exec(schema);
      db.prepare("INSERT OR IGNORE INTO meta (key, value) VALUES ('journal_id', ?)").run(
        wanted ?? newJournalId(),
      );
    }
    const journalId = pragma(db, "SELECT value FROM meta WHERE key = 'journal_id'");
    db.exec("COMMIT");
    return String(journalId);
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function openTrouble(path: string, error: unknown): Error {
  switch (troubleOf(error)) {
    case "busy":
      return cannotLie(path, "another process keeps it locked", {
        todo: "Find it with: fuser -v <path>; only masters of this cluster may use the file",
        cause: error,
      });
    case "not_a_database":
      return cannotLie(path, "the file is not a SQLite database", {
        todo: "Choose another path; nothing was changed",
        cause: error,
      });
    case "corrupt":
      return haltOf(error);
    case "other":
      return error instanceof JournalHalt ? error : cannotOpen(path, error);
    default:
      return cannotOpen(path, error);
  }
}

function cannotOpen(path: string, error: unknown): JournalHalt {
  return cannotLie(path, `SQLite cannot use it (${describe(error)})`, {
    todo: "Check the directory, its permissions and the free space",
    cause: error,
  });
}

/** The single value of a pragma or a query with one row. */
export function pragma(db: DatabaseSyncInstance, sql: string): unknown {
  const row: unknown = db.prepare(sql).get();
  return typeof row === "object" && row !== null ? Object.values(row)[0] : undefined;
}
