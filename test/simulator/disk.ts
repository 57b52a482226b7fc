// One master's disk: its archive, with what of it is fsynced, and its snapshots. What snapshot-keeper.ts does, but
// at any index that the archive has on disk.

import { createDigestMemory, digest } from "../../src/core/digest.ts";
import { createState } from "../../src/core/state.ts";
import type { State } from "../../src/core/state.ts";
import { DigestWitness, foldBatch } from "../../src/master/replay.ts";
import type { DigestCheck } from "../../src/master/replay.ts";
import type { Refolded } from "../../src/master/disputes.ts";
import { decodeSnapshot, decodeWhole, encodeSnapshot } from "../../src/master/snapshot-state.ts";
import { SimArchive } from "./archive.ts";
import { digestOf } from "./check-state.ts";
import { batchesAfter } from "./store.ts";
import type { World } from "./world.ts";

export interface SnapshotFile {
  readonly index: number;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export class SimDisk {
  readonly archive: SimArchive;
  /** The two newest, by index. */
  snapshots: readonly SnapshotFile[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.archive = new SimArchive(world);
  }

  get newest(): SnapshotFile | undefined {
    return this.snapshots.at(-1);
  }

  /** The state of the newest snapshot up to an index, or none. */
  load(indexMax: number): State | undefined {
    const file = this.snapshots.findLast(({ index }) => index <= indexMax);
    return file && decodeSnapshot(file);
  }

  /** Everything that another master has on its disk (A6). */
  copy(other: SimDisk): void {
    this.archive.copy(other.archive);
    this.snapshots = other.snapshots.filter(({ index }) => index <= other.archive.watermark);
  }

  /** Folds one, checks it as it is written, and keeps it; undefined when there is nothing to fold. */
  makeSnapshot(): SnapshotFile | undefined {
    const { random, store, calm } = this.#world;
    const from = this.newest?.index ?? 0;
    const { watermark } = this.archive;
    if (watermark <= from + (calm ? 50 : 2) || from < store.trimmed) return undefined;
    const whole = random.disk.chance(0.5);
    const upTo = whole ? watermark : random.disk.between(from + 1, watermark);
    const state = this.load(Infinity) ?? createState(store.journalId);
    const witness = this.#witness();
    for (const batch of batchesAfter(store, store.journalId, from, upTo)) {
      foldBatch(state, batch, witness.check);
    }
    if (witness.last) return undefined;
    return this.#keep(state);
  }

  /** The digest in a batch, and that of the state before it (snapshot-keeper.ts). */
  refold(index: number): Refolded | Error {
    const { store } = this.#world;
    const state = this.load(index - 1) ?? createState(store.journalId);
    if (state.index < store.trimmed) return new Error("no snapshot reaches that batch");
    const witness = this.#witness();
    let found: Refolded | undefined;
    const check: DigestCheck = (at, batch, recorded) => {
      if (batch === index) found = { own: digestOf(at), recorded };
      else witness.check(at, batch, recorded);
    };
    for (const batch of batchesAfter(store, store.journalId, state.index, index)) {
      foldBatch(state, batch, check);
    }
    return found ?? new Error("there is no digest in that batch");
  }

  #witness(): DigestWitness {
    return new DigestWitness(({ index, own, recorded }) => {
      const excused = this.#world.corruption !== undefined;
      this.#world.check(excused, `I4: a fold gives ${own} before batch ${index}, not ${recorded}`);
    });
  }

  /** A state as a master had it in memory. */
  keepMemory(bytes: Uint8Array): SnapshotFile | undefined {
    const state = decodeWhole(bytes);
    if (!this.archive.flush(state.index)) return undefined;
    return this.#keep(state);
  }

  #keep(state: State): SnapshotFile {
    const world = this.#world;
    const own = digestOf(state);
    const file = { index: state.index, digest: own, bytes: encodeSnapshot(state) };
    const loaded = decodeSnapshot(file);
    world.check(digest(loaded, createDigestMemory()) === own, "I4: a snapshot has another digest");
    world.replicas.stands(loaded, "a loaded snapshot");
    world.checker.sound(loaded, "a loaded snapshot");
    this.snapshots = [...this.snapshots.slice(-1), file];
    return file;
  }
}
