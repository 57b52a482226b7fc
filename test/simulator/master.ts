// A machine that a master's process runs on, life after life: its disk, its way to the journal's engine, and what
// can happen to it.

import type { Process } from "./process.ts";
import { trimLimit } from "../../src/master/trim-limit.ts";
import { encodeSnapshot } from "../../src/master/snapshot-state.ts";
import { SimDisk } from "./disk.ts";
import type { SnapshotFile } from "./disk.ts";
import { EngineLink } from "./journal.ts";
import { MasterLife } from "./master-life.ts";
import type { Listener } from "./network.ts";
import type { World } from "./world.ts";

/** A process that leaves has this long to hand over. */
const leaveMsMax = 8_000;

export class SimMaster implements Listener {
  readonly id: string;
  readonly address: string;
  readonly engine: EngineLink;
  readonly clockRate: number;
  disk: SimDisk;
  life: MasterLife | null = null;
  lives = 0;
  machineDown = false;
  lostDiskAt = -Infinity;
  /** A damaged journal made it stop, for good. */
  halted: Error | undefined;
  readonly #world: World;

  constructor(world: World, id: string) {
    this.#world = world;
    this.id = id;
    this.address = `http://${id}:7420`;
    this.engine = new EngineLink(world.store);
    this.disk = new SimDisk(world);
    this.clockRate = 1 + (world.random.clock.float() - 0.5) * 0.02;
  }

  get node(): string {
    return this.id;
  }

  get listening(): Process | undefined {
    return this.life?.parts && this.life.process;
  }

  /** It leads, as far as it knows. */
  get leads(): boolean {
    return this.life?.parts?.loop.leads === true;
  }

  start(): void {
    if (this.life || this.halted) return;
    this.machineDown = false;
    this.life = new MasterLife(this.#world, this, ++this.lives);
  }

  crash(how: "process" | "machine" = "process"): void {
    const { life } = this;
    if (!life) return;
    this.#world.timeline.trace(`${life.process.name} is killed (${how})`);
    this.machineDown = how === "machine";
    this.#end(life, how === "machine" ? "vanish" : "drop");
  }

  /** SIGTERM: it hands over if there is somebody, and ends (L6). */
  leave(done: () => void = () => {}): void {
    const { life } = this;
    if (!life) return done();
    this.#world.timeline.trace(`${life.process.name} is told to end`);
    const end = () => {
      if (this.life === life) this.#end(life, "drop");
      done();
    };
    life.process.enter("SIGTERM", () => life.leave(end));
    this.#world.timeline.after(leaveMsMax, "SIGKILL", () => {
      if (this.life === life) end();
    });
  }

  halt(why: Error): void {
    const { life } = this;
    if (!life) return;
    this.halted = why;
    this.#world.halted(this, why);
    this.#end(life, "drop");
  }

  /** Everything that it had kept is gone. */
  loseDisk(): void {
    this.#world.timeline.trace(`${this.id} has lost its disk`);
    this.disk = new SimDisk(this.#world);
    this.lostDiskAt = this.#world.timeline.now;
  }

  // ── what snapshot-keeper.ts does ───────────────────────────────────────────────────────

  /** Folds a snapshot; a leader names it, and trims what it may. */
  snapshot(): void {
    const { parts, process } = this.life ?? {};
    if (!parts || process?.stopped !== false) return;
    // snapshot-keeper.ts N5: with nothing to fold on, and nobody to copy from, its memory is what there is.
    if ((this.disk.newest?.index ?? 0) < this.#world.store.trimmed) {
      const { damage, corruption } = this.#world;
      if (damage?.victim === this || corruption?.has(this.life) === true) return;
      return parts.loop.read(encodeSnapshot, (bytes) => this.#made(this.disk.keepMemory(bytes)));
    }
    this.#made(this.disk.makeSnapshot());
  }

  #made(file: SnapshotFile | undefined): void {
    const { parts } = this.life ?? {};
    if (!file || !parts) return;
    this.#world.timeline.trace(`${this.id} has a snapshot at ${file.index}`);
    const { loop } = parts;
    if (!loop.leads) return;
    const { index, digest } = file;
    loop.request({ kind: "noteSnapshot", index, digest, file: "s" }, 128, (answer) => {
      const older = this.disk.snapshots[0];
      if (!answer.ok || !older || older === file) return;
      const others = loop.peek(({ masters }) => masters.size > 1);
      const upTo = trimLimit(older.index, others, parts.peers.live());
      if (upTo > 0) loop.request({ kind: "trim", below: upTo + 1 }, 64, () => {});
    });
  }

  #end(life: MasterLife, how: "drop" | "vanish"): void {
    life.process.kill();
    this.life = null;
    this.disk.archive.crash();
    life.end(how);
  }
}
