// What attempts have printed and masters have not: positions of all of it, bytes of some (docs/logs.md).
//
//   LB1  Memory is bounded: past `logShipBytesMax` only positions are kept, and bytes are read from the disk; past
//        `logShipAttemptsMax` only jobs are, whose folders are looked through later.
//   LB2  Bodies are filled in turn, a piece of each log, so that one that prints much does not hold up the others.

import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { limits } from "../protocol/limits.ts";
import type { LogPlace } from "../protocol/log-push.ts";
import {
  cutRecords,
  encodePiece,
  logStart,
  pieceBytes,
  pieceBytesMax,
  pieceFlags,
  placeFlags,
  recordBytesMax,
} from "../protocol/log-push.ts";
import { logHeadBytes } from "../protocol/log-record.ts";
import type { AttemptAddress, LogSink } from "./slots/attempt-logs.ts";

interface Waiting {
  readonly address: AttemptAddress;
  /** Pushed up to here, written up to `size`. */
  from: number;
  size: number;
  /** What is known of the place `from`; undefined: nothing. */
  place: LogPlace;
  /** The bytes from `from` to `size`, or nothing of them. */
  chunks: Uint8Array[] | undefined;
  ended: boolean;
  readonly again: boolean;
  readonly since: number;
}

export interface LogBacklogOptions {
  readonly folder: string;
  readonly wall: () => number;
  /** Something waits. */
  readonly onWaiting: () => void;
  /** Whether more may come of it. */
  readonly isOpen: (address: AttemptAddress) => boolean;
}

/** A body, and what becomes of the logs in it when it is pushed. */
export interface Body {
  readonly bytes: Uint8Array;
  readonly done: () => void;
}

const lookFiles = 500;
const filePattern = /^(\d{1,10})\.(\d{1,10})\.log$/;

export class LogBacklog implements LogSink {
  readonly #o: LogBacklogOptions;
  readonly #waiting = new Map<string, Waiting>();
  /** Logs that are being followed by what comes: where they stand when nothing waits. */
  readonly #places = new Map<string, { readonly from: number; readonly place: LogPlace }>();
  /** Jobs to be looked through: files written after that wall time. */
  readonly #jobs = new Map<string, number>();
  #look: { readonly job: string; readonly after: number; names: string[] } | undefined;
  #bytes = 0;

  constructor(options: LogBacklogOptions) {
    this.#o = options;
  }

  get empty(): boolean {
    return this.#waiting.size === 0 && this.#jobs.size === 0 && this.#look === undefined;
  }

  /** All that was written before this wall time is pushed. */
  get pushedBefore(): number {
    if (this.#jobs.size > 0 || this.#look) return 0;
    const [oldest] = this.#waiting.values();
    return oldest?.since ?? this.#o.wall();
  }

  written(address: AttemptAddress, from: number, bytes: Uint8Array): void {
    const key = keyOf(address);
    let log = this.#waiting.get(key);
    if (!log) {
      if (this.#waiting.size >= limits.logShipAttemptsMax) return this.#leaveToDisk(address);
      const known = this.#places.get(key);
      this.#places.delete(key);
      // What is before was pushed by a predecessor, or will be found by looking through.
      log = this.#add(address, known?.from ?? from, known?.place ?? logStart, false);
      log.chunks = [];
    }
    log.size = from + bytes.length;
    if (log.chunks && this.#bytes + bytes.length <= limits.logShipBytesMax) {
      log.chunks.push(bytes);
      this.#bytes += bytes.length;
    } else this.#drop(log);
    this.#o.onWaiting();
  }

  ended(address: AttemptAddress): void {
    const key = keyOf(address);
    const log = this.#waiting.get(key);
    if (log) {
      log.ended = true;
      return;
    }
    const known = this.#places.get(key);
    if (!known) return;
    this.#places.delete(key);
    const last = this.#add(address, known.from, known.place, false);
    last.ended = true;
    last.chunks = [];
    this.#o.onWaiting();
  }

  /** Files of a predecessor that were written after this wall time. */
  async lookThrough(after: number): Promise<void> {
    for (const job of await readdir(this.#o.folder).catch(() => [])) this.#jobs.set(job, after);
    if (this.#jobs.size > 0) this.#o.onWaiting();
  }

  /** Undefined when there is nothing to push now. */
  async next(): Promise<Body | undefined> {
    if (this.#waiting.size === 0) await this.#lookOn();
    const pieces: Uint8Array[] = [];
    const done: (() => void)[] = [];
    let room: number = limits.logPushBytesMax;
    // A few logs that print much share a body, so that it is a full one.
    const share = Math.max(pieceBytesMax, Math.floor(room / this.#waiting.size) - 128);
    for (const [key, log] of [...firsts(this.#waiting)]) {
      const head = pieceBytes({ job: log.address.job, bytes: new Uint8Array(0) });
      if (room < head + recordBytesMax + logHeadBytes) break;
      const cut = await this.#cut(log, Math.min(share, room - head));
      if (!cut) {
        this.#forget(key, log);
        continue;
      }
      pieces.push(cut.piece);
      done.push(() => this.#pushed(key, log, cut.to, cut.place, cut.ends));
      room -= cut.piece.length;
    }
    if (pieces.length === 0) return undefined;
    return { bytes: Buffer.concat(pieces), done: () => done.forEach((fire) => fire()) };
  }

  async #cut(log: Waiting, room: number) {
    const bytes = await this.#bytesOf(log, room);
    const { length, at, after } = cutRecords(bytes, room, log.place);
    const to = log.from + length;
    // A torn record at the end of a file that nobody writes any more: nothing that could be read.
    const ends = log.ended && (to >= log.size || length === 0);
    if (length === 0 && !ends) return undefined;
    const flags =
      placeFlags(log.place) | (ends ? pieceFlags.ends : 0) | (log.again ? pieceFlags.again : 0);
    const { address, from } = log;
    const piece = encodePiece(
      { ...address, flags, from, at, bytes: bytes.subarray(0, length) },
      crc32,
    );
    return { piece, to, place: after, ends };
  }

  async #bytesOf(log: Waiting, room: number): Promise<Uint8Array> {
    if (log.chunks) {
      const some: Uint8Array[] = [];
      let length = 0;
      for (const chunk of log.chunks) {
        if (length >= room) break;
        some.push(chunk);
        length += chunk.length;
      }
      const [only] = some;
      return some.length === 1 && only ? only : Buffer.concat(some);
    }
    const { job, task, attempt } = log.address;
    const file = join(this.#o.folder, job, `${task}.${attempt}.log`);
    try {
      await using handle = await open(file, "r");
      const buffer = Buffer.alloc(Math.min(room, log.size - log.from));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, log.from);
      return buffer.subarray(0, bytesRead);
    } catch {
      // It was removed, being old: there is nothing to push any more.
      return new Uint8Array(0);
    }
  }

  #pushed(key: string, log: Waiting, to: number, place: LogPlace, ends: boolean): void {
    if (log.chunks) {
      let bytes = to - log.from;
      while (bytes > 0) {
        const [chunk] = log.chunks;
        if (!chunk) break;
        const taken = Math.min(bytes, chunk.length);
        if (taken === chunk.length) log.chunks.shift();
        else log.chunks[0] = chunk.subarray(taken);
        this.#bytes -= taken;
        bytes -= taken;
      }
    }
    log.from = to;
    log.place = place;
    this.#waiting.delete(key);
    if (ends) return this.#drop(log);
    // Behind the others (LB2).
    if (log.from < log.size || log.ended) this.#waiting.set(key, log);
    else this.#rest(key, log);
  }

  /** It has nothing that waits, and may print more. */
  #rest(key: string, { address, from, place }: Waiting): void {
    if (!this.#o.isOpen(address)) return;
    this.#places.set(key, { from, place });
  }

  #forget(key: string, log: Waiting): void {
    this.#waiting.delete(key);
    this.#drop(log);
  }

  #drop(log: Waiting): void {
    for (const chunk of log.chunks ?? []) this.#bytes -= chunk.length;
    log.chunks = undefined;
  }

  #leaveToDisk({ job }: AttemptAddress): void {
    const slack = 60_000;
    if (!this.#jobs.has(job)) this.#jobs.set(job, this.#o.wall() - slack);
  }

  #add(address: AttemptAddress, from: number, place: LogPlace, again: boolean): Waiting {
    const since = this.#o.wall();
    const log = { address, from, place, again, since, size: from, chunks: undefined, ended: false };
    this.#waiting.set(keyOf(address), log);
    return log;
  }

  /** A few files at a time. */
  async #lookOn(): Promise<void> {
    while (this.#waiting.size === 0) {
      if (!this.#look) {
        const [first] = this.#jobs;
        if (!first) return;
        const [job, after] = first;
        this.#jobs.delete(job);
        const names = await readdir(join(this.#o.folder, job)).catch(() => []);
        this.#look = { job, after, names };
      }
      const { job, after, names } = this.#look;
      for (const name of names.splice(0, lookFiles)) await this.#found(job, name, after);
      if (names.length === 0) this.#look = undefined;
    }
  }

  async #found(job: string, name: string, after: number): Promise<void> {
    const [, task, attempt] = filePattern.exec(name) ?? [];
    if (task === undefined || attempt === undefined) return;
    const address = { job, task: Number(task), attempt: Number(attempt) };
    const file = await stat(join(this.#o.folder, job, name)).catch(() => undefined);
    if (!file || file.mtimeMs < after) return;
    // It has printed since: what is before that is looked for when that is pushed.
    if (this.#waiting.has(keyOf(address))) return void this.#jobs.set(job, after);
    const log = this.#add(address, 0, logStart, true);
    log.size = file.size;
    log.ended = !this.#o.isOpen(address);
    this.#places.delete(keyOf(address));
  }
}

function keyOf({ job, task, attempt }: AttemptAddress): string {
  return `${job}/${task}.${attempt}`;
}

/** More logs than these have no room in one body. */
function* firsts(waiting: ReadonlyMap<string, Waiting>): Generator<[string, Waiting]> {
  let left = Math.ceil(limits.logPushBytesMax / 64);
  for (const entry of waiting) {
    if (left-- === 0) return;
    yield entry;
  }
}
