// What this machine has, and what of it is free.

import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, totalmem } from "node:os";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { WorkerLoad } from "../protocol/messages.ts";
import type { Amounts } from "../protocol/model.ts";

const mib = 1024 * 1024;
/** The rest is for the system and for this worker itself. */
const memoryShare = 0.8;
const lookMs = 5_000;

/** All processors, and 80 % of the memory; what the operator says goes before. */
export function detectAmounts(said: Amounts = {}): Amounts {
  const memoryMiB = Math.floor((totalmem() / mib) * memoryShare);
  return { cpu: availableParallelism() * 1_000, memory: memoryMiB * 1_000, ...said };
}

/** Looks at the disk now and then, so that asking costs nothing. */
export class Machine {
  readonly #folder: string;
  readonly #clock: Clock;
  #diskFreeBytes = 0;
  #timer: CancelTimer | undefined;
  #stopped = false;

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#diskFreeBytes = bavail * bsize;
    } catch {
      // A hint for people only: a file system that does not say leaves the last value.
    }
    if (!this.#stopped) this.#timer = this.#clock.after(lookMs, () => void this.start());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
  }

  free(): Pick<WorkerLoad, "memoryFreeMiB" | "diskFreeBytes"> {
    return { memoryFreeMiB: Math.floor(freemem() / mib), diskFreeBytes: this.#diskFreeBytes };
  }
}
