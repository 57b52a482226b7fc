// What of a log a reader wants: lines of one stream, that contain a text, since a time, the last ones. Takes records, gives
// records of lines (kinds 5 and 6 of protocol/log-record.ts), each with the position from which a search goes on.

import type { FoundRecord } from "../../protocol/log-record.ts";
import { encodeLogMissing, encodeLogPicked, LogRecordReader } from "../../protocol/log-record.ts";
import { contains, LineCutter } from "../logs/log-lines.ts";
import type { Line } from "../logs/log-lines.ts";
import type { LogBody } from "./log-pieces.ts";

export interface LogWish {
  readonly stream: "stdout" | "stderr" | "both";
  readonly grep: string;
  readonly since: number;
  /** Undefined: all of them. */
  readonly tail: number | undefined;
}

/** What the last lines may come to. */
const tailBytesMax = 8 * 1024 * 1024;
/** So much is looked through before others have their turn. */
const turnBytes = 1024 * 1024;

export class LogSearch implements LogBody {
  readonly #wish: LogWish;
  readonly #text: Uint8Array;
  readonly #body: LogBody;
  readonly #reader: LogRecordReader;
  readonly #cutter = new LineCutter();
  readonly #kept: Line[] = [];
  #keptBytes = 0;
  /** Lines that the bound of memory took from the tail. */
  #lost = 0;
  #collecting: boolean;
  #sinceTurn = 0;

  constructor(wish: LogWish, from: number, body: LogBody) {
    this.#wish = wish;
    this.#text = Buffer.from(wish.grep);
    this.#body = body;
    this.#reader = new LogRecordReader(from);
    this.#collecting = wish.tail !== undefined;
  }

  begin(): void {
    this.#body.begin();
  }

  onStop(listener: () => void): void {
    this.#body.onStop(listener);
  }

  async write(bytes: Uint8Array): Promise<void> {
    const out: Uint8Array[] = [];
    for (const record of this.#reader.push(bytes)) this.#take(record, out);
    await this.#flush(out);
    this.#sinceTurn += bytes.length;
    if (this.#sinceTurn < turnBytes) return;
    this.#sinceTurn = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** What was there when the reader came has been seen: the last lines of it are known, and what follows is live. */
  async caughtUp(): Promise<void> {
    if (!this.#collecting) return;
    // A line that has no end yet is one of the last: it comes when it has.
    const { stream, tail = 0 } = this.#wish;
    const halves = this.#cutter.openStreams.filter((one) => stream === "both" || one === stream);
    while (this.#kept.length > Math.max(0, tail - halves.length)) this.#dropFirst();
    this.#collecting = false;
    const out: Uint8Array[] = [];
    const position = this.#kept[0]?.end ?? this.#reader.position;
    if (this.#lost > 0) {
      const words = `[skein] ${this.#lost} lines more are too much for one answer: ask for fewer.\n`;
      out.push(encodeLogMissing(position, Buffer.from(words)));
    }
    for (const line of this.#kept.splice(0)) out.push(recordOf(line));
    await this.#flush(out);
  }

  async end(): Promise<void> {
    for (const line of this.#cutter.rest()) this.#keep(line, undefined);
    const out: Uint8Array[] = [];
    if (!this.#collecting) for (const line of this.#kept.splice(0)) out.push(recordOf(line));
    await this.#flush(out);
    await this.caughtUp();
  }

  #take(record: FoundRecord, out: Uint8Array[]): void {
    if (record.missing) return void out.push(encodeLogMissing(record.end, record.bytes));
    for (const line of this.#cutter.push(record)) this.#keep(line, out);
  }

  #keep(line: Line, out: Uint8Array[] | undefined): void {
    const { stream, since, tail } = this.#wish;
    if (stream !== "both" && line.stream !== stream) return;
    if ((line.at ?? since) < since || !contains(line, this.#text)) return;
    if (!this.#collecting && out) return void out.push(recordOf(line));
    this.#kept.push(line);
    this.#keptBytes += line.bytes.length;
    while (this.#collecting && this.#kept.length > (tail ?? 0)) this.#dropFirst();
    while (this.#collecting && this.#keptBytes > tailBytesMax && this.#kept.length > 1) {
      this.#dropFirst();
      this.#lost++;
    }
    if (this.#lost > 0) this.#lost = Math.min(this.#lost, (tail ?? 0) - this.#kept.length);
  }

  #dropFirst(): void {
    const first = this.#kept.shift();
    this.#keptBytes -= first?.bytes.length ?? 0;
  }

  async #flush(out: readonly Uint8Array[]): Promise<void> {
    if (out.length > 0) await this.#body.write(Buffer.concat(out));
  }
}

function recordOf({ stream, end, bytes }: Line): Uint8Array {
  return encodeLogPicked(stream, end, bytes);
}

export function isSearch({ stream, grep, since, tail }: LogWish): boolean {
  return stream !== "both" || grep !== "" || since > 0 || tail !== undefined;
}
