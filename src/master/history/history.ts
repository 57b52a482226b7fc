// A master's own history of decisions (A6): every batch that it applied, kept when the journal is
// trimmed.
//
//     loop ──add(index, wall, batch)──▶ queue ──▶ <first>.plain ──sealed──▶ <first>-<last>-….gz
//
// It rests on nothing and nothing rests on it: losing the last second of it in a power failure
// loses no promise, because snapshots and their names do not wait for it, and a trim only while there
// is room (snapshot-keeper.ts). What it lacks it says.
//
//   H1  `add` never waits. What waits for the disk is bounded; past that bound it is dropped,
//       logged, and from then on among what this history lacks.
//   H2  Indexes up to `added` are skipped; a jump begins a new segment.
//   H3  Whole batches only: a torn record at the end is cut when the history is opened.
//   H4  A segment is plain until its sealed copy is durable: at every moment one of the two is
//       complete.
//   H5  `read` gives every batch from the first asked, or ends with HistoryGone.

import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { systemClock, type CancelTimer, type Clock } from "../../lib/clock.ts";
import { silentLog, type Log } from "../../lib/log.ts";
import { diskTrouble, StoreTrouble } from "../archive/trouble.ts";
import { openFolder } from "./history-folder.ts";
import { headerBytes, plainName, readSegment, recordHeader, seal, writeAt } from "./segment.ts";
import { syncFolder, type HistoryRecord, type Segment } from "./segment.ts";

export type { HistoryRecord } from "./segment.ts";

export interface HistoryOptions {
  readonly dir: string;
  readonly journalId: string;
  readonly retain: { readonly ms: number; readonly bytes: number };
  readonly clock?: Clock;
  readonly log?: Log;
  /** Raw bytes after which a segment is sealed. */
  readonly segmentBytes?: number;
  readonly segmentMs?: number;
  readonly queueBytesMax?: number;
}

export interface HistoryPoint {
  readonly index: number;
  readonly wall: number;
}

export interface History {
  /** `bytes` must not change afterwards: they are written later, from where they are. */
  add(index: number, wall: number, bytes: Uint8Array): void;
  readonly added: number;
  /** What was added up to this index survives a power failure, except what `lacks` names. */
  readonly durable: number;
  readonly queuedBytes: number;
  /** The disk does not take what is added at the moment. */
  readonly trouble: StoreTrouble | undefined;
  /** Ranges between the oldest kept and `added` that are not here. */
  lacks(): readonly { readonly first: number; readonly last: number }[];
  oldest(): HistoryPoint | undefined;
  /** From … to, both included; to what was added by now when `to` is left out. */
  read(from: number, to?: number): AsyncIterable<HistoryRecord>;
  /** Index of the last batch that was made at or before this wall clock. */
  at(wall: number): Promise<number>;
  flush(): Promise<void>;
  prune(): Promise<{ readonly segments: number; readonly bytes: number }>;
  usage(): { readonly segments: number; readonly bytes: number };
  [Symbol.asyncDispose](): Promise<void>;
}

/** `history_gone`: what is asked for is not kept (any more). */
export class HistoryGone extends StoreTrouble {
  readonly oldest: HistoryPoint | undefined;

  constructor(what: string, oldest: HistoryPoint | undefined) {
    const since = oldest ? new Date(oldest.wall).toISOString() : "";
    super("gone", {
      what,
      why: oldest ? `the oldest kept is index ${oldest.index} of ${since}` : "nothing is kept",
      todo: oldest ? `Ask for ${since} or later, or ask another master` : "Ask another master",
    });
    this.oldest = oldest;
  }
}

export async function openHistory(options: HistoryOptions): Promise<History> {
  const log = options.log ?? silentLog;
  try {
    const segments = await openFolder(options.dir, options.journalId, log);
    const history = new DiskHistory(options, segments, log);
    await history.prune();
    return history;
  } catch (cause) {
    throw diskTrouble(cause, `The history in ${options.dir} cannot be opened`);
  }
}

const segmentBytesDefault = 8 * 1024 * 1024;
const segmentMsDefault = 600_000;
const queueBytesDefault = 64 * 1024 * 1024;
const writeBytesMax = 1024 * 1024;
const gatherMs = 20;
const syncMs = 1_000;
const retryMs = 1_000;

class DiskHistory implements History {
  readonly #options: HistoryOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  /** In order. The last may be plain and growing, those before it are sealed or wait for it. */
  #segments: Segment[];
  #handle: FileHandle | undefined;
  #openedAt = 0;
  #queue: HistoryRecord[] = [];
  /** Taken from the queue and not yet in the last segment. */
  #inFlight: readonly HistoryRecord[] = [];
  /** Set when a file did not reach the disk: what follows goes into another one. */
  #suspect = false;
  #cancelRetry: CancelTimer | undefined;
  #writing: Promise<void> | undefined;
  #sealing: Promise<void> = Promise.resolve();
  #cancelSync: CancelTimer | undefined;
  #closed = false;
  added: number;
  durable: number;
  queuedBytes = 0;
  trouble: StoreTrouble | undefined;

  constructor(options: HistoryOptions, segments: Segment[], log: Log) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = log;
    this.#segments = segments;
    this.added = this.durable = segments.at(-1)?.last ?? 0;
    this.#openedAt = this.#clock.now();
    for (const segment of segments.slice(0, -1)) if (!segment.sealed) this.#sealLater(segment);
  }

  add(index: number, wall: number, bytes: Uint8Array): void {
    if (index <= this.added || this.#closed) return;
    this.added = index;
    this.#queue.push({ index, wall: Math.max(0, Math.round(wall)), bytes });
    this.queuedBytes += bytes.length + headerBytes;
    if (this.queuedBytes > (this.#options.queueBytesMax ?? queueBytesDefault)) this.#dropQueue();
    // While the disk refuses, only the timer tries again.
    if (!this.#cancelRetry) this.#writing ??= this.#writeAll();
  }

  /** H1. What is just being written stays: it leaves by itself. */
  #dropQueue(): void {
    const [first] = this.#queue;
    const last = this.#queue.at(-1);
    this.#log.error("history: the disk does not keep up; batches are left out", {
      first: first?.index,
      last: last?.index,
    });
    for (const record of this.#queue) this.queuedBytes -= record.bytes.length + headerBytes;
    this.#queue = [];
  }

  /** One at a time, until nothing waits or the disk refuses: then again a second later. */
  async #writeAll(): Promise<void> {
    // Let batches gather: a write of many costs hardly more than a write of one.
    await new Promise((resolve) => setTimeout(resolve, gatherMs));
    while (this.#queue.length > 0) {
      this.#inFlight = this.#take();
      try {
        await this.#write(this.#inFlight);
        for (const { bytes } of this.#inFlight) this.queuedBytes -= bytes.length + headerBytes;
        this.#inFlight = [];
        this.#setTrouble(undefined);
      } catch (cause) {
        this.#setTrouble(diskTrouble(cause, "History cannot be written"));
        // In front again, and counted as waiting, so that a drop takes them too.
        this.#queue = [...this.#inFlight, ...this.#queue];
        this.#inFlight = [];
        await this.#leave();
        this.#retryLater();
        break;
      }
    }
    this.#writing = undefined;
    this.#cancelSync ??= this.#clock.after(syncMs, () => void this.#sync());
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#cancelRetry = this.#clock.after(retryMs, () => {
      this.#cancelRetry = undefined;
      this.#writing ??= this.#writeAll();
    });
  }

  /** The next that go into one segment, about a megabyte. */
  #take(): HistoryRecord[] {
    const bytesMax = Math.min(writeBytesMax, this.#options.segmentBytes ?? segmentBytesDefault);
    let bytes = 0;
    let count = 0;
    for (const record of this.#queue) {
      const before = this.#queue[count - 1];
      if (before && record.index !== before.index + 1) break;
      if (bytes > 0 && bytes + record.bytes.length > bytesMax) break;
      bytes += record.bytes.length;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #write(records: readonly HistoryRecord[]): Promise<void> {
    const [first] = records;
    if (!first) return;
    const segment = await this.#segmentFor(first);
    const handle = await this.#open(segment);
    const bytes = Buffer.concat(records.flatMap((each) => [recordHeader(each), each.bytes]));
    await writeAt(handle, bytes, segment.bytes);
    const walls = records.map(({ wall }) => wall);
    this.#replace(segment, {
      ...segment,
      last: records.at(-1)?.index ?? segment.last,
      wallMin: Math.min(segment.wallMin, ...walls),
      wallMax: Math.max(segment.wallMax, ...walls),
      bytes: segment.bytes + bytes.length,
    });
  }

  async #segmentFor(record: HistoryRecord): Promise<Segment> {
    const current = this.#segments.at(-1);
    if (current && !current.sealed && current.bytes > 0) {
      if (!this.#suspect && !this.#isDue(current) && record.index === current.last + 1) {
        return current;
      }
      await this.#leave();
      this.#sealLater(current);
    } else {
      await this.#leave();
      // One without records was begun by a write that failed.
      if (current?.bytes === 0) this.#segments.pop();
    }
    const { index, wall } = record;
    const file = join(this.#options.dir, plainName(index));
    const span = { first: index, last: index - 1, wallMin: wall, wallMax: wall };
    const begun: Segment = { file, sealed: false, bytes: 0, ...span };
    this.#segments.push(begun);
    this.#openedAt = this.#clock.now();
    this.#suspect = false;
    return begun;
  }

  #isDue(segment: Segment): boolean {
    const age = this.#clock.now() - this.#openedAt;
    if (age >= (this.#options.segmentMs ?? segmentMsDefault)) return true;
    return segment.bytes >= (this.#options.segmentBytes ?? segmentBytesDefault);
  }

  async #open(segment: Segment): Promise<FileHandle> {
    if (this.#handle) return this.#handle;
    this.#handle = await open(segment.file, segment.bytes === 0 ? "w" : "r+");
    if (segment.bytes === 0) await syncFolder(this.#options.dir);
    return this.#handle;
  }

  /** Makes durable what was written and closes the file. */
  async #leave(): Promise<void> {
    await this.#sync();
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch((cause: unknown) => {
      this.#setTrouble(diskTrouble(cause, "History cannot be written"));
    });
  }

  async #sync(): Promise<void> {
    this.#cancelSync?.();
    this.#cancelSync = undefined;
    const last = this.#segments.at(-1)?.last ?? 0;
    if (last <= this.durable) return;
    try {
      await this.#handle?.datasync();
      this.durable = Math.max(this.durable, last);
    } catch (cause) {
      // Asking the same file again would say yes without the pages that were lost (J5).
      this.#suspect = true;
      this.#setTrouble(diskTrouble(cause, "History cannot be written"));
    }
  }

  #setTrouble(trouble: StoreTrouble | undefined): void {
    if (trouble && trouble.message !== this.trouble?.message) {
      this.#log.error("history: the disk does not take what is added", { cause: trouble.message });
    }
    this.trouble = trouble;
  }

  #replace(old: Segment, by: Segment | undefined): void {
    const place = this.#segments.findIndex(({ file }) => file === old.file);
    if (place >= 0) this.#segments.splice(place, 1, ...(by ? [by] : []));
  }

  /** One after the other, beside writing (H4). */
  #sealLater(plain: Segment): void {
    this.#sealing = this.#sealing.then(async () => {
      try {
        this.#replace(plain, await seal(this.#options.dir, plain));
        await this.prune();
      } catch (cause) {
        // It stays plain, readable as it is, and is sealed when the history is opened again.
        this.#setTrouble(diskTrouble(cause, `A segment of history cannot be sealed`));
      }
    });
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────

  oldest(): HistoryPoint | undefined {
    const segment = this.#segments.find(({ bytes }) => bytes > 0);
    if (segment) return { index: segment.first, wall: segment.wallMin };
    const [waiting] = this.#waiting();
    return waiting && { index: waiting.index, wall: waiting.wall };
  }

  /** What is not in a segment yet. */
  #waiting(): readonly HistoryRecord[] {
    return this.#inFlight.length === 0 ? this.#queue : [...this.#inFlight, ...this.#queue];
  }

  lacks(): readonly { first: number; last: number }[] {
    const ranges: { first: number; last: number }[] = [];
    const written = this.#segments.filter(({ bytes }) => bytes > 0);
    const waiting = this.#waiting().map(({ index }) => ({ first: index, last: index }));
    const end = { first: this.added + 1, last: this.added };
    let next = (written[0] ?? waiting[0] ?? end).first;
    for (const { first, last } of [...written, ...waiting, end]) {
      if (first > next) ranges.push({ first: next, last: first - 1 });
      next = Math.max(next, last + 1);
    }
    return ranges;
  }

  async *read(from: number, to = this.added): AsyncGenerator<HistoryRecord, void, void> {
    const end = Math.min(to, this.added);
    let next = from;
    while (next <= end) {
      for (const record of await this.#recordsWith(next)) {
        if (record.index < next) continue;
        if (record.index > end) return;
        yield record;
        next = record.index + 1;
      }
    }
  }

  async #recordsWith(index: number): Promise<readonly HistoryRecord[]> {
    for (let tries = 0; ; tries++) {
      const segment = this.#segments.find(({ first, last }) => first <= index && index <= last);
      if (!segment) {
        const waiting = this.#waiting().filter((record) => record.index === index);
        if (waiting.length > 0) return waiting;
        throw this.#gone(`Index ${index} is not in this history`);
      }
      try {
        return await readSegment(segment);
      } catch (cause) {
        // Sealed or pruned since we looked: its successor, or its absence, is in the list by now.
        const isGone = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
        if (!isGone || tries >= 3) throw diskTrouble(cause, `History cannot be read`);
        await this.#sealing;
      }
    }
  }

  #gone(what: string): HistoryGone {
    return new HistoryGone(what, this.oldest());
  }

  async at(wall: number): Promise<number> {
    // From the newest: should the wall clock ever have stepped back, the later of two moments
    // counts.
    const waiting = this.#waiting().findLast((record) => record.wall <= wall);
    if (waiting) return waiting.index;
    const segment = this.#segments.findLast(({ wallMin, bytes }) => bytes > 0 && wallMin <= wall);
    if (!segment) throw this.#gone(`No history reaches back to ${new Date(wall).toISOString()}`);
    if (segment.wallMax <= wall) return segment.last;
    const records = await this.#recordsWith(segment.first);
    return records.findLast((record) => record.wall <= wall)?.index ?? segment.first;
  }

  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
    await this.#sync();
    if (this.trouble) throw this.trouble;
  }

  async prune(): Promise<{ segments: number; bytes: number }> {
    const pruned = { segments: 0, bytes: 0 };
    const { ms, bytes: bytesMax } = this.#options.retain;
    const before = this.#clock.wall() - ms;
    for (;;) {
      const [oldest] = this.#segments;
      if (!oldest?.sealed) break;
      if (oldest.wallMax >= before && this.usage().bytes <= bytesMax) break;
      this.#segments.shift();
      await rm(oldest.file, { force: true });
      pruned.segments += 1;
      pruned.bytes += oldest.bytes;
    }
    return pruned;
  }

  usage(): { segments: number; bytes: number } {
    const bytes = this.#segments.reduce((sum, each) => sum + each.bytes, 0);
    return { segments: this.#segments.length, bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#writing;
    this.#cancelRetry?.();
    await this.#leave();
    await this.#sealing;
  }
}
