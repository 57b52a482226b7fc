// Reports that no leader has taken, on disk (W6): what has ended must not be lost with this
// process.
//
// One file: records of 4 bytes length (big endian), 4 bytes CRC-32, MessagePack. The first record
// is the header, each further one a report. A new incarnation numbers what it finds anew and writes
// its own file before it adds to it (reports.ts R2).
//
//   F1. What was found whole is never cut: a torn tail is cut off, said, and overwritten.
//   F2. A write that failed leaves the file as it was before, and is tried again.
//   F3. When every report in the file is recorded it is emptied; a long recorded front is cut off.

import { crc32 } from "node:zlib";
import { decode, encode } from "@msgpack/msgpack";
import { type FileHandle, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { Spool } from "./reports.ts";

const format = 1;
const compactBytes = 16 * 1024 * 1024;
const retryMs = 1_000;

interface Header {
  readonly skein: "spool";
  readonly format: number;
  readonly incarnation: string;
  readonly journalId: string;
}

export interface FoundSpool {
  /** The journal that the reports are for; null when there are none. */
  readonly journalId: string | null;
  /** Numbered anew from 1. */
  readonly reports: readonly WorkerReport[];
}

/** What lies in a file, as far as it is whole. A file that is none is set aside, never deleted. */
export async function loadSpool(file: string, log: Log): Promise<FoundSpool> {
  const nothing: FoundSpool = { journalId: null, reports: [] };
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return nothing;
    throw error;
  }
  if (bytes.length === 0) return nothing;
  const { records, end } = recordsIn(bytes);
  const [header, ...rest] = records;
  if (!isHeader(header)) {
    const aside = `${file}.damaged-${Date.now()}`;
    await rename(file, aside);
    log.error("the spool has no readable header and was set aside", { file: aside });
    return nothing;
  }
  const reports = rest
    .filter((record) => isReport(record))
    .map((report, i) => ({ ...report, n: i + 1 }));
  const cut = bytes.length - end;
  if (cut > 0) log.warn("the spool ended in half a record, which was cut", { file, bytes: cut });
  if (reports.length > 0) log.info("found outcomes of an earlier run", { reports: reports.length });
  return reports.length === 0 ? nothing : { journalId: header.journalId, reports };
}

export interface FileSpoolOptions {
  readonly file: string;
  readonly incarnation: string;
  /** Known before the first report, since there is no work before a welcome. */
  readonly journalId: () => string | null;
  readonly found: FoundSpool;
  readonly log: Log;
}

interface Entry {
  readonly n: number;
  readonly bytes: number;
}

export class FileSpool implements Spool, AsyncDisposable {
  readonly #o: FileSpoolOptions;
  #file: FileHandle | undefined;
  #size = 0;
  #headerSize = 0;
  /** Reports in the file, in order; those up to `#recorded` are dead. */
  #entries: Entry[] = [];
  #queue: WorkerReport[] = [];
  #recorded = 0;
  #running: Promise<void> | undefined;
  #closed = false;
  problem: string | undefined;

  private constructor(options: FileSpoolOptions) {
    this.#o = options;
  }

  /** Takes over what was found, in a file of its own. */
  static async open(options: FileSpoolOptions): Promise<FileSpool> {
    const spool = new FileSpool(options);
    await mkdir(dirname(options.file), { recursive: true });
    if (options.found.reports.length > 0) await spool.#create(options.found.reports);
    else await rm(options.file, { force: true });
    return spool;
  }

  append(reports: readonly WorkerReport[]): void {
    this.#queue.push(...reports);
    this.#run();
  }

  recorded(n: number): void {
    this.#recorded = Math.max(this.#recorded, n);
    this.#queue = this.#queue.filter((report) => report.n > this.#recorded);
    if (this.#file) this.#run();
  }

  /** Resolves when everything that was appended is durable, or cannot be made so. */
  async flushed(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.flushed();
    await this.#file?.close();
    this.#file = undefined;
  }

  /** One writer at a time: it goes on until nothing waits. */
  #run(): void {
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
  }

  async #work(): Promise<void> {
    for (;;) {
      try {
        await this.#write();
        await this.#compact();
        this.problem = undefined;
        if (this.#queue.length === 0) return;
      } catch (error) {
        if (this.problem === undefined) this.#o.log.error("the spool cannot be written", { error });
        this.problem = error instanceof Error ? error.message : String(error);
        if (this.#closed) return;
        await new Promise<void>((resolve) => void setTimeout(resolve, retryMs).unref());
      }
    }
  }

  async #write(): Promise<void> {
    const reports = this.#queue;
    if (reports.length === 0) return;
    if (!this.#file) await this.#create([]);
    const file = this.#file;
    if (!file) throw new Error("the spool is not open");
    const records = reports.map((report) => recordOf(report));
    const bytes = Buffer.concat(records);
    if (this.#size + bytes.length > limits.spoolBytesMax) throw new Error("the spool is full");
    try {
      await writeAll(file, bytes, this.#size);
      await file.datasync();
    } catch (error) {
      // What lies behind the last good byte would be taken for a torn tail (F2).
      await file.truncate(this.#size);
      throw error;
    }
    this.#size += bytes.length;
    reports.forEach(({ n }, i) => this.#entries.push({ n, bytes: records[i]?.length ?? 0 }));
    // More may have come meanwhile, and some of these may be recorded and gone from the queue.
    const written = new Set(reports);
    this.#queue = this.#queue.filter((report) => !written.has(report));
  }

  /** Cuts off what is recorded (F3). */
  async #compact(): Promise<void> {
    const live = this.#entries.findIndex((entry) => entry.n > this.#recorded);
    const dead = live < 0 ? this.#entries : this.#entries.slice(0, live);
    const deadBytes = dead.reduce((sum, entry) => sum + entry.bytes, 0);
    const file = this.#file;
    if (!file || deadBytes === 0) return;
    if (live < 0) {
      await file.truncate(this.#headerSize);
      await file.datasync();
      this.#size = this.#headerSize;
      this.#entries = [];
      return;
    }
    if (deadBytes < compactBytes || deadBytes * 2 < this.#size) return;
    const start = this.#headerSize + deadBytes;
    const rest = Buffer.alloc(this.#size - start);
    await file.read(rest, 0, rest.length, start);
    await this.#replace([rest], this.#entries.slice(live));
  }

  #create(reports: readonly WorkerReport[]): Promise<void> {
    const records = reports.map((report) => recordOf(report));
    const entries = reports.map(({ n }, i) => ({ n, bytes: records[i]?.length ?? 0 }));
    return this.#replace(records, entries);
  }

  /** A new file with this content takes the old one's place in one step. */
  async #replace(records: readonly Uint8Array[], entries: readonly Entry[]): Promise<void> {
    const { file, incarnation, found } = this.#o;
    const journalId = this.#o.journalId() ?? found.journalId ?? "";
    const head = recordOf({ skein: "spool", format, incarnation, journalId } satisfies Header);
    const draft = `${file}.draft`;
    const handle = await open(draft, "w+");
    try {
      const bytes = Buffer.concat([head, ...records]);
      await writeAll(handle, bytes, 0);
      await handle.sync();
      await rename(draft, file);
      await syncFolder(dirname(file));
      await this.#file?.close();
      this.#file = handle;
      this.#size = bytes.length;
      this.#headerSize = head.length;
      this.#entries = [...entries];
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/** Without this the new name itself may be lost with the power. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function recordOf(value: Header | WorkerReport): Uint8Array {
  const body = encode(value);
  const record = Buffer.alloc(8 + body.length);
  record.writeUInt32BE(body.length, 0);
  record.writeUInt32BE(crc32(body), 4);
  record.set(body, 8);
  return record;
}

function recordsIn(bytes: Uint8Array): { records: unknown[]; end: number } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: unknown[] = [];
  let end = 0;
  while (end + 8 <= buffer.length) {
    const next = end + 8 + buffer.readUInt32BE(end);
    if (next > buffer.length) break;
    const body = buffer.subarray(end + 8, next);
    if (crc32(body) !== buffer.readUInt32BE(end + 4)) break;
    // As plain bytes: what lies in a Buffer would be decoded as Buffers.
    records.push(decode(new Uint8Array(body.buffer, body.byteOffset, body.length)));
    end = next;
  }
  return { records, end };
}

function isHeader(value: unknown): value is Header {
  if (typeof value !== "object" || value === null) return false;
  const { skein, format: found, journalId } = value as Partial<Header>;
  return skein === "spool" && found === format && typeof journalId === "string";
}

/** The CRC vouches for the rest: these bytes are what a worker wrote. */
function isReport(value: unknown): value is WorkerReport {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "report";
}
