// What ground.ts of the master does: the newest snapshot that fits the archive, and every batch after it. Here
// through a connection where things go wrong, and step by step.

import { createState } from "../../src/core/state.ts";
import type { State } from "../../src/core/state.ts";
import { headWentBack } from "../../src/journal/chain.ts";
import { JournalHalt } from "../../src/journal/halt.ts";
import { zeroHash } from "../../src/journal/journal.ts";
import type { StoredBatch } from "../../src/journal/journal.ts";
import { feedArchive } from "../../src/master/feed.ts";
import type { Grounded } from "../../src/master/loop-ports.ts";
import { DigestWitness, foldBatch } from "../../src/master/replay.ts";
import type { SimJournal } from "./journal.ts";
import type { SimMaster } from "./master.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

export interface GroundOptions {
  readonly world: World;
  readonly master: SimMaster;
  /** Of this life of it. */
  readonly incarnation: string;
  readonly process: Process;
  readonly journal: SimJournal;
  readonly done: (grounded: Grounded) => void;
  readonly halt: (why: Error) => void;
}

const retryMs = 200;

export class Ground {
  readonly #o: GroundOptions;
  #hash = zeroHash;
  readonly #state: State;
  readonly #witness: DigestWitness;

  static begin(options: GroundOptions): void {
    options.process.later(options.world.random.disk.float() * 50, "ground", () => {
      const missing = copyIfNeeded(options);
      if (missing) options.process.clock.after(retryMs, () => Ground.begin(options));
      else new Ground(options).#read();
    });
  }

  private constructor(options: GroundOptions) {
    this.#o = options;
    this.#state = this.#load();
    this.#witness = new DigestWitness(({ index, own, recorded }) => {
      const excused = options.world.corruption !== undefined;
      options.world.check(
        excused,
        `I4: replay gives ${own} before batch ${index}, not ${recorded}`,
      );
    });
  }

  #load(): State {
    const { world, master } = this.#o;
    const { archive } = master.disk;
    let loaded = master.disk.load(archive.added);
    if ((loaded?.index ?? 0) < master.engine.view.trimmed) loaded = master.disk.load(Infinity);
    const state = loaded ?? createState(world.store.journalId);
    if (archive.added < state.index) archive.skipTo(state.index);
    return state;
  }

  #read(): void {
    const { world, master, journal, done } = this.#o;
    journal.head((head) => {
      if (head instanceof Error) return this.#failed(head);
      const { index } = this.#state;
      const { archive } = master.disk;
      if (head.index < Math.max(index, archive.added)) {
        return this.#o.halt(headWentBack(head.index, Math.max(index, archive.added)));
      }
      if (this.#hash === zeroHash && head.index === index) this.#hash = head.hash;
      if (head.index > index) return this.#readAfter(index);
      if (world.damage?.victim !== master) {
        world.replicas.stands(this.#state, `what ${master.id} grounds on`);
      }
      const { last } = this.#witness;
      const own = this.#state.leader?.incarnation === this.#o.incarnation;
      if (last && (own || this.#state.masters.size < 2)) {
        return this.#o.halt(new Error(`the last digest is of another state: batch ${last.index}`));
      }
      done({ state: this.#state, hash: this.#hash, doubts: this.#witness.last?.index ?? 0 });
    });
  }

  #readAfter(index: number): void {
    this.#o.journal.readAfter(index, (batches) => {
      if (batches instanceof Error) return this.#failed(batches);
      for (const batch of batches) this.#fold(batch);
      // A tail may see less than there is.
      if (batches.length > 0) this.#read();
      else this.#retry();
    });
  }

  #fold(batch: StoredBatch): void {
    const { archive } = this.#o.master.disk;
    this.#hash = batch.hash;
    foldBatch(this.#state, batch, this.#witness.check, (effects) => {
      if (batch.index <= archive.added) return;
      feedArchive(this.#state, { index: batch.index, wall: batch.wall, effects }, archive);
    });
  }

  #failed(error: Error): void {
    if (!(error instanceof JournalHalt)) this.#retry();
    else if (error.kind === "trimmed") Ground.begin(this.#o);
    else this.#o.halt(error);
  }

  #retry(): void {
    this.#o.process.clock.after(retryMs, () => this.#read());
  }
}

/** A6: what the journal has not any more another master has. True: none that has it can be reached now. */
function copyIfNeeded({ world, master }: GroundOptions): boolean {
  const { trimmed } = master.engine.view;
  const reaches = (index: number | undefined) => (index ?? 0) >= trimmed;
  const { archive, newest } = master.disk;
  if (reaches(newest?.index) && (reaches(archive.added) || archive.lacks)) return false;
  const others = world.masters.filter(
    (other) => other !== master && other.listening && reaches(other.disk.newest?.index),
  );
  const rank = ({ disk }: SimMaster) => disk.archive.watermark - (disk.archive.lacks ? 1e9 : 0);
  const best = others.toSorted((a, b) => rank(b) - rank(a))[0];
  // One that has a snapshot of its own goes on from there, and lacks what lies before.
  if (!best) return !reaches(newest?.index);
  world.timeline.trace(`${master.id} copies what ${best.id} has`);
  master.disk.copy(best.disk);
  return false;
}
