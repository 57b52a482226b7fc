// Who follows which job: recorded outcomes and ends are handed to those who listen, in order, after they are
// durable. A doorbell, not a store (E1): a reader that cannot keep up goes on from the archive.

import type { Effect } from "../core/effect.ts";
import type { JobNumber } from "../protocol/ids.ts";
import type { Position } from "../protocol/outcome-stream.ts";

export interface HubListener {
  readonly onBlock?: (at: Position, block: Uint8Array) => void;
  /** The job has ended: `state` is succeeded, failed or cancelled. */
  readonly onEnd?: (at: Position, state: "succeeded" | "failed" | "cancelled") => void;
  /** Blocks and the end may have been recorded without a word: look into state and archive. */
  readonly onMissed?: () => void;
}

/** Told of every batch, after the archive has it. */
export interface HubWatcher {
  readonly onBatch: (effects: readonly Effect[]) => void;
  readonly onMissed: () => void;
}

export class Hub {
  readonly #watchers = new Set<HubWatcher>();
  readonly #listeners = new Map<JobNumber, Set<HubListener>>();

  /** Returns a function that ends it. */
  listen(job: JobNumber, listener: HubListener): () => void {
    const all = this.#listeners.get(job) ?? new Set();
    this.#listeners.set(job, all.add(listener));
    return () => {
      all.delete(listener);
      if (all.size === 0 && this.#listeners.get(job) === all) this.#listeners.delete(job);
    };
  }

  /** Returns a function that ends it. */
  watch(watcher: HubWatcher): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  get watched(): number {
    return this.#watchers.size;
  }

  batch(effects: readonly Effect[]): void {
    for (const watcher of this.#watchers) watcher.onBatch(effects);
  }

  block(job: JobNumber, at: Position, block: Uint8Array): void {
    for (const listener of this.#listeners.get(job) ?? []) listener.onBlock?.(at, block);
  }

  end(job: JobNumber, at: Position, state: "succeeded" | "failed" | "cancelled"): void {
    for (const listener of [...(this.#listeners.get(job) ?? [])]) listener.onEnd?.(at, state);
  }

  /** The state was built anew: what was folded on the way has rung for nobody. */
  missed(): void {
    for (const watcher of this.#watchers) watcher.onMissed();
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of [...listeners]) listener.onMissed?.();
    }
  }

  /** Jobs that are followed. */
  get size(): number {
    return this.#listeners.size;
  }
}
