// A flipped bit in the memory of one life of a master: its state is not what the journal makes (L10), and it does not
// know. It may lead, be elected so, or only follow. A new life, or a state that is built anew, is sound again.
//
// What is held against it: no other master stops for its sake, and somebody leads in the end.

import type { MasterLife } from "./master-life.ts";
import type { SimMaster } from "./master.ts";
import type { World } from "./world.ts";

export class Corruption {
  readonly life: MasterLife;
  /** Until its state is built anew. */
  lasts = true;
  /** It stopped, since it was found out. */
  met = false;
  readonly #world: World;

  constructor(world: World, life: MasterLife) {
    this.#world = world;
    this.life = life;
    world.timeline.trace(`from here on the memory of ${life.process.name} is corrupt`);
    // A count that no decision rests on: what it decides stays right, so that all else can be checked on.
    life.parts?.loop.peek((state) => state.totals.submitted++);
  }

  /** Whoever has it, at any time: its batches may say a wrong digest. */
  isBy(by: string): boolean {
    const { id, incarnation } = this.life.identity;
    return by === `${id} ${incarnation}`;
  }

  has(life: MasterLife | null): boolean {
    return this.lasts && this.life === life;
  }

  /** The state of a life was built anew. */
  rebuilt(life: MasterLife): void {
    if (this.life === life) this.lasts = false;
  }

  /** Only who has it may stop for it; a supervisor starts it again. */
  explains(master: SimMaster, why: Error): boolean {
    if (master.life !== this.life || !/digest|other state|memory/.test(why.message)) return false;
    this.met = true;
    this.lasts = false;
    this.#world.timeline.trace(`${master.id} stops: ${why.message}`);
    return true;
  }
}

/** Once in a run, at a moment of its own; whoever leads is hit more often than the others. */
export function planCorruption(world: World): void {
  const { timeline, random, knobs, masters } = world;
  const ms = knobs.faultsMs * (0.1 + 0.7 * random.faults.float());
  timeline.after(ms, "a bit flips", () => {
    const master = (random.faults.chance(0.5) && world.leader) || random.faults.pick(masters);
    if (master.life?.parts) world.corruption = new Corruption(world, master.life);
  });
}
