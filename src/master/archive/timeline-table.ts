// The timeline's table. Inside the thread only.

import type { Term } from "../../protocol/filter.ts";
import type { StatementSyncInstance } from "@photostructure/sqlite";
import { isJobEvent } from "../../protocol/event.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import { single, type Connection } from "./archive-connection.ts";
import { blockAt } from "./archive-reads.ts";
import type { TimelinePage, TimelineQuery, TimelineRow, TimelineSpan } from "./archive.ts";
import { afterIndex, higher } from "./timeline-order.ts";

const columns =
  "at >> 20 AS idx, at & 1048575 AS n, wall, kind, level, text, job, worker, queue, master";

type StoredRow = Omit<TimelineRow, "index"> & { readonly idx: number };

export class TimelineTable {
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepareAll>;
  /** As committed; the maker's. */
  memory = "[]";
  #floor: Position = { index: 0, n: 0 };
  #floorMoved = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = prepareAll(connection);
    this.drop();
  }

  /** Goes back to what is committed. */
  drop(): void {
    this.memory = String(this.#meta("timeline_memory"));
    this.#floor = parsed(String(this.#meta("timeline_floor")));
    this.#floorMoved = false;
  }

  insert(row: TimelineRow): void {
    const { wall, kind, level, text, job, worker, queue, master } = row;
    const many = isJobEvent(kind) ? 1 : 0;
    this.#statements.insert.run(
      blockAt(row),
      wall,
      kind,
      many,
      level,
      text,
      job,
      worker,
      queue,
      master,
    );
  }

  raiseFloor(to: Position): void {
    this.#floor = higher(this.#floor, to);
    this.#floorMoved = true;
  }

  /** Part of the transaction that is committed next (T5). */
  commit(memory: string): void {
    const { setMeta } = this.#statements;
    if (memory !== this.memory) setMeta.run(memory, "timeline_memory");
    this.memory = memory;
    if (this.#floorMoved) setMeta.run(`${this.#floor.index}.${this.#floor.n}`, "timeline_floor");
    this.#floorMoved = false;
  }

  after(after: Position, limit: number, added: number): TimelineSpan {
    const rows = (this.#statements.after.all(blockAt(after), limit) as StoredRow[]).map(toRow);
    const last = rows.length < limit ? undefined : rows.at(-1);
    const through = last ? { index: last.index, n: last.n } : higher(after, afterIndex(added));
    return { rows, through, floor: this.#floor };
  }

  page({ before, limit, terms }: TimelineQuery): TimelinePage {
    const { db } = this.#connection;
    const { sql, values } = whereOf(terms);
    const total = db.prepare(`SELECT count(*) AS total FROM timeline WHERE ${sql}`).get(...values);
    const top = before ? blockAt(before) : BigInt(Number.MAX_SAFE_INTEGER) << 10n;
    const rows = db
      .prepare(`SELECT ${columns} FROM timeline WHERE ${sql} AND at < ? ORDER BY at DESC LIMIT ?`)
      .all(...values, top, limit) as StoredRow[];
    return {
      rows: rows.map(toRow),
      total: (total as { total: number }).total,
      floor: this.#floor,
    };
  }

  /** Removes some of the oldest rows of a sort of which there are too many; true while there may be more. */
  pruneSlice(rowsMax: number, slice: number): boolean {
    for (const many of [0, 1]) {
      const { kept } = this.#statements.count.get(many) as { kept: number };
      if (kept <= rowsMax) continue;
      const count = Math.min(kept - rowsMax, slice);
      const last = this.#statements.nth.get(many, count - 1) as { idx: number; n: number };
      this.#statements.remove.run(many, blockAt({ index: last.idx, n: last.n }));
      this.raiseFloor({ index: last.idx, n: last.n });
      return true;
    }
    return false;
  }

  #meta(key: string): unknown {
    return single(this.#connection.db, `SELECT value FROM meta WHERE key = '${key}'`);
  }
}

function parsed(floor: string): Position {
  const [index = 0, n = 0] = floor.split(".").map(Number);
  return { index, n };
}

function toRow({ idx, ...row }: StoredRow): TimelineRow {
  return { ...row, index: idx };
}

/** Columns that a filter may name. */
const fields = new Set(["kind", "job", "worker", "queue", "master"]);

function whereOf(terms: readonly Term[]): { sql: string; values: (string | number)[] } {
  const values: (string | number)[] = [];
  const parts = terms.map((term) => {
    const not = term.not ? "NOT " : "";
    if (term.kind !== "is") {
      values.push(term.at);
      return `${not}(wall ${term.kind === "after" ? ">" : "<"} ?)`;
    }
    if (!fields.has(term.field)) throw new TypeError(`no column for ${term.field}`);
    const each = term.values.map((value) => {
      if (term.field !== "job") return values.push(value) && `${term.field} = ?`;
      // Ids are hex digits: "g" is behind every one. The first part lets the index be used.
      return values.push(value, `${value}g`) && "(job <> '' AND job >= ? AND job < ?)";
    });
    return `${not}(${each.join(" OR ")})`;
  });
  return { sql: ["1", ...parts].join(" AND "), values };
}

function prepareAll({ db }: Connection) {
  const prepare = (sql: string): StatementSyncInstance => db.prepare(sql);
  return {
    setMeta: prepare("UPDATE meta SET value = ? WHERE key = ?"),
    insert: prepare(
      "INSERT INTO timeline (at, wall, kind, many, level, text, job, worker, queue, master) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    after: prepare(`SELECT ${columns} FROM timeline WHERE at > ? ORDER BY at LIMIT ?`),
    count: prepare("SELECT count(*) AS kept FROM timeline WHERE many = ?"),
    nth: prepare(
      "SELECT at >> 20 AS idx, at & 1048575 AS n FROM timeline WHERE many = ? " +
        "ORDER BY at LIMIT 1 OFFSET ?",
    ),
    remove: prepare("DELETE FROM timeline WHERE many = ? AND at <= ?"),
  };
}
