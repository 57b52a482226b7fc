// Watches the memory of slots that have a limit. V8 keeps its heap within --max-old-space-size by itself;
// buffers, native code and child processes are only seen from outside. Linux only: elsewhere the heap's
// limit is all there is.

import { readFileSync } from "node:fs";
import type { Clock } from "../../lib/clock.ts";
import { statFields } from "../../lib/proc.ts";
import { listPids, sliceSize } from "./process-tree.ts";

const lookMs = 500;
const pageBytes = 4_096;
const mib = 1_048_576;

export interface Watched {
  readonly limitMiB: number;
  /** Process groups whose memory counts. */
  groups(): readonly number[];
  onExceeded(usedMiB: number): void;
}

export class MemoryWatch {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  #looking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(watched: Watched): void {
    if (process.platform !== "linux") return;
    this.#watched.add(watched);
    this.#lookLater();
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
  }

  #lookLater(): void {
    if (this.#looking || this.#watched.size === 0) return;
    this.#looking = true;
    this.#clock.after(lookMs, () => {
      void this.#look().then(() => {
        this.#looking = false;
        this.#lookLater();
      });
    });
  }

  async #look(): Promise<void> {
    const usage = await groupUsage();
    for (const watched of this.#watched) {
      let bytes = 0;
      for (const group of watched.groups()) bytes += usage.get(group) ?? 0;
      if (bytes > watched.limitMiB * mib) watched.onExceeded(Math.ceil(bytes / mib));
    }
  }
}

/** Bytes of memory by process group. Pages shared within a group are counted once, roughly. */
export async function groupUsage(): Promise<Map<number, number>> {
  const own = new Map<number, number>();
  const shared = new Map<number, number>();
  const pids = listPids();
  for (const [i, pid] of pids.entries()) {
    if (i % sliceSize === sliceSize - 1) await new Promise((resolve) => setImmediate(resolve));
    try {
      const group = Number(statFields(pid)?.[2]);
      const [, resident = 0, sharedPages = 0] = readFileSync(`/proc/${pid}/statm`, "latin1")
        .split(" ")
        .map(Number);
      own.set(group, (own.get(group) ?? 0) + (resident - sharedPages) * pageBytes);
      shared.set(group, Math.max(shared.get(group) ?? 0, sharedPages * pageBytes));
    } catch {
      // It ended meanwhile.
    }
  }
  for (const [group, bytes] of shared) own.set(group, (own.get(group) ?? 0) + bytes);
  return own;
}
