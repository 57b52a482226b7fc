// The reference archive: plain maps, everything computed by looking at everything. For tests and
// the simulator. What is committed stays in a `MemoryArchiveDisk`, from which a new archive can be
// opened as after a crash; what is not committed dies with the archive.

import { holds, labelOf, labelPrefix } from "../../protocol/filter.ts";
import { splitLines } from "../../protocol/lines.ts";
import { endReason } from "../../protocol/model.ts";
import { decodeOutcomes, outcomeItem, storedBit } from "../../protocol/outcome-block.ts";
import type { OutcomeItem } from "../../protocol/outcome-block.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import type { Added } from "./archive-wire.ts";
import { archiveLimits, type Archive, type ArchiveEvent, type ArchiveUsage } from "./archive.ts";
import type {
  EndedTask,
  EndedTasks,
  EndedTasksQuery,
  IndexRange,
  InputLines,
  JobRow,
} from "./archive.ts";
import type { JobsPage, JobsQuery, Pruned, PruneQuery, RecordedBlock } from "./archive.ts";
import type { AttemptRecord, ResultsPage, ResultsQuery, TaskRange, TaskRecord } from "./archive.ts";
import type { TimelinePage, TimelineQuery, TimelineSpan } from "./archive.ts";
import { MemoryTimeline, MemoryTimelineDisk } from "./memory-timeline.ts";
import { newestPlace, pageOfAttempts } from "./ended-attempts.ts";
import type { AttemptsQuery, EndedAttempts } from "./ended-attempts.ts";
import { checkNext } from "./order.ts";
import { endsOf } from "./run-columns.ts";
import { codesOf, errorsOf, spansOf } from "./run-picture.ts";
import type { EndRows, ErrorGroups, Spans, SpansQuery } from "./run-picture.ts";

export class MemoryArchiveDisk {
  readonly log: (Added | IndexRange)[] = [];
  readonly pruned = new Set<number>();
  readonly timeline = new MemoryTimelineDisk();
}

interface Job {
  row: JobRow;
  bytes: number;
}

interface Block extends RecordedBlock {
  readonly job: number;
  readonly worker: string;
  readonly wall: number;
}

export class MemoryArchive implements Archive {
  readonly #disk: MemoryArchiveDisk;
  readonly #autoCommit: boolean;
  readonly #jobs = new Map<number, Job>();
  readonly #lines = new Map<number, Map<number, Uint8Array>>();
  readonly #attempts: { seq: number; job: number; task: number; record: AttemptRecord }[] = [];
  #seq = 0;
  readonly #listeners = new Set<(watermark: number) => void>();
  #blocks: Block[] = [];
  readonly #timeline: MemoryTimeline;
  #uncommitted: (Added | IndexRange)[] = [];
  lacks: readonly IndexRange[] = [];
  added = 0;
  watermark = 0;
  queuedBytes = 0;
  readonly trouble = undefined;

  /** `autoCommit: false`: nothing is durable before `flush` or `commit`. */
  constructor(disk = new MemoryArchiveDisk(), { autoCommit = true } = {}) {
    this.#disk = disk;
    this.#autoCommit = autoCommit;
    this.#timeline = new MemoryTimeline(disk.timeline, (job) => this.#jobs.get(job)?.row);
    for (const piece of disk.log) this.#apply(piece);
    for (const job of disk.pruned) this.#drop(job);
    this.watermark = this.added;
  }

  add(index: number, wall: number, events: readonly ArchiveEvent[]): void {
    if (!checkNext(this.added, index)) return;
    this.#take({ index, wall, events: events.map(copied) });
  }

  skipTo(index: number): void {
    if (index > this.added) this.#take({ first: this.added + 1, last: index });
  }

  #take(piece: Added | IndexRange): void {
    this.#apply(piece);
    this.#uncommitted.push(piece);
    if (this.#autoCommit) this.commit();
  }

  commit(): void {
    this.#disk.log.push(...this.#uncommitted);
    this.#uncommitted = [];
    if (this.watermark === this.added) return;
    this.watermark = this.added;
    for (const listener of this.#listeners) listener(this.watermark);
  }

  #apply(piece: Added | IndexRange): void {
    if ("first" in piece) {
      this.lacks = [...this.lacks, piece];
      this.added = piece.last;
      this.#timeline.skipped(piece.last);
      return;
    }
    this.added = piece.index;
    this.#timeline.begin(piece);
    for (const event of piece.events) {
      this.#event(event, piece);
      this.#timeline.event(event);
    }
    this.#timeline.end();
  }

  #event(event: ArchiveEvent, { index, wall }: Added): void {
    switch (event.kind) {
      case "job": {
        const { kind: _, ...row } = event;
        const rest = { state: null, ended: null, endedIndex: null, retired: false };
        this.#jobs.set(event.number, { row: { ...row, ...rest }, bytes: event.json.length });
        return;
      }
      case "inputs": {
        const lines = this.#lines.get(event.job) ?? new Map<number, Uint8Array>();
        this.#lines.set(event.job, lines);
        const offsets = splitLines(event.bytes, event.count);
        for (let i = 0; i < event.count; i++) {
          lines.set(event.first + i, event.bytes.subarray(offsets[i], offsets[i + 1]));
        }
        return this.#grow(event.job, event.bytes.length);
      }
      case "outcomes":
        this.#blocks.push({ ...event, index, wall });
        return this.#grow(event.job, event.block.length);
      case "attempt": {
        const { kind: _, job, task, ...record } = event;
        this.#attempts.push({ seq: ++this.#seq, job, task, record: { ...record, ended: wall } });
        return this.#grow(job, 64 + (event.error?.length ?? 0));
      }
      case "jobEnded": {
        const { state, json } = event;
        const job = this.#jobs.get(event.job);
        if (!job) return;
        this.#grow(event.job, json.length - job.row.json.length);
        job.row = { ...job.row, state, json, ended: wall, endedIndex: index };
        return;
      }
      case "retired": {
        const job = this.#jobs.get(event.job);
        if (job) job.row = { ...job.row, retired: true };
        return;
      }
      case "note":
        return; // a row of the timeline and nothing else
      default:
        event satisfies never;
    }
  }

  #grow(number: number, bytes: number): void {
    const job = this.#jobs.get(number);
    if (job) job.bytes += bytes;
  }

  #blocksOf(job: number): Block[] {
    return this.#blocks.filter((block) => block.job === job);
  }

  #after(job: number, after: Position): Block[] {
    return this.#blocksOf(job).filter(
      ({ index, n }) => index > after.index || (index === after.index && n > after.n),
    );
  }

  async flush(): Promise<void> {
    this.commit();
  }

  async blocks(job: number, after: Position, bytesMax: number): Promise<readonly RecordedBlock[]> {
    const blocks: RecordedBlock[] = [];
    let bytes = 0;
    for (const { index, n, block } of this.#after(job, after)) {
      bytes += block.length;
      if (blocks.length > 0 && bytes > bytesMax) break;
      blocks.push({ index, n, block });
    }
    return blocks;
  }

  async results(job: number, query: ResultsQuery): Promise<ResultsPage> {
    const byTask = new Map<number, OutcomeItem>();
    for (const { block } of this.#blocksOf(job)) {
      for (const item of itemsOf(block)) if (!byTask.has(item.task)) byTask.set(item.task, item);
    }
    const until = query.from + Math.max(1, Math.min(query.count, archiveLimits.resultsMax));
    const items: OutcomeItem[] = [];
    const missing: TaskRange[] = [];
    let bytes = 0;
    for (let task = query.from; task < until; task++) {
      const found = byTask.get(task);
      if (!found) {
        const last = missing.at(-1);
        if (last?.first !== undefined && last.first + last.count === task) missing.pop();
        const first = last && last.first + last.count === task ? last.first : task;
        missing.push({ first, count: task - first + 1 });
        continue;
      }
      const item = query.values === false ? { ...found, value: new Uint8Array(0) } : found;
      bytes += item.value.length;
      const full = bytes > (query.bytesMax ?? archiveLimits.resultsBytesDefault);
      if (items.length > 0 && full) return { items, missing, next: task };
      items.push(item);
    }
    return { items, missing, next: until };
  }

  async task(job: number, task: number): Promise<TaskRecord> {
    const attempts = this.#attempts
      .filter((attempt) => attempt.job === job && attempt.task === task)
      .map(({ record }) => record);
    for (const { block, index, n, wall, worker } of this.#blocksOf(job)) {
      const item = itemsOf(block).find((each) => each.task === task);
      if (item) return { outcome: { ...item, index, n, wall, worker }, attempts };
    }
    return { outcome: undefined, attempts };
  }

  async inputs(job: number, first: number, count: number): Promise<InputLines> {
    const lines: Uint8Array[] = [];
    for (let task = first; task < first + count; task++) {
      const line = this.#lines.get(job)?.get(task);
      if (!line) break;
      lines.push(line);
    }
    return { first, count: lines.length, bytes: new Uint8Array(Buffer.concat(lines)) };
  }

  async endedTasks(job: number, query: EndedTasksQuery): Promise<EndedTasks> {
    const tasks: EndedTask[] = [];
    for (const { block, index, n } of this.#after(job, query.after ?? { index: 0, n: 0 })) {
      for (const { task, attempt, code } of itemsOf(block)) {
        if (!query.states.includes(endReason(code & ~storedBit).state)) continue;
        tasks.push({ task, attempt, code });
      }
      if (tasks.length >= query.limit) return { tasks, next: { index, n } };
    }
    return { tasks, next: undefined };
  }

  async spans(job: number, query: SpansQuery): Promise<Spans> {
    return spansOf(endsOf(this.#ends(job)), query);
  }

  async codes(job: number, count: number): Promise<Uint8Array> {
    return codesOf(endsOf(this.#ends(job)), count);
  }

  async errors(job: number, lookMax: number): Promise<ErrorGroups> {
    return errorsOf(this.#ends(job), lookMax);
  }

  #ends(job: number): EndRows {
    const own = this.#attempts.filter((attempt) => attempt.job === job);
    return {
      blocks: () => this.#blocksOf(job),
      attempts: () => own.map(({ task, record }) => ({ task, ...record })),
    };
  }

  async timelineAfter(after: Position, limit: number): Promise<TimelineSpan> {
    return this.#timeline.after(after, limit, this.added);
  }

  async timeline(query: TimelineQuery): Promise<TimelinePage> {
    return this.#timeline.page(query);
  }

  async endedAttempts(query: AttemptsQuery): Promise<EndedAttempts> {
    const { of, before = newestPlace } = query;
    const isOf = (one: { job: number; worker: string }) =>
      "job" in of ? one.job === of.job : one.worker === of.worker;
    const blocks = this.#blocks
      .filter(isOf)
      .filter(({ index, n }) => index < before.index || (index === before.index && n <= before.n))
      .toReversed();
    const rows = this.#attempts
      .map(({ seq, job, task, record }) => ({ seq, job, task, ...record }))
      .filter((row) => isOf(row) && row.seq < before.seq)
      .toReversed();
    return pageOfAttempts(query, { blocks: blocks.values(), rows: rows.values() });
  }

  async job(ref: number | string): Promise<readonly JobRow[]> {
    return [...this.#jobs.values()]
      .map(({ row }) => row)
      .filter((row) => (typeof ref === "number" ? row.number === ref : row.id.startsWith(ref)))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, archiveLimits.jobsMatchedMax);
  }

  async jobs({ limit, order, beyond, states, terms }: JobsQuery): Promise<JobsPage> {
    const rows = [...this.#jobs.values()]
      .map(({ row }) => row)
      .filter((row) => states === undefined || states.includes(row.state ?? "unfinished"))
      .filter((row) => holds(terms, (field) => valueOf(row, field)))
      .sort((a, b) => (order === "newest" ? b.number - a.number : a.number - b.number));
    const sign = order === "newest" ? -1 : 1;
    const rest = rows.filter(({ number }) => beyond === undefined || (number - beyond) * sign > 0);
    return { items: rest.slice(0, limit), total: rows.length };
  }

  async prune({ endedBefore, bytesMax, rowsMax }: PruneQuery): Promise<Pruned> {
    if (rowsMax !== undefined) this.#timeline.prune(rowsMax);
    const pruned = { jobs: 0, bytes: 0 };
    const retired = [...this.#jobs.values()]
      .filter(({ row }) => row.retired)
      .sort((a, b) => (a.row.ended ?? 0) - (b.row.ended ?? 0) || a.row.number - b.row.number);
    for (const { row, bytes } of retired) {
      const old = endedBefore !== undefined && (row.ended ?? 0) < endedBefore;
      const much = bytesMax !== undefined && this.#bytes() > bytesMax;
      if (!old && !much) break;
      this.#drop(row.number);
      this.#disk.pruned.add(row.number);
      pruned.jobs += 1;
      pruned.bytes += bytes;
    }
    this.commit();
    return pruned;
  }

  #drop(job: number): void {
    this.#jobs.delete(job);
    this.#lines.delete(job);
    this.#blocks = this.#blocks.filter((block) => block.job !== job);
    const kept = this.#attempts.filter((attempt) => attempt.job !== job);
    this.#attempts.splice(0, this.#attempts.length, ...kept);
  }

  #bytes(): number {
    return [...this.#jobs.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async usage(): Promise<ArchiveUsage> {
    return { jobs: this.#jobs.size, bytes: this.#bytes(), fileBytes: 0 };
  }

  onWatermark(listener: (watermark: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onTrouble(): () => void {
    return () => {}; // memory has none
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.commit();
  }
}

function itemsOf(block: Uint8Array): OutcomeItem[] {
  const columns = decodeOutcomes(block);
  return Array.from({ length: columns.count }, (_, i) => outcomeItem(columns, i));
}

function valueOf(row: JobRow, field: string): string | number | null | undefined {
  if (field.startsWith(labelPrefix)) return labelOf(row.labels, field);
  const { queue, task, by, created, ended } = row;
  return { queue, task, by, created, ended }[field];
}

/** Bytes as they are now: whoever added them may use their memory again. */
function copied(event: ArchiveEvent): ArchiveEvent {
  if (event.kind === "inputs") return { ...event, bytes: event.bytes.slice() };
  if (event.kind === "outcomes") return { ...event, block: event.block.slice() };
  if (event.kind === "attempt") return { ...event, error: event.error?.slice() ?? null };
  return event;
}
