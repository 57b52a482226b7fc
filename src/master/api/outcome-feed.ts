// Blocks of one job after a position: from the archive as fast as the reader takes them, then live from the hub
// (E1). It listens before it reads, and what came meanwhile waits, up to a limit: past it all of it is dropped,
// and the feed goes on from the archive. So no block is lost and none comes twice.

import { limits } from "../../protocol/limits.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import type { FinalState, RecordedBlock } from "../archive/archive.ts";
import type { Master } from "../context.ts";

export type FeedItem =
  | { readonly kind: "blocks"; readonly blocks: readonly RecordedBlock[] }
  | { readonly kind: "end"; readonly at: Position; readonly state: FinalState }
  /** All there is by now; only without `follow`. */
  | { readonly kind: "idle" };

export interface FeedOptions {
  readonly master: Pick<Master, "archive" | "hub">;
  readonly job: number;
  readonly after: Position;
  readonly follow: boolean;
  /** Called before the feed waits for news. */
  readonly onWait: () => void;
}

const pageBytes = 512 * 1024;

export class OutcomeFeed {
  readonly #o: FeedOptions;
  readonly #unlisten: () => void;
  #at: Position;
  #behind = true;
  #waiting: RecordedBlock[] = [];
  #waitingBytes = 0;
  #dropped = false;
  #end: { readonly at: Position; readonly state: FinalState } | undefined;
  #wake = () => {};
  #stopped = false;
  #looked = false;

  constructor(options: FeedOptions) {
    this.#o = options;
    this.#at = options.after;
    this.#unlisten = options.master.hub.listen(options.job, {
      onBlock: (at, block) => this.#take(at, block),
      onEnd: (at, state) => {
        this.#end = { at, state };
        this.#wake();
      },
      onMissed: () => {
        this.#dropped = true;
        this.#looked = false;
        this.#wake();
      },
    });
  }

  /** What comes next. After `stop` it is `idle`. */
  async next(): Promise<FeedItem> {
    while (!this.#stopped) {
      if (!this.#looked) await this.#lookForEnd();
      const behind = this.#behind;
      const blocks = behind ? await this.#readOn() : this.#live();
      if (blocks.length > 0) return { kind: "blocks", blocks };
      // What was heard while the archive was read comes before the end that was heard with it.
      if (behind || this.#behind) continue;
      if (this.#end) return { kind: "end", ...this.#end };
      if (!this.#o.follow) break;
      this.#o.onWait();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#stopped) resolve();
      });
    }
    return { kind: "idle" };
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    this.#wake();
  }

  /** An end that was recorded before this feed listened; a later one is heard. */
  async #lookForEnd(): Promise<void> {
    this.#looked = true;
    const [row] = await this.#o.master.archive.job(this.#o.job);
    if (!row || row.state === null || row.endedIndex === null) return;
    // The archive keeps the batch, not the entry: nothing of the job comes after it in that batch.
    const n = this.#at.index === row.endedIndex ? this.#at.n : 0;
    this.#end ??= { at: { index: row.endedIndex, n }, state: row.state };
  }

  /** A page of the archive. When there is none, all that is missing has been heard. */
  async #readOn(): Promise<readonly RecordedBlock[]> {
    if (this.#dropped) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#dropped = false;
    }
    const page = await this.#o.master.archive.blocks(this.#o.job, this.#at, pageBytes);
    this.#advance(page);
    if (page.length === 0 && !this.#dropped) this.#behind = false;
    return page;
  }

  #live(): readonly RecordedBlock[] {
    if (this.#dropped) {
      this.#behind = true;
      return [];
    }
    const blocks = this.#waiting.filter((block) => isAfter(block, this.#at));
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#advance(blocks);
    return blocks;
  }

  #advance(blocks: readonly RecordedBlock[]): void {
    const last = blocks.at(-1);
    if (last) this.#at = { index: last.index, n: last.n };
  }

  #take(at: Position, block: Uint8Array): void {
    if (this.#dropped) return;
    this.#waitingBytes += block.length;
    if (this.#waitingBytes > limits.readerBytesMax) {
      this.#waiting = [];
      this.#dropped = true;
    } else this.#waiting.push({ ...at, block });
    this.#wake();
  }
}

function isAfter(a: Position, b: Position): boolean {
  return a.index > b.index || (a.index === b.index && a.n > b.n);
}
