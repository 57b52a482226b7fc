// What leaves the disk in time: retired jobs from the archive, old logs, and stored payloads that no entry ever named.
// Payloads that entries named are freed by the core's own timers.

import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { PayloadStore } from "../payloads/payload-store.ts";
import { limits } from "../protocol/limits.ts";
import type { Archive } from "./archive/archive.ts";
import { ask, look } from "./context.ts";
import type { LogStore } from "./logs/log-store.ts";
import type { Loop } from "./loop.ts";
import type { PayloadCopies } from "./payload-copies.ts";

export interface RetentionOptions {
  readonly loop: Loop;
  readonly archive: Archive;
  readonly payloads: Pick<PayloadStore, "hashes">;
  readonly copies: Pick<PayloadCopies, "wantedSince" | "forgetWanted">;
  readonly logs: Pick<LogStore, "prune">;
  readonly clock: Clock;
  readonly log: Log;
}

const everyMs = 10 * 60_000;
/** An upload that nobody has named for so long, nor asked for to name it, is an orphan. */
const orphanMs = 60 * 60_000;

export class Retention {
  readonly #options: RetentionOptions;
  /** When an unnamed payload was first seen. */
  readonly #orphans = new Map<string, number>();
  #stopped = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#later();
  }

  stop(): void {
    this.#stopped = true;
  }

  #later(): void {
    const { clock, log } = this.#options;
    clock.after(everyMs, () => {
      if (this.#stopped) return;
      this.run()
        .catch((error: unknown) => log.warn("nothing could be cleared away", { error }))
        .finally(() => this.#later());
    });
  }

  async run(): Promise<void> {
    const { archive, clock, log, logs, loop } = this.#options;
    const endedBefore = clock.wall() - limits.archiveMs;
    const pruned = await archive.prune({
      endedBefore,
      bytesMax: limits.archiveBytesMax,
      rowsMax: limits.timelineKeptRows,
    });
    if (pruned.jobs > 0) log.info("the archive forgot old jobs", { ...pruned });
    await logs.prune();
    if (loop.leads) await this.#freeOrphans();
    this.#options.copies.forgetWanted(clock.now() - orphanMs);
  }

  async #freeOrphans(): Promise<void> {
    const { payloads, clock, copies, loop } = this.#options;
    const stored = [...payloads.hashes()];
    const unnamed = await look({ loop }, (state) =>
      stored.filter((hash) => !state.payloads.has(hash)),
    );
    const now = clock.now();
    const due: string[] = [];
    const still = new Set(unnamed);
    for (const hash of this.#orphans.keys()) if (!still.has(hash)) this.#orphans.delete(hash);
    for (const hash of unnamed) {
      const wanted = copies.wantedSince(hash, now - orphanMs);
      const since = wanted ? now : (this.#orphans.get(hash) ?? now);
      this.#orphans.set(hash, since);
      if (now - since >= orphanMs) due.push(hash);
    }
    if (due.length > 0) await ask({ loop }, { kind: "freePayloads", hashes: due });
  }
}
