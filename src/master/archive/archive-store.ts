// Writing to an archive's database: one open transaction at a time, begun with the first event in
// it. Inside the thread only.
//
//   W1  The watermark is committed together with what it stands for.
//   W2  After `rollBack` the store is as it was at the last commit; whoever called it still has
//       what was added since, and adds it again.

import type { StatementSyncInstance } from "@photostructure/sqlite";
import { single, type Connection } from "./archive-connection.ts";
import { JobTable } from "./archive-jobs.ts";
import { blockAt, inputAt } from "./archive-reads.ts";
import type { Added } from "./archive-wire.ts";
import type { ArchiveEvent, IndexRange } from "./archive.ts";
import { binOf } from "./bins.ts";
import { TimelineMaker } from "./timeline-maker.ts";
import { TimelineTable } from "./timeline-table.ts";
import { scanBlock } from "./block-scan.ts";

export class ArchiveStore {
  readonly connection: Connection;
  readonly jobs: JobTable;
  readonly timeline: TimelineTable;
  readonly #maker: TimelineMaker;
  readonly #statements: ReturnType<typeof prepareAll>;
  #added: number;
  #committed: number;

  constructor(connection: Connection) {
    this.connection = connection;
    this.jobs = new JobTable(connection);
    this.timeline = new TimelineTable(connection);
    this.#maker = new TimelineMaker(this.jobs);
    this.#maker.recall(this.timeline.memory);
    this.#statements = prepareAll(connection);
    this.#added = this.#committed = this.watermark();
  }

  get added(): number {
    return this.#added;
  }

  watermark(): number {
    return Number(single(this.connection.db, "SELECT value FROM meta WHERE key = 'watermark'"));
  }

  lacks(): IndexRange[] {
    const rows = this.#statements.lacks.all() as IndexRange[];
    return rows.map(({ first, last }) => ({ first, last }));
  }

  add(added: Added): void {
    const { index, wall, events } = added;
    if (index <= this.#added) return;
    if (events.length > 0) this.begin();
    const maker = this.#maker;
    maker.begin(added);
    for (const event of events) {
      this.#write(index, wall, event);
      maker.event(event);
    }
    if (maker.rows.length > 0) {
      this.begin();
      for (const row of maker.rows) this.timeline.insert(row);
    }
    this.#added = index;
  }

  skip({ first, last }: IndexRange): void {
    if (last <= this.#added) return;
    this.begin();
    this.#statements.lack.run(first, last);
    this.timeline.raiseFloor({ index: last + 1, n: 0 });
    this.#added = last;
  }

  begin(): void {
    if (!this.connection.db.isTransaction) this.connection.db.exec("BEGIN IMMEDIATE");
  }

  /** Nothing but the watermark would be committed. */
  get idle(): boolean {
    return !this.connection.db.isTransaction;
  }

  commit(): void {
    if (this.idle && this.#added === this.#committed) return;
    this.begin();
    this.jobs.flush();
    this.#statements.setMeta.run(this.#added, "watermark");
    this.#statements.setMeta.run(this.jobs.bytes, "bytes");
    this.timeline.commit(this.#maker.memory());
    this.connection.db.exec("COMMIT");
    this.#committed = this.#added;
  }

  rollBack(): void {
    // SQLite ends the transaction by itself on some errors.
    if (this.connection.db.isTransaction) this.connection.db.exec("ROLLBACK");
    this.jobs.drop();
    this.timeline.drop();
    this.#maker.recall(this.timeline.memory);
    this.#added = this.#committed;
  }

  #write(index: number, wall: number, event: ArchiveEvent): void {
    const { insertInputs, insertBlock, insertAttempt } = this.#statements;
    switch (event.kind) {
      case "job":
        return this.jobs.create(event);
      case "inputs":
        insertInputs.run(inputAt(event.job, event.first), event.count, event.bytes);
        return this.jobs.addBytes(event.job, event.bytes.length);
      case "outcomes": {
        const { job, worker, block } = event;
        const { first, last, states } = scanBlock(block);
        const at = blockAt({ index, n: event.n });
        insertBlock.run(at, job, binOf(first, last), states, wall, worker, block);
        return this.jobs.addBytes(job, block.length);
      }
      case "attempt": {
        const { job, task, attempt, code, started, micros, worker, error } = event;
        const charged = event.charged ? 1 : 0;
        // oxfmt-ignore
        insertAttempt.run(
          job, task, attempt, code, charged, started, wall, micros, event.logBytes, worker, error,
        );
        return this.jobs.addBytes(job, attemptBytes + (error?.length ?? 0));
      }
      case "jobEnded":
        return this.jobs.end(event.job, { ...event, index, wall });
      case "retired":
        return this.jobs.retire(event.job);
      case "note":
        return undefined; // a row of the timeline and nothing else
      default:
        return event satisfies never;
    }
  }

  fileBytes(): number {
    const { db } = this.connection;
    return Number(single(db, "PRAGMA page_count")) * Number(single(db, "PRAGMA page_size"));
  }

  jobCount(): number {
    this.jobs.flush();
    const sql = "SELECT n0 + n1 + n2 + n3 FROM tags WHERE name = ''";
    return Number(single(this.connection.db, sql) ?? 0);
  }

  /**
   * Removes up to `rows` rows of each kind of a hidden job, oldest first; true once nothing of it
   * is left but its own row.
   */
  removeSlice(job: number, rows: number): boolean {
    const { removeBlocks, removeInputs, removeAttempts } = this.#statements;
    const gone = [
      removeBlocks.run(job, rows),
      removeInputs.run(inputAt(job, 0), inputAt(job + 1, 0), rows),
      removeAttempts.run(job, rows),
    ];
    return gone.every(({ changes }) => Number(changes) < rows);
  }

  /** Gives up to `pages` pages back to the file system, once a quarter of the file is unused. */
  shrinkSlice(pages: number): boolean {
    const { db } = this.connection;
    const free = Number(single(db, "PRAGMA freelist_count"));
    if (free < pages || free * 4 < Number(single(db, "PRAGMA page_count"))) return false;
    db.prepare(`PRAGMA incremental_vacuum(${pages})`).all();
    return true;
  }
}

/** What an attempt is counted as, beyond its error. */
const attemptBytes = 64;

function prepareAll({ db }: Connection) {
  const prepare = (sql: string): StatementSyncInstance => db.prepare(sql);
  return {
    setMeta: prepare("UPDATE meta SET value = ? WHERE key = ?"),
    lack: prepare("INSERT INTO lacks (first, last) VALUES (?, ?)"),
    lacks: prepare("SELECT first, last FROM lacks ORDER BY first"),
    insertInputs: prepare("INSERT INTO inputs (at, count, bytes) VALUES (?, ?, ?)"),
    insertBlock: prepare(
      "INSERT INTO blocks (at, job, bin, states, wall, worker, block) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    insertAttempt: prepare(
      "INSERT INTO attempts (job, task, attempt, code, charged, started, ended, micros, " +
        "log_bytes, worker, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    removeBlocks: prepare(
      "DELETE FROM blocks WHERE at IN (SELECT at FROM blocks WHERE job = ? ORDER BY at LIMIT ?)",
    ),
    removeInputs: prepare(
      "DELETE FROM inputs WHERE at IN " +
        "(SELECT at FROM inputs WHERE at >= ? AND at < ? ORDER BY at LIMIT ?)",
    ),
    removeAttempts: prepare(
      "DELETE FROM attempts WHERE seq IN (SELECT seq FROM attempts WHERE job = ? LIMIT ?)",
    ),
  };
}
