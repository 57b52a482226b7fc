// Jobs in the archive: their rows, the tags they are found by, and the counts of each (R6).
//
// Changes are held until `flush`, at the end of a transaction or before a read: a job that is
// created and ends within one is written once.
//
//   N1  tags.n0 … n3 count the jobs of a tag by state: the number of its rows in `tagged`. Both
//       change in one transaction.

import type { StatementSyncInstance } from "@photostructure/sqlite";
import type { JobView } from "../../protocol/views.ts";
import { single, type Connection } from "./archive-connection.ts";
import { finalState, finalStates } from "./archive-wire.ts";
import type { FinalState, JobCreated, JobRow, JobsPage, JobsQuery, Labels } from "./archive.ts";
import { archiveLimits } from "./archive.ts";
import { JobLists, tagName } from "./job-lists.ts";
import type { JobsKnown, KnownJob } from "./timeline-maker.ts";

const columns =
  "number, id, queue, labels, state, retired, created, ended, ended_index, bytes, json, " +
  "failures, task, principal";

/** A row as the driver gives it. */
interface StoredJob {
  number: number;
  id: string;
  queue: string;
  labels: string;
  state: number;
  retired: number;
  created: number;
  ended: number | null;
  ended_index: number | null;
  bytes: number;
  json: string;
  failures: number;
  task: string;
  principal: string;
}

interface Held {
  readonly row: StoredJob;
  readonly isNew: boolean;
  /** The state its tags stand under on the disk; undefined when it has none yet. */
  readonly taggedAs: number | undefined;
  /** What it counts for in the total. */
  readonly counted: number;
}

interface Ended {
  readonly state: FinalState;
  readonly json: string;
  readonly index: number;
  readonly wall: number;
}

export class JobTable implements JobsKnown {
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepareAll>;
  readonly #lists: JobLists;
  readonly #held = new Map<number, Held>();
  readonly #bytes = new Map<number, number>();
  #total = 0;
  #tagIds = new Map<string, number>();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = prepareAll(connection);
    this.#lists = new JobLists(connection);
    this.drop();
  }

  /** Of all jobs, as far as it was flushed. Kept in `meta` with every transaction. */
  get bytes(): number {
    return this.#total;
  }

  create(event: JobCreated): void {
    if (this.#find(event.number)) return;
    const row: StoredJob = {
      number: event.number,
      id: event.id,
      queue: event.queue,
      labels: JSON.stringify(event.labels),
      state: 0,
      retired: 0,
      created: event.created,
      ended: null,
      ended_index: null,
      bytes: event.json.length,
      json: event.json,
      failures: 0,
      task: event.task,
      principal: event.by,
    };
    this.#held.set(row.number, { row, isNew: true, taggedAs: undefined, counted: 0 });
  }

  end(job: number, ended: Ended): void {
    const row = this.#find(job) ?? this.#fromView(job, ended.json);
    if (!row) return;
    row.state = 1 + finalStates.indexOf(ended.state);
    row.bytes += ended.json.length - row.json.length;
    row.json = ended.json;
    row.ended = ended.wall;
    row.ended_index = ended.index;
  }

  retire(job: number): void {
    const row = this.#find(job);
    if (row) row.retired = 1;
  }

  job(number: number): KnownJob | undefined {
    return this.#find(number);
  }

  failedBefore(number: number): number {
    const row = this.#find(number);
    return row ? row.failures++ : 0;
  }

  /** Counts towards what pruning the job frees. */
  addBytes(job: number, bytes: number): void {
    this.#bytes.set(job, (this.#bytes.get(job) ?? 0) + bytes);
  }

  /** Forgets what was not flushed: the transaction is rolled back. */
  drop(): void {
    this.#held.clear();
    this.#bytes.clear();
    this.#tagIds.clear();
    this.#total = Number(single(this.#connection.db, "SELECT value FROM meta WHERE key = 'bytes'"));
  }

  /** A job that was created while this archive was not there (A6): its final view says enough. */
  #fromView(number: number, json: string): StoredJob | undefined {
    const view = JSON.parse(json) as Partial<JobView>;
    if (typeof view.id !== "string" || typeof view.queue !== "string") return undefined;
    this.create({
      kind: "job",
      number,
      id: view.id,
      queue: view.queue,
      labels: view.labels ?? {},
      task: view.task ?? "",
      by: view.by ?? "",
      created: Date.parse(view.created ?? "") || 0,
      json,
    });
    return this.#held.get(number)?.row;
  }

  #find(job: number): StoredJob | undefined {
    const held = this.#held.get(job);
    if (held) return held.row;
    const row = this.#statements.byNumber.get(job) as StoredJob | undefined;
    if (row) {
      this.#held.set(job, { row, isNew: false, taggedAs: row.state, counted: row.bytes });
    }
    return row;
  }

  flush(): void {
    const { insert, update, addBytes } = this.#statements;
    for (const [job, bytes] of this.#bytes) {
      const held = this.#held.get(job);
      if (held) held.row.bytes += bytes;
      else if (Number(addBytes.run(bytes, job).changes) > 0) this.#total += bytes;
    }
    this.#bytes.clear();
    const counts = new Map<string, number[]>();
    for (const { row, isNew, taggedAs, counted } of this.#held.values()) {
      this.#total += row.bytes - counted;
      if (isNew) insert.run(...values(row));
      else update.run(...changes(row));
      if (taggedAs !== row.state) this.#retag(row, taggedAs, counts);
    }
    this.#held.clear();
    for (const [name, n] of counts) this.#count(name, n);
    // Every value of a label is a tag: the ids of old ones need not be remembered.
    if (this.#tagIds.size > 10_000) this.#tagIds.clear();
  }

  #retag(row: StoredJob, from: number | undefined, counts: Map<string, number[]>): void {
    const { tag, untag } = this.#statements;
    for (const name of tagsOf(row.queue, JSON.parse(row.labels) as Labels)) {
      const id = this.#tagId(name);
      const n = counts.get(name) ?? [0, 0, 0, 0];
      counts.set(name, n);
      if (from !== undefined) {
        untag.run(id, from, row.number);
        n[from] = (n[from] ?? 0) - 1;
      }
      tag.run(id, row.state, row.number);
      n[row.state] = (n[row.state] ?? 0) + 1;
    }
  }

  #tagId(name: string): number {
    const known = this.#tagIds.get(name) ?? this.#knownTag(name);
    if (known !== undefined) {
      this.#tagIds.set(name, known);
      return known;
    }
    const { lastInsertRowid } = this.#statements.newTag.run(name);
    this.#tagIds.set(name, Number(lastInsertRowid));
    return Number(lastInsertRowid);
  }

  #knownTag(name: string): number | undefined {
    return (this.#statements.tagByName.get(name) as { id: number } | undefined)?.id;
  }

  #count(name: string, n: readonly number[]): void {
    this.#statements.count.run(n[0] ?? 0, n[1] ?? 0, n[2] ?? 0, n[3] ?? 0, this.#tagId(name));
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────

  byNumber(number: number): readonly JobRow[] {
    this.flush();
    const row = this.#statements.byNumber.get(number) as StoredJob | undefined;
    return row && row.retired < 2 ? [toRow(row)] : [];
  }

  byPrefix(prefix: string): readonly JobRow[] {
    this.flush();
    const { byId } = this.#statements;
    // "g" is behind every hex digit.
    const rows = byId.all(prefix, `${prefix}g`, archiveLimits.jobsMatchedMax) as StoredJob[];
    return rows.map(toRow);
  }

  page(query: JobsQuery): JobsPage {
    this.flush();
    const { numbers, total } = this.#lists.page(query);
    return { items: numbers.flatMap((number) => this.byNumber(number)), total };
  }

  // ── pruning ──────────────────────────────────────────────────────────────────────────────

  /** The retired job that ended first, but before all others one that is half pruned. */
  oldestRetired(): { number: number; half: boolean; ended: number; bytes: number } | undefined {
    this.flush();
    const { halfPruned, oldest } = this.#statements;
    const row = (halfPruned.get() ?? oldest.get()) as StoredJob | undefined;
    if (!row) return undefined;
    const { number, ended, bytes } = row;
    return { number, half: row.retired === 2, ended: ended ?? 0, bytes };
  }

  /** From here on nobody finds it; its blocks and lines can go in slices. */
  hide(number: number): void {
    const row = this.#statements.byNumber.get(number) as StoredJob | undefined;
    if (!row || row.retired === 2) return;
    for (const name of tagsOf(row.queue, JSON.parse(row.labels) as Labels)) {
      const id = this.#tagId(name);
      this.#statements.untag.run(id, row.state, number);
      this.#count(
        name,
        [0, 1, 2, 3].map((state) => (state === row.state ? -1 : 0)),
      );
      // A label that no job has any more is forgotten: there may be as many as jobs.
      if (Number(this.#statements.dropTag.run(id).changes) > 0) this.#tagIds.delete(name);
    }
    this.#statements.hide.run(number);
  }

  remove(number: number, bytes: number): void {
    this.#statements.remove.run(number);
    this.#total -= bytes;
  }
}

function prepareAll({ db }: Connection) {
  const prepare = (sql: string): StatementSyncInstance => db.prepare(sql);
  const marks = columns.split(", ").map(() => "?");
  return {
    insert: prepare(`INSERT INTO jobs (${columns}) VALUES (${marks.join(", ")})`),
    update: prepare(
      "UPDATE jobs SET state = ?, retired = ?, ended = ?, ended_index = ?, bytes = ?, json = ?, " +
        "failures = ? WHERE number = ?",
    ),
    addBytes: prepare("UPDATE jobs SET bytes = bytes + ? WHERE number = ?"),
    byNumber: prepare(`SELECT ${columns} FROM jobs WHERE number = ?`),
    byId: prepare(
      `SELECT ${columns} FROM jobs WHERE id >= ? AND id < ? AND retired < 2 ORDER BY id LIMIT ?`,
    ),
    tag: prepare("INSERT INTO tagged (tag, state, number) VALUES (?, ?, ?)"),
    untag: prepare("DELETE FROM tagged WHERE tag = ? AND state = ? AND number = ?"),
    tagByName: prepare("SELECT id FROM tags WHERE name = ?"),
    newTag: prepare("INSERT INTO tags (name, n0, n1, n2, n3) VALUES (?, 0, 0, 0, 0)"),
    dropTag: prepare("DELETE FROM tags WHERE id = ? AND n0 + n1 + n2 + n3 = 0 AND name <> ''"),
    count: prepare(
      "UPDATE tags SET n0 = n0 + ?, n1 = n1 + ?, n2 = n2 + ?, n3 = n3 + ? WHERE id = ?",
    ),
    halfPruned: prepare(`SELECT ${columns} FROM jobs WHERE retired = 2 ORDER BY number LIMIT 1`),
    oldest: prepare(
      `SELECT ${columns} FROM jobs WHERE retired > 0 AND ended IS NOT NULL ` +
        "ORDER BY ended, number LIMIT 1",
    ),
    hide: prepare("UPDATE jobs SET retired = 2 WHERE number = ?"),
    remove: prepare("DELETE FROM jobs WHERE number = ?"),
  };
}

/** Every combination that a query can name, so that each is one scan of `tagged`. */
function tagsOf(queue: string, labels: Labels): string[] {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return [
    tagName(undefined, undefined),
    tagName(queue, undefined),
    ...texts.flatMap((text) => [tagName(undefined, text), tagName(queue, text)]),
  ];
}

function values(row: StoredJob): (number | string | null)[] {
  const { number, id, queue, labels, state, retired, created, ended } = row;
  const rest = [row.ended_index, row.bytes, row.json, row.failures, row.task, row.principal];
  return [number, id, queue, labels, state, retired, created, ended, ...rest];
}

function changes(row: StoredJob): (number | string | null)[] {
  const { number, state, retired, ended, bytes, json } = row;
  return [state, retired, ended, row.ended_index, bytes, json, row.failures, number];
}

function toRow(row: StoredJob): JobRow {
  return {
    number: row.number,
    id: row.id,
    queue: row.queue,
    labels: JSON.parse(row.labels) as Labels,
    task: row.task,
    by: row.principal,
    state: row.state === 0 ? null : finalState(row.state - 1),
    created: row.created,
    ended: row.ended,
    endedIndex: row.ended_index,
    retired: row.retired > 0,
    json: row.json,
  };
}
