// Lines out of log records: of each stream its own, with the position from which a reader goes on behind it. A line
// longer than `logLineBytesMax` is several.

import { limits } from "../../protocol/limits.ts";
import type { FoundRecord } from "../../protocol/log-record.ts";

export type Stream = FoundRecord["stream"];

export interface Line {
  readonly stream: Stream;
  /** When its last part was printed, by its worker's clock. */
  readonly at: number | undefined;
  /** With its line end, if it has one. */
  readonly bytes: Uint8Array;
  /** Position behind the record that it ends in. */
  readonly end: number;
}

interface Half {
  parts: Uint8Array[];
  bytes: number;
  at: number | undefined;
  end: number;
}

const lineEnd = 0x0a;

export class LineCutter {
  readonly #halves = new Map<Stream, Half>();
  /** The first line of these began before: it is somebody else's. */
  readonly #skipping: Set<Stream>;

  constructor(skipping: readonly Stream[] = []) {
    this.#skipping = new Set(skipping);
  }

  /** A line without an end. */
  get open(): boolean {
    return this.#halves.size > 0;
  }

  /** Which streams are in one. */
  get openStreams(): readonly Stream[] {
    return [...this.#halves.keys()];
  }

  push(record: FoundRecord): Line[] {
    const lines: Line[] = [];
    let rest = record.bytes;
    while (rest.length > 0) {
      const at = rest.indexOf(lineEnd);
      const part = at === -1 ? rest : rest.subarray(0, at + 1);
      rest = rest.subarray(part.length);
      if (this.#skipping.has(record.stream)) {
        if (at !== -1) this.#skipping.delete(record.stream);
      } else this.#take(record, part, at !== -1, lines);
    }
    return lines;
  }

  /** Only what ends the lines that are open. */
  complete(record: FoundRecord): Line[] {
    if (!this.#halves.has(record.stream)) return [];
    const at = record.bytes.indexOf(lineEnd);
    const part = at === -1 ? record.bytes : record.bytes.subarray(0, at + 1);
    const lines: Line[] = [];
    this.#take(record, part, at !== -1, lines);
    // What is beyond the longest line is somebody else's too.
    if (lines.length > 0) this.#halves.delete(record.stream);
    return lines.slice(0, 1);
  }

  /** What has no end yet, at the end. */
  rest(): Line[] {
    const lines = [...this.#halves].map(([stream, half]) => lineOf(stream, half));
    this.#halves.clear();
    return lines;
  }

  #take({ stream, at, end }: FoundRecord, part: Uint8Array, ends: boolean, into: Line[]): void {
    const half = this.#halves.get(stream) ?? { parts: [], bytes: 0, at, end };
    half.parts.push(part);
    half.bytes += part.length;
    half.at = at;
    half.end = end;
    this.#halves.set(stream, half);
    if (!ends && half.bytes < limits.logLineBytesMax) return;
    this.#halves.delete(stream);
    into.push(lineOf(stream, half));
  }
}

function lineOf(stream: Stream, { parts, at, end }: Half): Line {
  const [only] = parts;
  return { stream, at, end, bytes: parts.length === 1 && only ? only : Buffer.concat(parts) };
}

/** Whether a line has this text: plain, byte by byte. */
export function contains({ bytes }: Line, text: Uint8Array): boolean {
  if (text.length === 0) return true;
  return viewOf(bytes, bytes.length).includes(viewOf(text, text.length));
}

/** As text of JSON: without its line end; what is no UTF-8 becomes U+FFFD. */
export function textOf({ bytes }: Line): string {
  const ends = bytes.at(-1) === lineEnd ? 1 : 0;
  return viewOf(bytes, bytes.length - ends).toString("utf8");
}

function viewOf(bytes: Uint8Array, length: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, length);
}
