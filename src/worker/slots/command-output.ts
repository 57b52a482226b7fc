// What is looked for in the output of a command: lines that report progress, and its tail.

const newline = 10;
const lineBytesMax = 1_024;

export interface ProgressLine {
  readonly percent?: number;
  readonly message?: string;
}

/** "skein_progress: 40", Open Job Description's "openjd_progress: 40" and "openjd_status: text". */
export function parseProgress(line: string): ProgressLine | undefined {
  const match = /^(?:skein|openjd)_(progress|status):\s*(.*?)\s*$/.exec(line);
  const text = match?.[2];
  if (text === undefined || text === "") return undefined;
  if (match?.[1] === "status") return { message: text };
  const percent = Number(text.endsWith("%") ? text.slice(0, -1) : text);
  return Number.isFinite(percent) ? { percent } : undefined;
}

/** Calls `onProgress` for such lines; other output costs a look at the first byte of each line. */
export class ProgressScanner {
  readonly #onProgress: (line: ProgressLine) => void;
  #rest: Uint8Array | undefined;
  /** The rest of a line too long to be one of ours. */
  #skipping = false;

  constructor(onProgress: (line: ProgressLine) => void) {
    this.#onProgress = onProgress;
  }

  push(chunk: Uint8Array): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      if (!this.#skipping) this.#line(bytes.subarray(start, end));
      this.#skipping = false;
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    if (this.#skipping || rest.length > lineBytesMax) this.#skipping = true;
    else if (rest.length > 0) this.#rest = rest.slice();
  }

  #line(line: Uint8Array): void {
    const first = line[0];
    if ((first !== 0x73 && first !== 0x6f) || line.length > lineBytesMax) return;
    const progress = parseProgress(Buffer.from(line).toString("utf8"));
    if (progress) this.#onProgress(progress);
  }
}

/** The last bytes of a stream, as text. */
export class Tail {
  readonly #max: number;
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(bytesMax: number) {
    this.#max = bytesMax;
  }

  push(chunk: Uint8Array): void {
    const kept = chunk.subarray(Math.max(0, chunk.length - this.#max));
    this.#chunks.push(kept.slice());
    this.#length += kept.length;
    if (this.#length > 2 * this.#max) {
      this.#chunks = [this.#bytes()];
      this.#length = this.#chunks[0]?.length ?? 0;
    }
  }

  toString(): string {
    const bytes = this.#bytes();
    let start = 0;
    // Not in the middle of a character.
    while (start < 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
    return bytes.subarray(start).toString("utf8");
  }

  #bytes(): Buffer {
    const all = Buffer.concat(this.#chunks);
    return all.subarray(Math.max(0, all.length - this.#max));
  }
}
