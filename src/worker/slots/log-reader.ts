// Reads an attempt's log from a position, and follows it while the attempt lives: what a LogRequest asks for.

import { open, type FileHandle } from "node:fs/promises";
import type { JobId, TaskNumber } from "../../protocol/ids.ts";
import { encodeLogRecord, LogRecordReader } from "../../protocol/log-record.ts";
import type { AttemptLogs } from "./attempt-logs.ts";

const chunkBytes = 128 * 1_024;
/** An attempt that was given back unstarted ends without a word to those who wait for its output. */
const lookAgainMs = 1_000;

export interface LogQuery {
  readonly job: JobId;
  readonly task: TaskNumber;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr" | "both";
  /** A position: 0, or the `next` of a part of the same stream. */
  readonly from: number;
  readonly follow: boolean;
}

export interface LogPart {
  readonly offset: number;
  /** Where to go on from. */
  readonly next: number;
  readonly bytes: Uint8Array;
  /** The last part. */
  readonly end: boolean;
  /** Why there is no (more) log. */
  readonly problem?: string;
}

export interface LogReaderOptions {
  readonly logs: AttemptLogs;
  /** Whether a slot has this attempt, started or not. */
  readonly isHeld: (job: JobId, task: TaskNumber, attempt: number) => boolean;
}

/** Hands over parts in order, waiting for each `onPart`, until the end or until stopped. */
export function readLog(
  query: LogQuery,
  onPart: (part: LogPart) => void | Promise<void>,
  options: LogReaderOptions,
): () => void {
  const run = new LogRead(query, onPart, options);
  void run.run();
  return () => run.stop();
}

class LogRead {
  readonly #query: LogQuery;
  readonly #onPart: (part: LogPart) => void | Promise<void>;
  readonly #options: LogReaderOptions;
  readonly #records: LogRecordReader;
  /** Read up to here; handed over up to `#told`. */
  #position: number;
  #told: number;
  #handle: FileHandle | undefined;
  #stopped = false;
  #wake: (() => void) | undefined;
  /** Something happened since the last look. */
  #moved = false;

  constructor(
    query: LogQuery,
    onPart: (part: LogPart) => void | Promise<void>,
    options: LogReaderOptions,
  ) {
    this.#query = query;
    this.#onPart = onPart;
    this.#options = options;
    this.#position = this.#told = query.from;
    this.#records = new LogRecordReader(query.from);
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  async run(): Promise<void> {
    const { job, task, attempt } = this.#query;
    const forget = this.#options.logs.listen(job, task, attempt, () => {
      this.#moved = true;
      this.#wake?.();
    });
    try {
      await this.#readAll();
    } catch (error) {
      await this.#tell([], `the log could not be read: ${(error as Error).message}`);
    } finally {
      forget();
      await this.#handle?.close();
    }
  }

  async #readAll(): Promise<void> {
    const { job, task, attempt, follow } = this.#query;
    const { logs, isHeld } = this.#options;
    while (!this.#stopped) {
      // Asked before the read: what an attempt that has ended printed is all there.
      const live = isHeld(job, task, attempt) || logs.isOpen(job, task, attempt);
      this.#moved = false;
      if (!follow && live) await logs.flushed();
      const bytes = await this.#read();
      if (bytes.length > 0) {
        await this.#hand(bytes);
        continue;
      }
      if (!follow || !live) return this.#finish(live);
      await this.#wait();
    }
  }

  #finish(live: boolean): void | Promise<void> {
    if (this.#handle || live) return this.#tell([], undefined);
    return this.#tell(
      [],
      "no output is kept here: the attempt printed nothing, or its log was removed " +
        "(logs are kept 7 days and up to 1 GiB)",
    );
  }

  async #read(): Promise<Uint8Array> {
    const { job, task, attempt } = this.#query;
    const file = this.#options.logs.file(job, task, attempt);
    if (file === undefined) return new Uint8Array(0);
    this.#handle ??= await openIfThere(file);
    if (!this.#handle) return new Uint8Array(0);
    const buffer = new Uint8Array(chunkBytes);
    const { bytesRead } = await this.#handle.read(buffer, 0, chunkBytes, this.#position);
    this.#position += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  async #hand(bytes: Uint8Array): Promise<void> {
    const { stream } = this.#query;
    const offset = this.#told;
    if (stream === "both") {
      this.#told = this.#position;
      await this.#onPart({ offset, next: this.#told, bytes, end: false });
      return;
    }
    const records = this.#records.push(bytes);
    this.#told = this.#records.position;
    const wanted = records.filter((record) => record.stream === stream);
    if (wanted.length === 0) return;
    const kept = Buffer.concat(wanted.map((record) => encodeLogRecord(stream, record.bytes)));
    await this.#onPart({ offset, next: this.#told, bytes: kept, end: false });
  }

  async #tell(bytes: readonly number[], problem: string | undefined): Promise<void> {
    if (this.#stopped) return;
    await this.#onPart({
      offset: this.#told,
      next: this.#told,
      bytes: Uint8Array.from(bytes),
      end: true,
      ...(problem === undefined ? {} : { problem }),
    });
  }

  #wait(): Promise<void> {
    if (this.#moved || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), lookAgainMs);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
