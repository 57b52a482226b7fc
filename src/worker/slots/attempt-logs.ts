// What attempts print, on the worker's disk: <dataDir>/logs/<job>/<task>.<attempt>.log, a run of records
// (protocol/log-record.ts). A file exists only if something was printed.
//
//   AL1  Writes are batched: while one is under way, what comes is the next one.
//   AL2  Past the limit one record says that the log was cut, and nothing follows it (P8).
//   AL3  What waits to be written is bounded: past it slots are not read (`behind`).
//   AL4  What is on the disk, and only that, is handed on to be pushed to masters (docs/logs.md).

import { statSync } from "node:fs";
import { appendFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemClock, type Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { jobIdPattern, type JobId, type TaskNumber } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { recordBytesMax } from "../../protocol/log-push.ts";
import { encodeLogRecord, encodeLogTime, type LogRecord } from "../../protocol/log-record.ts";

const writesMax = 8;
const pendingBytesMax = 8 * 1_024 * 1_024;

/** Finer than this it is not marked when something was printed. */
const markMs = 50;

/** Where a log is. */
export interface AttemptAddress {
  readonly job: JobId;
  readonly task: TaskNumber;
  readonly attempt: number;
}

/** Hears of what is on the disk. */
export interface LogSink {
  /** Whole records, at this position. */
  written(address: AttemptAddress, from: number, bytes: Uint8Array): void;
  /** Nothing more comes of a log that had something. */
  ended(address: AttemptAddress): void;
}

export interface AttemptLogsOptions {
  readonly dataDir: string;
  readonly clock?: Pick<Clock, "wall">;
  readonly log: Log;
  readonly bytesMax?: number;
}

/** A log that is being written. */
interface OpenLog {
  readonly address: AttemptAddress;
  readonly key: string;
  readonly file: string;
  pending: Uint8Array[];
  writing: boolean;
  /** Position of the end of the file. */
  written: number;
  markedAt: number;
  bytes: number;
  cut: boolean;
  ended: boolean;
}

export class AttemptLogs {
  readonly #options: AttemptLogsOptions;
  readonly #bytesMax: number;
  readonly #open = new Map<string, OpenLog>();
  readonly #dirty = new Set<OpenLog>();
  readonly #listeners = new Map<string, Set<() => void>>();
  #writes = 0;
  #pendingBytes = 0;
  #onCaughtUp: (() => void)[] = [];
  #onIdle: (() => void)[] = [];
  #failed = false;
  #sink: LogSink | undefined;

  constructor(options: AttemptLogsOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? limits.logBytesMax;
  }

  /** Everything from here on is told to it. */
  tell(sink: LogSink): void {
    this.#sink = sink;
  }

  get folder(): string {
    return join(this.#options.dataDir, "logs");
  }

  file(job: JobId, task: TaskNumber, attempt: number): string | undefined {
    if (!jobIdPattern.test(job) || !Number.isInteger(task) || !Number.isInteger(attempt)) {
      return undefined;
    }
    return join(this.folder, job, `${task}.${attempt}.log`);
  }

  /** Adds to an attempt's log; says how many bytes of it are kept. */
  append(job: JobId, task: TaskNumber, attempt: number, record: LogRecord): number {
    const open = this.#opened(job, task, attempt);
    if (!open || open.cut) return 0;
    const kept = record.bytes.subarray(0, Math.max(0, this.#bytesMax - open.bytes));
    open.bytes += kept.length;
    if (kept.length > 0) this.#mark(open);
    for (let from = 0; from < kept.length; from += recordBytesMax) {
      const part = kept.subarray(from, from + recordBytesMax);
      this.#push(open, encodeLogRecord(record.stream, part));
    }
    if (kept.length < record.bytes.length) {
      open.cut = true;
      const text = `\n[skein] the output was cut here: an attempt's log holds ${this.#bytesMax} bytes\n`;
      this.#push(open, encodeLogRecord("stderr", Buffer.from(text)));
    }
    this.#dirty.add(open);
    this.#write();
    return kept.length;
  }

  /** Nothing more comes; costs nothing for an attempt that printed nothing and that nobody follows. */
  ended(job: JobId, task: TaskNumber, attempt: number): void {
    if (this.#open.size === 0 && this.#listeners.size === 0) return;
    const key = keyOf(job, task, attempt);
    const open = this.#open.get(key);
    if (open) {
      open.ended = true;
      this.#settle(open);
    }
    this.#notify(key);
  }

  /** Whether something is still to be written to it. */
  isOpen(job: JobId, task: TaskNumber, attempt: number): boolean {
    return this.#open.has(keyOf(job, task, attempt));
  }

  /** Jobs whose logs are being written. */
  openJobs(): Set<JobId> {
    return new Set([...this.#open.keys()].map((key) => key.slice(0, key.indexOf("/"))));
  }

  /** Calls `wake` after bytes were written, or the attempt has ended; returns how to stop that. */
  listen(job: JobId, task: TaskNumber, attempt: number, wake: () => void): () => void {
    const key = keyOf(job, task, attempt);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    listeners.add(wake);
    return () => {
      listeners.delete(wake);
      if (listeners.size === 0) this.#listeners.delete(key);
    };
  }

  /** More waits to be written than should (AL3). */
  get behind(): boolean {
    return this.#pendingBytes > pendingBytesMax;
  }

  onceCaughtUp(go: () => void): void {
    this.#onCaughtUp.push(go);
  }

  /** Resolves when all that was printed so far is written. */
  flushed(): Promise<void> {
    if (this.#writes === 0 && this.#dirty.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #opened(job: JobId, task: TaskNumber, attempt: number): OpenLog | undefined {
    const key = keyOf(job, task, attempt);
    const known = this.#open.get(key);
    if (known) return known;
    const file = this.file(job, task, attempt);
    if (file === undefined) return undefined;
    // It has a size when a process prints after its attempt has ended.
    const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    const cut = bytes >= this.#bytesMax;
    const open: OpenLog = {
      address: { job, task, attempt },
      key,
      file,
      pending: [],
      writing: false,
      written: bytes,
      markedAt: 0,
      bytes,
      cut,
      ended: false,
    };
    this.#open.set(key, open);
    return open;
  }

  #mark(open: OpenLog): void {
    const wall = (this.#options.clock ?? systemClock).wall();
    if (Math.abs(wall - open.markedAt) < markMs) return;
    open.markedAt = wall;
    this.#push(open, encodeLogTime(wall));
  }

  #push(open: OpenLog, bytes: Uint8Array): void {
    open.pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #write(): void {
    for (const open of this.#dirty) {
      if (this.#writes >= writesMax) return;
      if (open.writing) continue;
      this.#dirty.delete(open);
      void this.#writeOne(open);
    }
  }

  /** Never rejects: a log that cannot be written must not fail the work. */
  async #writeOne(open: OpenLog): Promise<void> {
    const bytes = open.pending.length === 1 ? open.pending[0] : Buffer.concat(open.pending);
    open.pending = [];
    open.writing = true;
    this.#writes++;
    try {
      if (bytes) await appendTo(open.file, bytes);
      this.#failed = false;
      if (bytes) this.#sink?.written(open.address, open.written, bytes);
      open.written += bytes?.length ?? 0;
    } catch (error) {
      if (!this.#failed) {
        this.#options.log.error("output of tasks cannot be written and is lost; look at the disk", {
          file: open.file,
          error,
        });
      }
      this.#failed = true;
    }
    this.#writes--;
    open.writing = false;
    this.#pendingBytes -= bytes?.length ?? 0;
    this.#settle(open);
    this.#notify(open.key);
    this.#write();
    if (!this.behind) for (const go of this.#onCaughtUp.splice(0)) go();
    if (this.#writes === 0 && this.#dirty.size === 0) {
      for (const go of this.#onIdle.splice(0)) go();
    }
  }

  #settle(open: OpenLog): void {
    if (!open.ended || open.writing || open.pending.length > 0) return;
    this.#open.delete(open.key);
    this.#sink?.ended(open.address);
  }

  #notify(key: string): void {
    for (const wake of this.#listeners.get(key) ?? []) wake();
  }
}

function keyOf(job: JobId, task: TaskNumber, attempt: number): string {
  return `${job}/${task}.${attempt}`;
}

async function appendTo(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await appendFile(file, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    await mkdir(dirname(file), { recursive: true });
    await appendFile(file, bytes);
  }
}
