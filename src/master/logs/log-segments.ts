// All segments of a master's logs. Inside the thread only.

import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { decodePieces, pieceFlags } from "../../protocol/log-push.ts";
import type { LogPiece } from "../../protocol/log-push.ts";
import type { LogAddress, LogBytes, LogExtent, LogRead, PruneAsk } from "./log-calls.ts";
import { isDamage, LogSegment } from "./log-segment.ts";
import type { StoredPiece } from "./log-segment.ts";

const filePattern = /^(\d{8})\.db$/;
/** One answer of bytes. */
const readBytesMax = 1024 * 1024;

export class LogSegments {
  readonly #dir: string;
  readonly #segmentBytes: number;
  /** The oldest first; the last one is added to. */
  #all: LogSegment[] = [];
  /** Files that could not be opened, and why. */
  readonly damaged: string[] = [];
  #lastNumber = 0;

  constructor(dir: string, segmentBytes: number) {
    this.#dir = dir;
    this.#segmentBytes = segmentBytes;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(dir).toSorted()) {
      const number = filePattern.exec(name)?.[1];
      if (number !== undefined) this.#open(join(dir, name), Number(number));
    }
  }

  get all(): readonly LogSegment[] {
    return this.#all;
  }

  get bytes(): number {
    return this.#all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #open(file: string, number: number): void {
    this.#lastNumber = Math.max(this.#lastNumber, number);
    try {
      this.#all.push(new LogSegment(file, number));
    } catch (error) {
      // What is in it is lost, or for someone to look at: the other segments are not.
      if (isDamage(error)) setAside(file);
      this.damaged.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Returns how many pieces were new enough to be written. */
  add(body: Uint8Array, wall: number): number {
    const pieces = decodePieces(body, crc32).filter((piece) => !this.#isKnown(piece));
    if (pieces.length === 0) return 0;
    this.#current().add(pieces, wall);
    return pieces.length;
  }

  #current(): LogSegment {
    const last = this.#all.at(-1);
    if (last && last.bytes < this.#segmentBytes) return last;
    const number = ++this.#lastNumber;
    const file = join(this.#dir, `${String(number).padStart(8, "0")}.db`);
    const fresh = new LogSegment(file, number);
    this.#all.push(fresh);
    return fresh;
  }

  /** A worker that has started again pushes all of a log: most of it may be here, in whatever segment. */
  #isKnown(piece: LogPiece): boolean {
    if ((piece.flags & pieceFlags.again) === 0) return false;
    const { whole, end } = this.extent(piece);
    const ends = (piece.flags & pieceFlags.ends) !== 0;
    return whole >= piece.from + piece.bytes.length && (!ends || end !== null);
  }

  extent(address: LogAddress): LogExtent {
    const spans = this.#all.flatMap((segment) => segment.spans(address));
    let whole = 0;
    for (const { start, length } of spans.toSorted((a, b) => a.start - b.start)) {
      if (start > whole) break;
      whole = Math.max(whole, start + length);
    }
    return { whole, end: this.#end(address) };
  }

  #end(address: LogAddress): number | null {
    for (const segment of this.#all) {
      const last = segment.lastSpan(address);
      if (last && (last.flags & pieceFlags.ends) !== 0) return last.start + last.length;
    }
    return null;
  }

  /** Null when nothing is here from that position on. */
  read({ from, ...address }: LogRead): LogBytes | null {
    const with_ = this.#all.filter((segment) => segment.has(address.job));
    const end = this.#end(address);
    const chunks: Uint8Array[] = [];
    let offset = from;
    let to = from;
    let bytes = 0;
    // Pieces that follow each other mostly lie in one segment: it is asked first.
    let likely: LogSegment | undefined;
    while (bytes < readBytesMax) {
      const found: { readonly segment: LogSegment; readonly piece: StoredPiece } | undefined = next(
        likely,
        with_,
        address,
        to,
      );
      if (!found) break;
      const { piece, segment } = found;
      likely = segment;
      if (piece.start > to) {
        if (chunks.length > 0) break;
        offset = to = piece.start;
      }
      const chunk = piece.bytes.subarray(to - piece.start);
      chunks.push(chunk);
      to += chunk.length;
      bytes += chunk.length;
    }
    if (chunks.length > 0) return { offset, bytes: join_(chunks), end };
    return end === null ? null : { offset: from, bytes: new Uint8Array(0), end };
  }

  prune({ before, bytesMax }: PruneAsk): { segments: number; bytes: number } {
    const was = this.bytes;
    let segments = 0;
    let bytes = was;
    // The last one is being written.
    while (this.#all.length > 1) {
      const [oldest] = this.#all;
      if (!oldest || (oldest.came >= before && bytes <= bytesMax)) break;
      bytes -= oldest.bytes;
      this.#all = this.#all.slice(1);
      oldest.remove();
      segments++;
    }
    // One that is too old goes though nothing came since; the next piece begins another.
    const [only] = this.#all;
    if (this.#all.length === 1 && only && only.came > 0 && only.came < before) {
      this.#all = [];
      only.remove();
      segments++;
    }
    return { segments, bytes: was - this.bytes };
  }

  close(): void {
    for (const segment of this.#all) segment.close();
    this.#all = [];
  }
}

function next(
  likely: LogSegment | undefined,
  all: readonly LogSegment[],
  address: LogAddress,
  from: number,
) {
  let best: { readonly segment: LogSegment; readonly piece: StoredPiece } | undefined;
  for (const segment of likely ? [likely, ...all] : all) {
    const piece = segment.at(address, from);
    if (!piece) continue;
    if (piece.start <= from) return { segment, piece };
    if (!best || piece.start < best.piece.start) best = { segment, piece };
  }
  return best;
}

function join_(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only) return only;
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function setAside(file: string): void {
  renameSync(file, `${file}.damaged`);
  for (const suffix of ["-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
}
