// How full the journal and its disk are (J7): looked at once a second, read by submits and by dispatch.

import type { Journal, JournalUsage } from "../journal/journal.ts";
import { EngineUnavailable } from "../journal/unavailable.ts";
import { limits } from "../protocol/limits.ts";
import type { Archive } from "./archive/archive.ts";
import type { Usage } from "./context.ts";

/** Bytes that the archive may be behind before submits are refused and dispatch slows. */
const archiveQueueMax = 256 * 1024 * 1024;
/** Free bytes on the disk below which it counts as full. */
const diskReserve = 64 * 1024 * 1024;
/** Tasks assigned in one turn: a turn stays short. */
const dispatchPerTurn = 20_000;

/** 0 to 1: of the engine's quota or the disk, whichever is nearer. */
export function shareOf({ bytes, bytesMax, diskFree }: JournalUsage): number {
  // The disk counts as full when what is left would not hold a reserve for outcomes and trims.
  const ofDisk = diskFree < diskReserve ? 1 : bytes / (bytes + diskFree);
  return Math.max(bytes / bytesMax, ofDisk);
}

export class UsageWatch {
  #usage: Usage = { journalBytes: 0, share: 0 };
  readonly #journal: Journal;
  readonly #archive: Archive;
  readonly #timer: NodeJS.Timeout;
  /** The least that dispatch was given since the last look. */
  #given = dispatchPerTurn;
  #onRoom = () => {};

  constructor(journal: Journal, archive: Archive, onError: (error: unknown) => void) {
    this.#journal = journal;
    this.#archive = archive;
    const look = () => void this.look().catch(onError);
    this.#timer = setInterval(look, 1_000).unref();
    look();
  }

  get usage(): Usage {
    const behind = this.#archive.queuedBytes / archiveQueueMax;
    const broken = this.#archive.trouble === undefined ? 0 : 1;
    return { ...this.#usage, share: Math.max(this.#usage.share, behind, broken) };
  }

  /** Tasks that may be assigned in the next turn. */
  dispatchMax(): number {
    const { share } = this.usage;
    const max =
      share >= limits.stopDispatchAt ? 0 : share >= limits.slowDispatchAt ? 64 : dispatchPerTurn;
    this.#given = Math.min(this.#given, max);
    return max;
  }

  /** Calls `listener` when there is room again for more than dispatch was given: nothing else would wake it. */
  onRoom(listener: () => void): void {
    this.#onRoom = listener;
  }

  async look(): Promise<void> {
    const usage = await this.#journal.usage().catch((error: unknown) => {
      // While the engine is away nothing is appended: what was known last is good enough.
      if (error instanceof EngineUnavailable) return undefined;
      throw error;
    });
    if (!usage) return;
    this.#usage = { journalBytes: usage.bytes, share: shareOf(usage) };
    const given = this.#given;
    this.#given = dispatchPerTurn;
    if (this.dispatchMax() > given) this.#onRoom();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
