// The SQL of a journal: what each call does on one connection. Synchronous; used inside the threads.
//
// R1  The fence is one INSERT whose SELECT looks at the head: SQLite takes the write lock before it
//     reads, so no other process can come between the look and the write (E2).
// R2  Whatever reads more than one row does so in one transaction, so a trim cannot cut it short.
// R3  No iterator is left open: it would keep a read mark, and the WAL could never start over.

import type { DatabaseSyncInstance, StatementSyncInstance } from "@photostructure/sqlite";
import { decodeBatch, type EncodedBatch } from "./batch.ts";
import { checkExtends, checkNext, gap, headOf, trimmedAway } from "./chain.ts";
import { JournalHalt } from "./halt.ts";
import { emptyHead, type AppendResult, type Head } from "./journal.ts";
import { appendTrouble } from "./sqlite-errors.ts";
import type { RawBatch } from "./sqlite-calls.ts";
import { pragma, type Connection } from "./sqlite-connection.ts";

/** A trim holds the write lock for one slice; this much takes a few milliseconds. */
const sliceBytes = 4 * 1024 * 1024;
const sliceRows = 512;

const insertNext = `
  INSERT INTO batch (idx, term, id, hash, bytes)
  SELECT ?1, ?2, ?3, ?4, ?5 WHERE
    (?1 = 1 AND NOT EXISTS (SELECT 1 FROM batch)) OR
    EXISTS (
      SELECT 1 FROM (SELECT idx, term, hash FROM batch ORDER BY idx DESC LIMIT 1)
      WHERE idx = ?1 - 1 AND term <= ?2 AND hash = ?6
    )`;

export class SqliteStore {
  readonly #connection: Connection;
  readonly #db: DatabaseSyncInstance;
  readonly #insertNext: StatementSyncInstance;
  readonly #selectHead: StatementSyncInstance;
  readonly #selectHash: StatementSyncInstance;
  readonly #selectSizes: StatementSyncInstance;
  readonly #selectBytes: StatementSyncInstance;
  readonly #selectTrimmed: StatementSyncInstance;

  constructor(connection: Connection) {
    const { db } = connection;
    this.#connection = connection;
    this.#db = db;
    this.#insertNext = db.prepare(insertNext);
    this.#selectHead = db.prepare(
      "SELECT idx, term, id, hash FROM batch ORDER BY idx DESC LIMIT 1",
    );
    this.#selectHash = db.prepare("SELECT hash FROM batch WHERE idx = ?");
    this.#selectSizes = db.prepare(
      "SELECT idx, length(bytes) AS size FROM batch WHERE idx > ? AND idx < ? ORDER BY idx LIMIT ?",
    );
    this.#selectBytes = db.prepare(
      "SELECT idx, hash, bytes FROM batch WHERE idx > ? AND idx <= ? ORDER BY idx",
    );
    this.#selectTrimmed = db.prepare("SELECT value FROM meta WHERE key = 'trimmed'");
  }

  append(batch: EncodedBatch): AppendResult {
    const { bytes, index, term, hash } = batch;
    try {
      const id = bytes.subarray(40, 56);
      const previousHash = bytes.subarray(56, 88);
      const hashBytes = Buffer.from(hash, "hex");
      const { changes } = this.#insertNext.run(index, term, id, hashBytes, bytes, previousHash);
      if (changes === 1) return { kind: "appended" };
    } catch (error) {
      return appendTrouble(error);
    }
    checkExtends(this.#connection.journalId, this.head(), batch);
    return { kind: "conflict" };
  }

  head(): Head {
    // The columns are those of the statement above, in the types of the schema.
    const row = this.#selectHead.get() as HeadRow | undefined;
    if (!row) return emptyHead;
    return { index: row.idx, term: row.term, hash: hex(row.hash), batchId: hex(row.id) };
  }

  trimmed(): number {
    return Number(this.#selectTrimmed.get()?.value ?? 0);
  }

  read(index: number): RawBatch | null {
    return this.#inRead(() => {
      if (index < 1 || index <= this.trimmed() || index > this.head().index) return null;
      const raw = this.#rows(index - 1, index)[0];
      if (!raw) throw gap(index, undefined);
      return raw;
    });
  }

  /** At least one batch if there is one; checked by CRC, hash and chain. */
  readAfter(index: number, limitBytes: number): RawBatch[] {
    return this.#inRead(() => {
      const trimmed = this.trimmed();
      if (index < trimmed) throw trimmedAway(index + 1, trimmed);
      const head = this.head();
      if (index >= head.index) return [];
      const last = this.#lastWithin(index, Number.MAX_SAFE_INTEGER, limitBytes);
      return this.#rows(index, last ?? index + 1);
    });
  }

  /** Deletes one slice of what is below; tells whether more is left. */
  trimSlice(below: number): boolean {
    const last = this.#lastWithin(0, Math.min(below, this.head().index), sliceBytes);
    if (last === undefined) return false;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      this.#db.prepare("DELETE FROM batch WHERE idx <= ?").run(last);
      this.#db.prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'trimmed'").run(last);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    return true;
  }

  /**
   * Copies the WAL into the database. The long part runs beside appends; only what they added
   * meanwhile is copied while they wait, and then the WAL starts over instead of growing.
   */
  checkpoint(): { walBytes: number } {
    this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    const row: unknown = this.#db.prepare("PRAGMA wal_checkpoint(RESTART)").get();
    // Columns: busy, log (frames in the WAL), checkpointed.
    const [busy, frames] = Object.values(row as object).map(Number);
    return { walBytes: busy === 0 ? 0 : (frames ?? 0) * this.#connection.pageBytes };
  }

  usage(): { bytes: number } {
    const pages = Number(pragma(this.#db, "PRAGMA page_count"));
    const free = Number(pragma(this.#db, "PRAGMA freelist_count"));
    return { bytes: (pages - free) * this.#connection.pageBytes };
  }

  /** The last index above `after` and below `below` that fits into `limitBytes`, at least one. */
  #lastWithin(after: number, below: number, limitBytes: number): number | undefined {
    // The columns are those of the statement.
    const rows = this.#selectSizes.all(after, below, sliceRows) as { idx: number; size: number }[];
    let left = limitBytes;
    let last: number | undefined;
    for (const { idx, size } of rows) {
      if (last !== undefined && size > left) break;
      left -= size;
      last = idx;
    }
    return last;
  }

  #rows(after: number, last: number): RawBatch[] {
    const { journalId } = this.#connection;
    let previous: Head | undefined = after === 0 ? emptyHead : this.#linkAt(after);
    // The columns are those of the statement.
    const rows = this.#selectBytes.all(after, last) as BytesRow[];
    if (rows.length === 0) throw gap(after + 1, undefined);
    return rows.map(({ idx, hash, bytes }) => {
      const batch = decodeBatch(bytes, idx);
      if (batch.hash !== hex(hash) || batch.index !== idx) throw misplaced(idx);
      // The oldest kept batch continues one that is gone: its link is taken on trust.
      previous ??= { ...emptyHead, index: after, hash: batch.previousHash };
      checkNext(journalId, previous, batch);
      previous = headOf(batch);
      return { bytes, hash: batch.hash };
    });
  }

  #linkAt(index: number): Head | undefined {
    const hash: unknown = this.#selectHash.get(index)?.hash;
    return hash instanceof Uint8Array ? { ...emptyHead, index, hash: hex(hash) } : undefined;
  }

  #inRead<T>(work: () => T): T {
    this.#db.exec("BEGIN");
    try {
      return work();
    } finally {
      if (this.#db.isTransaction) this.#db.exec("COMMIT");
    }
  }
}

interface HeadRow {
  readonly idx: number;
  readonly term: number;
  readonly id: Uint8Array;
  readonly hash: Uint8Array;
}

interface BytesRow {
  readonly idx: number;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

function misplaced(index: number): JournalHalt {
  return new JournalHalt("corrupt", {
    what: `the row of index ${index} holds a batch that does not belong there`,
    why: "its index or its hash differs from the row's",
    todo: "Check the disk, then restore this journal from another master or a backup",
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
