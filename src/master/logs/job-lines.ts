// Lines of all attempts of a job, merged by the time they were printed, from one master's segments. Inside the thread
// only. The order is that of pieces (time, task, attempt, position), and within a piece that of its lines: the same on
// every master, so that pages of several can be merged (log-gather.ts).

import { pieceFlags } from "../../protocol/log-push.ts";
import { LogRecordReader } from "../../protocol/log-record.ts";
import type { LinePlace, LinesPage, LinesQuery, LogLine } from "./log-calls.ts";
import { comparePlaces } from "./log-calls.ts";
import { contains, LineCutter, textOf } from "./log-lines.ts";
import type { Line, Stream } from "./log-lines.ts";
import type { LogSegment, StoredPiece } from "./log-segment.ts";
import type { LogSegments } from "./log-segments.ts";

/** One call looks at so much, and answers so much, before others have their turn. */
const lookBytesMax = 8 * 1024 * 1024;
const answerBytesMax = 4 * 1024 * 1024;
const batchPieces = 32;
const begin: LinePlace = [0, 0, 0, 0, -1];

export function jobLines(segments: LogSegments, query: LinesQuery): LinesPage {
  const { job, after, since, limit, stream } = query;
  const text = Buffer.from(query.grep);
  const lines: LogLine[] = [];
  let looked = 0;
  let answered = 0;
  let upTo: LinePlace = after ?? begin;
  for (const piece of inOrder(segments, job, upTo, since)) {
    looked += piece.bytes.length;
    for (const [n, line] of linesOf(segments, job, piece).entries()) {
      const place: LinePlace = [piece.at, piece.task, piece.attempt, piece.start, n];
      if (comparePlaces(place, upTo) <= 0) continue;
      upTo = place;
      const at = line.at ?? piece.at;
      if (at < since || (stream !== "both" && line.stream !== stream)) continue;
      if (!contains(line, text)) continue;
      lines.push({ place, at, stream: line.stream, text: textOf(line) });
      answered += line.bytes.length;
      if (lines.length >= limit || answered > answerBytesMax) return { lines, upTo };
    }
    upTo = [piece.at, piece.task, piece.attempt, piece.start, Number.MAX_SAFE_INTEGER];
    if (looked > lookBytesMax) return { lines, upTo };
  }
  return { lines, upTo: null };
}

function* inOrder(
  segments: LogSegments,
  job: string,
  from: LinePlace,
  since: number,
): Generator<StoredPiece> {
  const heads = segments.all
    .filter((segment) => segment.has(job))
    .map((segment) => new Head(segment, job, from, since));
  let last: LinePlace | undefined;
  for (;;) {
    const first = heads
      .filter(({ piece }) => piece !== undefined)
      .toSorted((a, b) => comparePlaces(a.place, b.place))[0];
    const piece = first?.piece;
    if (!first || !piece) return;
    const { place } = first;
    // The same piece may have come into two segments.
    if (!last || comparePlaces(last, place) !== 0) yield piece;
    last = place;
    first.go();
  }
}

/** What comes next of one segment. */
class Head {
  readonly #segment: LogSegment;
  readonly #job: string;
  readonly #since: number;
  #from: LinePlace;
  #pieces: readonly StoredPiece[] = [];
  #index = 0;

  constructor(segment: LogSegment, job: string, from: LinePlace, since: number) {
    this.#segment = segment;
    this.#job = job;
    this.#since = since;
    this.#from = from;
    this.#load();
  }

  get piece(): StoredPiece | undefined {
    return this.#pieces[this.#index];
  }

  get place(): LinePlace {
    return placeOf(this.piece);
  }

  go(): void {
    this.#index++;
    if (this.#index < this.#pieces.length || this.#pieces.length < batchPieces) return;
    const [at, task, attempt, start] = placeOf(this.#pieces.at(-1));
    this.#from = [at, task, attempt, start + 1, 0];
    this.#load();
  }

  #load(): void {
    this.#index = 0;
    this.#pieces = this.#segment.pieces(this.#job, this.#from, this.#since, batchPieces);
  }
}

function placeOf(piece: StoredPiece | undefined): LinePlace {
  if (!piece) return begin;
  return [piece.at, piece.task, piece.attempt, piece.start, 0];
}

/** The lines that begin in a piece; the last may end in the next one. */
function linesOf(segments: LogSegments, job: string, piece: StoredPiece): readonly Line[] {
  const { task, attempt, start, flags, bytes } = piece;
  const skipping: Stream[] = [];
  if ((flags & pieceFlags.midStdout) !== 0) skipping.push("stdout");
  if ((flags & pieceFlags.midStderr) !== 0) skipping.push("stderr");
  const cutter = new LineCutter(skipping);
  const reader = new LogRecordReader(start);
  const lines = reader.push(bytes).flatMap((record) => cutter.push(record));
  while (cutter.open) {
    const from = reader.position;
    const next = segments.read({ job, task, attempt, from });
    if (!next || next.offset !== from || next.bytes.length === 0) break;
    for (const record of reader.push(next.bytes)) lines.push(...cutter.complete(record));
  }
  lines.push(...cutter.rest());
  return lines;
}
