// Reading blocks, results, lines and attempts of a job. Inside the thread only.

import type { StatementSyncInstance } from "@photostructure/sqlite";
import { decodeOutcomes, outcomeItem, type OutcomeItem } from "../../protocol/outcome-block.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import { splitLines } from "../../protocol/lines.ts";
import type { Connection } from "./archive-connection.ts";
import { archiveLimits, type AttemptRecord, type EndedTask, type EndedTasks } from "./archive.ts";
import type { EndedTasksQuery, InputLines, RecordedBlock, ResultsPage } from "./archive.ts";
import type { ResultsQuery, TaskRange, TaskRecord } from "./archive.ts";
import { newestPlace, pageOfAttempts } from "./ended-attempts.ts";
import type {
  AttemptBlock,
  AttemptRow,
  AttemptsPlace,
  AttemptsQuery,
  EndedAttempts,
} from "./ended-attempts.ts";
import { binsOver } from "./bins.ts";
import { bitOf, stateBit } from "./block-scan.ts";
import { endsOf } from "./run-columns.ts";
import type { Ends, EndsPlace } from "./run-columns.ts";
import type { EndRows } from "./run-picture.ts";

interface StoredBlock {
  readonly idx: number;
  readonly n: number;
  readonly wall: number;
  readonly worker: string;
  readonly block: Uint8Array;
}

/** Row ids of blocks and lines: see archive-connection.ts. BigInt, because they pass 2^53. */
export function blockAt({ index, n }: Position): bigint {
  return (BigInt(index) << 20n) | BigInt(n);
}

export function inputAt(job: number, first: number): bigint {
  return (BigInt(job) << 24n) | BigInt(first);
}

/** Values that one page of results may hold while it is being made. */
const pageBytesMax = 16 * 1024 * 1024;

export class ArchiveReads {
  readonly #statements: ReturnType<typeof prepareAll>;

  constructor(connection: Connection) {
    this.#statements = prepareAll(connection);
  }

  blocks(job: number, after: Position, bytesMax: number): RecordedBlock[] {
    const blocks: RecordedBlock[] = [];
    let bytes = 0;
    for (const row of this.#statements.blocksAfter.iterate(job, blockAt(after))) {
      const { idx, n, block } = row as StoredBlock;
      bytes += block.length;
      if (blocks.length > 0 && bytes > bytesMax) break;
      blocks.push({ index: idx, n, block });
    }
    return blocks;
  }

  results(job: number, query: ResultsQuery): ResultsPage {
    const count = Math.max(1, Math.min(query.count, archiveLimits.resultsMax));
    const found: (OutcomeItem | undefined)[] = Array.from({ length: count });
    let bytes = 0;
    for (const { block } of this.#over(job, query.from, query.from + count - 1)) {
      const columns = decodeOutcomes(block);
      for (let i = 0; i < columns.count; i++) {
        const place = (columns.tasks[i] ?? 0) - query.from;
        // The first recorded stands, should a task be in two blocks after all (K3).
        if (place < 0 || place >= count || found[place]) continue;
        const item = outcomeItem(columns, i);
        found[place] = query.values === false ? { ...item, value: nothing } : item;
        bytes += found[place].value.length;
      }
      // Too much for one answer, whatever of it will be given: half the tasks then.
      if (bytes > pageBytesMax && count > 1) {
        return this.results(job, { ...query, count: Math.ceil(count / 2) });
      }
    }
    return page(found, query);
  }

  /** Blocks that may hold one of these tasks, in the order recorded. */
  #over(job: number, first: number, last: number): StoredBlock[] {
    const rows: StoredBlock[] = [];
    for (const { from, to } of binsOver(first, last)) {
      rows.push(...(this.#statements.blocksInBins.all(job, from, to) as StoredBlock[]));
    }
    return rows.sort((a, b) => a.idx - b.idx || a.n - b.n);
  }

  task(job: number, task: number): TaskRecord {
    const attempts = this.#statements.attempts.all(job, task) as StoredAttempt[];
    for (const { block, idx, n, wall, worker } of this.#over(job, task, task)) {
      const columns = decodeOutcomes(block);
      const place = columns.tasks.indexOf(task);
      if (place < 0) continue;
      const item = outcomeItem(columns, place);
      // Only its own value goes to the other thread, not the block around it.
      const outcome = { ...item, value: item.value.slice(), index: idx, n, wall, worker };
      return { outcome, attempts: attempts.map(toAttempt) };
    }
    return { outcome: undefined, attempts: attempts.map(toAttempt) };
  }

  inputs(job: number, first: number, count: number): InputLines {
    const parts: Uint8Array[] = [];
    let next = first;
    let bytes = 0;
    while (next < first + count) {
      const row = this.#statements.input.get(inputAt(job, next), inputAt(job, 0));
      const part = row as { first: number; count: number; bytes: Uint8Array } | undefined;
      if (!part || part.first + part.count <= next) break;
      const lines = splitLines(part.bytes, part.count);
      const from = lines[next - part.first] ?? 0;
      let until = Math.min(part.count, first + count - part.first);
      const room = archiveLimits.inputsBytesMax - bytes + from;
      while (until > next - part.first + 1 && (lines[until] ?? 0) > room) until--;
      const piece = part.bytes.subarray(from, lines[until]);
      if (parts.length > 0 && bytes + piece.length > archiveLimits.inputsBytesMax) break;
      parts.push(piece);
      bytes += piece.length;
      next = part.first + until;
      if (until < part.count) break;
    }
    return { first, count: next - first, bytes: joined(parts, bytes) };
  }

  /** All that was recorded of a job's attempts behind a place, which is moved behind what is read. */
  endsAfter(job: number, place: EndsPlace): Ends {
    const { blocksAfter, attemptsAfter } = this.#statements;
    return endsOf({
      *blocks() {
        for (const row of blocksAfter.iterate(job, blockAt(place.block))) {
          const block = row as StoredBlock;
          place.block = { index: block.idx, n: block.n };
          yield block;
        }
      },
      *attempts() {
        for (const row of attemptsAfter.iterate(job, place.attempt)) {
          const stored = row as StoredAttempt & { readonly seq: number; readonly task: number };
          place.attempt = stored.seq;
          yield { task: stored.task, ...toAttempt(stored) };
        }
      },
    });
  }

  /** Attempts that failed, and blocks in which not all succeeded. */
  failures(job: number): EndRows {
    const { unsuccessfulAfter, attemptsAfter } = this.#statements;
    return {
      *blocks() {
        for (const row of unsuccessfulAfter.iterate(job, 0n)) yield row as StoredBlock;
      },
      *attempts() {
        for (const row of attemptsAfter.iterate(job, 0)) {
          const stored = row as StoredAttempt & { readonly task: number };
          yield { task: stored.task, ...toAttempt(stored) };
        }
      },
    };
  }

  endedTasks(job: number, { states, after, limit }: EndedTasksQuery): EndedTasks {
    const wanted = states.reduce((mask, state) => mask | stateBit(state), 0);
    const { unsuccessfulAfter, blocksAfter } = this.#statements;
    const statement = (wanted & stateBit("succeeded")) === 0 ? unsuccessfulAfter : blocksAfter;
    const tasks: EndedTask[] = [];
    for (const row of statement.iterate(job, blockAt(after ?? { index: 0, n: 0 }))) {
      const { idx, n, block } = row as StoredBlock;
      const columns = decodeOutcomes(block);
      for (let i = 0; i < columns.count; i++) {
        const code = columns.codes[i] ?? 0;
        if ((bitOf(code) & wanted) === 0) continue;
        tasks.push({ task: columns.tasks[i] ?? 0, attempt: columns.attempts[i] ?? 0, code });
      }
      if (tasks.length >= limit) return { tasks, next: { index: idx, n } };
    }
    return { tasks, next: undefined };
  }

  endedAttempts(query: AttemptsQuery): EndedAttempts {
    const { before = newestPlace } = query;
    return pageOfAttempts(query, {
      blocks: this.#blocksDown(query, before),
      rows: this.#rowsDown(query, before.seq),
    });
  }

  /** In pieces: an iterator of the driver that is left open would hold up writes. */
  *#blocksDown({ of, terms }: AttemptsQuery, before: AttemptsPlace): Generator<AttemptBlock> {
    const { workerBlocks, jobBlocks, unsuccessfulBlocks } = this.#statements;
    const failed = terms.some(
      (term) =>
        term.kind === "is" &&
        term.field === "state" &&
        !term.not &&
        !term.values.includes("succeeded"),
    );
    const ofJob = failed ? unsuccessfulBlocks : jobBlocks;
    let upTo = before.index === newestPlace.index ? lastAt : blockAt(before);
    for (;;) {
      const found =
        "job" in of
          ? ofJob.all(of.job, upTo, blocksAtOnce)
          : workerBlocks.all(of.worker, upTo, blocksAtOnce);
      const rows = found as unknown as (StoredBlock & { readonly job: number })[];
      for (const { idx, ...row } of rows) yield { index: idx, ...row };
      const last = rows.at(-1);
      if (!last || rows.length < blocksAtOnce) return;
      upTo = blockAt({ index: last.idx, n: last.n }) - 1n;
    }
  }

  *#rowsDown({ of }: AttemptsQuery, before: number): Generator<AttemptRow> {
    const { workerAttempts, jobAttempts } = this.#statements;
    for (let below = before; ;) {
      const found =
        "job" in of
          ? jobAttempts.all(of.job, below, rowsAtOnce)
          : workerAttempts.all(of.worker, below, rowsAtOnce);
      const rows = found as unknown as (StoredAttempt & JobTask)[];
      for (const row of rows)
        yield { seq: row.seq, job: row.job, task: row.task, ...toAttempt(row) };
      const last = rows.at(-1);
      if (!last || rows.length < rowsAtOnce) return;
      below = last.seq;
    }
  }
}

interface JobTask {
  readonly seq: number;
  readonly job: number;
  readonly task: number;
}

const blocksAtOnce = 32;
const rowsAtOnce = 256;
const lastAt = 2n ** 63n - 1n;

const nothing = new Uint8Array(0);

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

function page(found: readonly (OutcomeItem | undefined)[], query: ResultsQuery): ResultsPage {
  const bytesMax = query.bytesMax ?? archiveLimits.resultsBytesDefault;
  const items: OutcomeItem[] = [];
  const missing: TaskRange[] = [];
  let bytes = 0;
  for (const [place, item] of found.entries()) {
    const task = query.from + place;
    if (item) {
      bytes += item.value.length;
      if (items.length > 0 && bytes > bytesMax) return { items, missing, next: task };
      items.push(item);
      continue;
    }
    const last = missing.at(-1);
    if (last && last.first + last.count === task) {
      missing[missing.length - 1] = { first: last.first, count: last.count + 1 };
    } else missing.push({ first: task, count: 1 });
  }
  return { items, missing, next: query.from + found.length };
}

interface StoredAttempt {
  readonly attempt: number;
  readonly code: number;
  readonly charged: number;
  readonly started: number;
  readonly ended: number;
  readonly micros: number;
  readonly log_bytes: number;
  readonly worker: string;
  readonly error: Uint8Array | null;
}

function toAttempt(row: StoredAttempt): AttemptRecord {
  const { attempt, code, started, ended, micros, worker } = row;
  return {
    attempt,
    worker,
    code,
    charged: row.charged === 1,
    started,
    ended,
    micros,
    logBytes: row.log_bytes,
    error: row.error,
  };
}

function prepareAll({ db }: Connection) {
  const prepare = (sql: string): StatementSyncInstance => db.prepare(sql);
  const block = "SELECT at >> 20 AS idx, at & 1048575 AS n, wall, worker, block FROM blocks";
  const down = "SELECT at >> 20 AS idx, at & 1048575 AS n, job, wall, worker, block FROM blocks";
  const downTo = "AND at <= ? ORDER BY at DESC LIMIT ?";
  return {
    blocksAfter: prepare(`${block} INDEXED BY blocks_job WHERE job = ? AND at > ? ORDER BY at`),
    unsuccessfulAfter: prepare(
      `${block} INDEXED BY blocks_unsuccessful WHERE job = ? AND at > ? AND states > 1 ORDER BY at`,
    ),
    blocksInBins: prepare(
      `${block} INDEXED BY blocks_bin WHERE job = ? AND bin BETWEEN ? AND ? ORDER BY bin, at`,
    ),
    input: prepare(
      "SELECT at & 16777215 AS first, count, bytes FROM inputs WHERE at <= ? AND at >= ? " +
        "ORDER BY at DESC LIMIT 1",
    ),
    attempts: prepare("SELECT * FROM attempts WHERE job = ? AND task = ? ORDER BY seq"),
    attemptsAfter: prepare(
      "SELECT * FROM attempts INDEXED BY attempts_job WHERE job = ? AND seq > ? ORDER BY seq",
    ),
    jobBlocks: prepare(`${down} INDEXED BY blocks_job WHERE job = ? ${downTo}`),
    unsuccessfulBlocks: prepare(
      `${down} INDEXED BY blocks_unsuccessful WHERE job = ? AND states > 1 ${downTo}`,
    ),
    workerBlocks: prepare(
      `${down} INDEXED BY blocks_worker WHERE worker = ? AND worker <> '' ${downTo}`,
    ),
    jobAttempts: prepare(
      "SELECT * FROM attempts INDEXED BY attempts_job WHERE job = ? AND seq < ? " +
        "ORDER BY seq DESC LIMIT ?",
    ),
    workerAttempts: prepare(
      "SELECT * FROM attempts INDEXED BY attempts_worker WHERE worker = ? AND seq < ? " +
        "ORDER BY seq DESC LIMIT ?",
    ),
  };
}
