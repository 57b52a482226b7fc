// Snapshots and trims (A4, A5): when to make one, and when what it covers may leave the journal.

import type { State } from "../core/state.ts";
import type { Journal } from "../journal/journal.ts";
import type { Log } from "../lib/log.ts";
import type { Archive } from "./archive/archive.ts";
import type { Durable } from "./loop.ts";
import type { Loop } from "./loop.ts";

export interface SnapshotKeeperOptions {
  readonly dir: string;
  readonly journal: Journal;
  readonly archive: Archive;
  readonly log: Log;
}

export class SnapshotKeeper implements AsyncDisposable {
  static async open(_options: SnapshotKeeperOptions): Promise<SnapshotKeeper> {
    return new SnapshotKeeper();
  }
  async load(): Promise<State | undefined> {
    return undefined;
  }
  serve(_loop: Loop): void {}
  appended(_durable: Durable): void {}
  async [Symbol.asyncDispose](): Promise<void> {}
}
