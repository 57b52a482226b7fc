// One reader of a stream of events. It follows what is pushed to all while it stands where they stand; else it reads the
// archive at its own pace until it does (E1, S4, S8 of docs/events.md).

import type { Position } from "../../protocol/outcome-stream.ts";
import { limits } from "../../protocol/limits.ts";
import type { Archive } from "../archive/archive.ts";
import { isBefore } from "../archive/timeline-order.ts";
import { ReaderGone } from "./body-stream.ts";
import type { BodyStream } from "./body-stream.ts";
import { chunkOf, reset, restOf } from "./event-messages.ts";
import type { Chunk } from "./event-messages.ts";
import type { Wanted } from "./event-topics.ts";

export interface ViewerOptions {
  readonly body: BodyStream;
  readonly wanted: Wanted;
  readonly archive: Pick<Archive, "timelineAfter" | "added">;
  /** Where those stand that follow; undefined when nobody does. */
  readonly pushed: () => Position | undefined;
  /** The latest values of what it wants, for one that has missed some. */
  readonly values: () => Promise<readonly Buffer[]>;
  readonly failed: (error: unknown) => void;
}

const pageRows = 500;
/** With more than this before it, a reader gets no latest values: they would be old when it reads them. */
const valuesBytesMax = 64 * 1024;

export class Viewer {
  readonly wanted: Wanted;
  readonly #o: ViewerOptions;
  #at: Position;
  #reading = false;
  #missed = false;
  #tookAt = performance.now();

  constructor(options: ViewerOptions, at: Position) {
    this.#o = options;
    this.wanted = options.wanted;
    this.#at = at;
  }

  /** All rows up to here were sent. */
  get at(): Position {
    return this.#at;
  }

  get over(): boolean {
    return this.#o.body.over;
  }

  /** Reads what is behind it, then follows. */
  goOn(): void {
    if (this.#reading || this.over || !this.wanted.topics.has("timeline")) return;
    this.#reading = true;
    this.#read()
      .catch((error: unknown) => this.#ended(error))
      .finally(() => {
        this.#reading = false;
      });
  }

  async #read(): Promise<void> {
    const { body, archive, pushed } = this.#o;
    if (body.waiting > limits.readerBytesMax) await body.drained();
    this.#takes();
    for (;;) {
      const { rows, through, floor } = await archive.timelineAfter(this.#at, pageRows);
      if (body.over) return;
      if (isBefore(this.#at, floor)) {
        this.#at = through.index > floor.index ? through : floor;
        const why = "The timeline is kept from a later time on: rows between are gone.";
        await body.write(reset({ why, index: archive.added }, this.#at));
        continue;
      }
      const chunk = chunkOf(this.#at, through, rows);
      this.#at = through;
      await body.write(chunk.bytes);
      this.#takes();
      const behind = isBefore(this.#at, pushed() ?? this.#at);
      // Looked at and set in one turn: what is pushed from here on begins at or before where it stands.
      if (rows.length < pageRows && !behind) break;
    }
    this.#reading = false;
  }

  /** What all are told. */
  chunk(chunk: Chunk): void {
    if (this.#reading || this.over || !this.wanted.topics.has("timeline")) return;
    const tooMuch = this.#o.body.waiting > limits.readerBytesMax;
    if (tooMuch || isBefore(this.#at, chunk.from)) return this.goOn();
    const rest = restOf(chunk, this.#at);
    if (isBefore(this.#at, chunk.to)) this.#at = chunk.to;
    this.push(rest);
  }

  /** A latest value; a reader that is slow gets a newer one later. */
  value(bytes: Buffer): void {
    if (this.over) return;
    if (this.#missed) return;
    if (this.#o.body.waiting <= valuesBytesMax) return this.push(bytes);
    this.#missed = true;
    this.#catchUp().catch((error: unknown) => this.#ended(error));
  }

  async #catchUp(): Promise<void> {
    const { body, values } = this.#o;
    while (body.waiting > valuesBytesMax) await body.drained();
    this.#missed = false;
    for (const bytes of await values()) this.push(bytes);
  }

  /** A sign of life: worth nothing to a reader that has others before it. */
  tick(bytes: Buffer): void {
    if (this.over) return;
    if (this.#o.body.waiting === 0) this.#takes();
    else if (performance.now() - this.#tookAt > limits.viewerStuckMs) return this.#o.body.stop();
    if (this.#o.body.waiting <= valuesBytesMax) this.push(bytes);
  }

  #takes(): void {
    this.#tookAt = performance.now();
  }

  push(bytes: Buffer): void {
    if (!this.over) this.#o.body.push(bytes);
  }

  #ended(error: unknown): void {
    if (error instanceof ReaderGone) return;
    this.#o.failed(error);
    this.#o.body.stop();
  }
}
