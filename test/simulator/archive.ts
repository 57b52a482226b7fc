// One master's archive on its disk: what was added, and how much of it is fsynced. A crash loses the rest.

import { isDeepStrictEqual } from "node:util";
import type { Archive, ArchiveEvent } from "../../src/master/archive/archive.ts";
import { checkNext } from "../../src/master/archive/order.ts";
import { endReason } from "../../src/protocol/model.ts";
import { decodeOutcomes, outcomeItem, storedBit } from "../../src/protocol/outcome-block.ts";
import type { OutcomeItem } from "../../src/protocol/outcome-block.ts";
import type { World } from "./world.ts";

interface Added {
  readonly index: number;
  readonly wall: number;
  readonly events: readonly ArchiveEvent[];
}

export class SimArchive implements Pick<Archive, "add"> {
  added = 0;
  watermark = 0;
  /** Something was gone from the journal before it was added here: this archive lacks it for good. */
  lacks = false;
  #log: Added[] = [];
  #life = 0;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  add(index: number, wall: number, events: readonly ArchiveEvent[]): void {
    if (!checkNext(this.added, index)) return;
    this.added = index;
    this.#log.push({ index, wall, events: structuredClone(events) });
    const life = this.#life;
    const { timeline, random } = this.#world;
    timeline.after(random.disk.float() * 300, "archive fsync", () => {
      if (life === this.#life) this.watermark = Math.max(this.watermark, index);
    });
  }

  /** Fsynced up to an index now; false when it has not got that. */
  flush(index: number): boolean {
    this.watermark = Math.max(this.watermark, Math.min(index, this.added));
    return this.watermark >= index;
  }

  /** What lies before is gone: it is never added here (A6). */
  skipTo(index: number): void {
    if (index <= this.added) return;
    this.lacks = true;
    this.added = index;
    this.watermark = index;
  }

  /** A copy of another master's, as far as that one has it on disk (A6). */
  copy(other: SimArchive): void {
    this.#life++;
    this.#log = other.#log.filter(({ index }) => index <= other.watermark);
    this.added = this.watermark = other.watermark;
    this.lacks = other.lacks;
  }

  /** The master died: what was not fsynced is gone. */
  crash(): void {
    this.#life++;
    this.#log = this.#log.filter(({ index }) => index <= this.watermark);
    this.added = this.watermark;
  }

  /** The first index at which another archive was given something else; both are whole. */
  differsAt(other: SimArchive): number | undefined {
    const differs = (added: Added, at: number) => {
      const theirs = other.#log[at];
      return theirs !== undefined && !isDeepStrictEqual(added, theirs);
    };
    return this.#log.find(differs)?.index;
  }

  *events(): Generator<ArchiveEvent> {
    for (const { events } of this.#log) yield* events;
  }

  /** How each job that has ended did. */
  ends(): Map<number, string> {
    const ends = new Map<number, string>();
    for (const event of this.events()) {
      if (event.kind === "jobEnded") ends.set(event.job, event.state);
    }
    return ends;
  }

  /** Ids of ended jobs, for dependencies that have left the state. */
  endsById(): Map<string, string> {
    const ids = new Map<number, string>();
    const ends = new Map<string, string>();
    for (const event of this.events()) {
      if (event.kind === "job") ids.set(event.number, event.id);
      else if (event.kind === "jobEnded") ends.set(ids.get(event.job) ?? "", event.state);
    }
    return ends;
  }

  outcomes(): Map<string, OutcomeItem> {
    const found = new Map<string, OutcomeItem>();
    for (const event of this.events()) {
      if (event.kind !== "outcomes") continue;
      const columns = decodeOutcomes(event.block);
      for (let i = 0; i < columns.count; i++) {
        const item = outcomeItem(columns, i);
        const key = `${event.job}/${item.task}`;
        this.#world.check(!found.has(key), `I6: the archive has two outcomes of ${key}`);
        found.set(key, item);
      }
    }
    return found;
  }
}

export function stateOfCode(code: number): "succeeded" | "failed" | "cancelled" {
  return endReason(code & ~storedBit).state;
}
