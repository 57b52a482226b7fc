// The archive in use: SQLite in a thread of its own. This side owns the thread, packs what is
// added, and keeps the figures that the loop looks at. The rules are in archive.ts, the SQL in
// archive-store.ts.

import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Worker } from "node:worker_threads";
import { startThread } from "../../lib/thread.ts";
import { decodeOutcomes, outcomeItem } from "../../protocol/outcome-block.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import { ByteWriter } from "../../protocol/varint.ts";
import type { CallKind, Calls, FromThread, ToThread } from "./archive-calls.ts";
import { writeAdded } from "./archive-wire.ts";
import type {
  Archive,
  ArchiveEvent,
  ArchiveUsage,
  EndedTasks,
  EndedTasksQuery,
} from "./archive.ts";
import type { IndexRange, InputLines, JobRow, JobsPage, JobsQuery, Pruned } from "./archive.ts";
import type {
  PruneQuery,
  RecordedBlock,
  ResultsPage,
  ResultsQuery,
  TaskRecord,
  TimelinePage,
  TimelineQuery,
  TimelineSpan,
} from "./archive.ts";
import type { AttemptsQuery, EndedAttempts } from "./ended-attempts.ts";
import { checkNext } from "./order.ts";
import type { ErrorGroups, Spans, SpansQuery } from "./run-picture.ts";
import { fromPlain, StoreTrouble } from "./trouble.ts";

export interface ArchiveOptions {
  /** The file; it and its folder are made if they are missing. */
  readonly path: string;
  readonly journalId: string;
  /** Tests only: so many pages, then the disk counts as full. */
  readonly pagesMax?: number;
}

export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const path = resolve(options.path);
  mkdirSync(dirname(path), { recursive: true });
  const url = new URL("./archive-thread.ts", import.meta.url);
  const archive = new SqliteArchive(startThread(url, { name: "archive" }));
  try {
    await archive.open({ ...options, path });
    return archive;
  } catch (error) {
    await archive[Symbol.asyncDispose]();
    throw error;
  }
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Above this the thread gets what is packed at once. */
const packBytesMax = 1024 * 1024;
/** Else it waits so long for more: waking a thread costs more than what a small batch holds. */
const gatherMs = 5;

class SqliteArchive implements Archive {
  readonly #thread: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onWatermark = new Set<(watermark: number) => void>();
  readonly #onTrouble = new Set<(trouble: StoreTrouble | undefined) => void>();
  readonly #exited: Promise<void>;
  #packed = new ByteWriter(4_096);
  #sending: NodeJS.Timeout | undefined;
  #lastCall = 0;
  #sentBytes = 0;
  #closing: Promise<void> | undefined;
  #gone = false;
  lacks: readonly IndexRange[] = [];
  added = 0;
  watermark = 0;
  trouble: StoreTrouble | undefined;

  constructor(thread: Worker) {
    this.#thread = thread;
    thread.on("message", (message: FromThread) => this.#hear(message));
    thread.on("error", (cause) => this.#die(cause));
    this.#exited = new Promise((done) => {
      thread.once("exit", (code) => {
        this.#die(new Error(`its thread ended with code ${code}`));
        done();
      });
    });
  }

  async open(options: ArchiveOptions): Promise<void> {
    const { watermark, lacks } = await this.#call("open", options);
    this.added = this.watermark = watermark;
    this.lacks = lacks;
  }

  get queuedBytes(): number {
    return this.#sentBytes + this.#packed.length;
  }

  add(index: number, wall: number, events: readonly ArchiveEvent[]): void {
    if (!checkNext(this.added, index)) return;
    this.added = index;
    if (this.#isDead()) return;
    writeAdded(this.#packed, { index, wall, events });
    if (this.#packed.length >= packBytesMax) this.#send();
    else this.#sending ??= setTimeout(() => this.#send(), gatherMs);
  }

  skipTo(index: number): void {
    if (index <= this.added) return;
    const range = { first: this.added + 1, last: index };
    this.#send();
    this.added = index;
    this.lacks = [...this.lacks, range];
    if (!this.#isDead()) this.#post({ kind: "skip", range });
  }

  /** After all but a full disk it must be opened again; what is added meanwhile is not kept. */
  #isDead(): boolean {
    return this.trouble !== undefined && this.trouble.trouble !== "full";
  }

  #send(): void {
    clearTimeout(this.#sending);
    this.#sending = undefined;
    if (this.#packed.length === 0) return;
    const bytes = this.#packed.done();
    // Starting at the size of the last one saves growing step by step.
    this.#packed = new ByteWriter(Math.min(packBytesMax, Math.max(4_096, bytes.length)));
    this.#sentBytes += bytes.length;
    this.#post({ kind: "add", bytes }, [bytes.buffer as ArrayBuffer]);
  }

  #post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transfer);
  }

  #call<K extends CallKind>(call: K, ask: Calls[K]["ask"]): Promise<Calls[K]["answer"]> {
    const refused = this.#gone || (this.#isDead() && call !== "close");
    if (refused) return Promise.reject(this.trouble ?? closed());
    this.#send(); // R4
    const id = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      // The thread's handler of this kind is typed by the same table.
      this.#waiting.set(id, { resolve: (given) => resolve(given as Calls[K]["answer"]), reject });
      this.#post({ kind: "call", id, call, ask });
    });
  }

  #hear(message: FromThread): void {
    if (message.kind === "committed") {
      this.#sentBytes -= message.bytes;
      if (message.watermark <= this.watermark) return;
      this.watermark = message.watermark;
      for (const listener of this.#onWatermark) listener(this.watermark);
      return;
    }
    if (message.kind === "trouble") {
      return this.#setTrouble(message.trouble && fromPlain(message.trouble));
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === "answer") waiting?.resolve(message.answer);
    else waiting?.reject(fromPlain(message.trouble));
  }

  #setTrouble(trouble: StoreTrouble | undefined): void {
    this.trouble = trouble;
    for (const listener of this.#onTrouble) listener(trouble);
  }

  #die(cause: Error): void {
    this.#gone = true;
    const why = this.#closing ? closed() : threadGone(cause);
    if (!this.#closing && !this.#isDead()) this.#setTrouble(why);
    this.trouble ??= why;
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }

  onWatermark(listener: (watermark: number) => void): () => void {
    this.#onWatermark.add(listener);
    return () => this.#onWatermark.delete(listener);
  }

  onTrouble(listener: (trouble: StoreTrouble | undefined) => void): () => void {
    this.#onTrouble.add(listener);
    return () => this.#onTrouble.delete(listener);
  }

  async flush(): Promise<void> {
    await this.#call("flush", null);
  }

  blocks(job: number, after: Position, bytesMax: number): Promise<readonly RecordedBlock[]> {
    return this.#call("blocks", { job, after, bytesMax });
  }

  async results(job: number, query: ResultsQuery): Promise<ResultsPage> {
    const { packed, missing, next } = await this.#call("results", { job, query });
    const columns = decodeOutcomes(packed);
    const items = Array.from({ length: columns.count }, (_, i) => outcomeItem(columns, i));
    return { items, missing, next };
  }

  task(job: number, task: number): Promise<TaskRecord> {
    return this.#call("task", { job, task });
  }

  async inputs(job: number, first: number, count: number): Promise<InputLines> {
    const { packed, ...range } = await this.#call("inputs", { job, first, count });
    return { ...range, bytes: packed };
  }

  endedTasks(job: number, query: EndedTasksQuery): Promise<EndedTasks> {
    return this.#call("endedTasks", { job, query });
  }

  spans(job: number, query: SpansQuery): Promise<Spans> {
    return this.#call("spans", { job, query });
  }

  async codes(job: number, count: number): Promise<Uint8Array> {
    return (await this.#call("codes", { job, count })).packed;
  }

  errors(job: number, lookMax: number): Promise<ErrorGroups> {
    return this.#call("errors", { job, lookMax });
  }

  timelineAfter(after: Position, limit: number): Promise<TimelineSpan> {
    return this.#call("timelineAfter", { after, limit });
  }

  timeline(query: TimelineQuery): Promise<TimelinePage> {
    return this.#call("timeline", { query });
  }

  endedAttempts(query: AttemptsQuery): Promise<EndedAttempts> {
    return this.#call("endedAttempts", { query });
  }

  job(ref: number | string): Promise<readonly JobRow[]> {
    return this.#call("job", { ref });
  }

  jobs(query: JobsQuery): Promise<JobsPage> {
    return this.#call("jobs", { query });
  }

  prune(query: PruneQuery): Promise<Pruned> {
    return this.#call("prune", { query });
  }

  usage(): Promise<ArchiveUsage> {
    return this.#call("usage", null);
  }

  async copyTo(path: string): Promise<void> {
    await this.#call("copy", { path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    await this.#call("close", null).catch(() => {
      // Dead already, or never open: ending the thread is all that is left.
    });
    await this.#thread.terminate();
    await this.#exited;
  }
}

function closed(): StoreTrouble {
  return new StoreTrouble("closed", {
    what: "The archive is closed",
    why: "its master is stopping",
    todo: "Ask another master, or this one once it runs again",
  });
}

function threadGone(cause: Error): StoreTrouble {
  return new StoreTrouble("failed", {
    what: "The archive stopped",
    why: cause.message,
    todo: "Restart this master: what is missing is in the journal",
    cause,
  });
}
