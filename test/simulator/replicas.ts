// What all replicas must have in common: at each index one batch, and after it one state. The journal's own order
// is the measure: what any master has applied, performs, or shows is held against what was stored there.
//
// Here: I1 I2 I3 I4 I18 I19 I24.

import type { State } from "../../src/core/state.ts";
import { decodeBatch } from "../../src/journal/batch.ts";
import type { StoredBatch } from "../../src/journal/journal.ts";
import type { Durable } from "../../src/master/loop-ports.ts";
import { digestOf } from "./check-state.ts";
import type { MasterLife } from "./master-life.ts";
import type { World } from "./world.ts";

/** What stood after a batch. */
interface Stood {
  readonly hash: string;
  readonly digest: string;
  readonly term: number;
  readonly jobs: number;
}

export class Replicas {
  readonly #world: World;
  readonly #stood = new Map<number, Stood>();
  /** Who led in each term. */
  readonly #leaders = new Map<number, string>();
  /** Terms that ended well, with their last batch. */
  readonly #resigned = new Map<number, number>();
  /** The batch that made each job. */
  readonly #madeBy = new Map<number, number>();
  #jobs = 0;
  /** Masters that were known after each of the last batches. */
  #known: number[] = [];
  /** Reads that were answered. */
  reads = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** After each batch that the store takes. */
  committed(shadow: State, batch: StoredBatch): void {
    const jobs = shadow.nextJob - 1;
    const { index, term } = shadow;
    this.#known = [...this.#known.slice(-3), shadow.masters.size];
    while (this.#jobs < jobs) this.#madeBy.set(++this.#jobs, index);
    this.#stood.set(index, { hash: batch.hash, digest: digestOf(shadow), term, jobs });
  }

  /** A batch is stored: it must be by whoever was elected in its term, and has not resigned. */
  wrote({ index, term }: StoredBatch, by: string): void {
    const leader = this.#leaders.get(term);
    this.#world.check(by === leader, `L2: ${by} writes batch ${index} in the term of ${leader}`);
    const over = this.#resigned.has(term) && this.#resigned.get(term) !== index;
    this.#world.check(!over, `L6: batch ${index} is of term ${term}, whose leader has resigned`);
  }

  resigned(term: number, index: number): void {
    this.#resigned.set(term, index);
  }

  elected(term: number, who: string): void {
    const other = this.#leaders.get(term);
    this.#world.check(other === undefined, `I1: ${who} and ${other} are elected in term ${term}`);
    this.#leaders.set(term, who);
  }

  leaderOf(term: number): string | undefined {
    return this.#leaders.get(term);
  }

  indexOfJob(number: number): number {
    return this.#madeBy.get(number) ?? 0;
  }

  at(index: number): Stood | undefined {
    return this.#stood.get(index);
  }

  /** A master has taken a batch, as leader or as follower: its state, and what it does about it. */
  performed(life: MasterLife, state: State, durable: Durable): void {
    const { name } = life.process;
    const { index, bytes, recalls } = durable;
    const world = this.#world;
    // Whoever is shown another journal has another state, until it notices.
    if (world.damage?.victim === life.master) {
      if (bytes.length > 0) world.damage.followed(index, decodeBatch(bytes).hash);
      return;
    }
    const corrupt = world.corruption?.has(life) === true;
    world.check(index === state.index, `${name}: what is performed is not what is decided`);
    this.#leads(life, state, durable);
    if (bytes.length === 0) {
      // An `elected` that was found while the state was built anew, or recalls alone.
      const follows = durable.elected || recalls.length > 0;
      return world.check(follows, `${name} performs nothing`);
    }
    this.has(index, decodeBatch(bytes).hash, name);
    if (!corrupt) this.stands(state, name);
    world.checker.sound(state, `the state of ${name}`);
  }

  /** L2: it leads only if the last `elected` that it has applied is its own. */
  #leads({ process, identity, parts }: MasterLife, state: State, durable: Durable): void {
    const { leader } = state;
    const own = leader?.id === identity.id && leader.incarnation === identity.incarnation;
    const leads = parts?.loop.leads === true;
    this.#world.check(own || !leads, `L2: ${process.name} leads, and ${leader?.id} was elected`);
    if (!durable.elected) return;
    this.#world.check(leads, `L2: ${process.name} is told that it leads, and does not`);
    const who = `${identity.id} ${identity.incarnation}`;
    this.#world.check(this.#leaders.get(state.term) === who, `I1: ${who} was not elected`);
  }

  /** I19: whoever starts must be able to reach the head. */
  trimmed(index: number): void {
    const { masters, timeline } = this.#world;
    // What a standby said is true when said; its disk may be lost right after that.
    const holders = masters.filter(({ disk, lostDiskAt }) => {
      return (disk.newest?.index ?? 0) >= index || timeline.now - lostDiskAt < 10_000;
    });
    // Whoever joins while a trim is on its way starts from the one snapshot that there is.
    const least = Math.min(2, ...this.#known);
    const held = holders.length >= least;
    this.#world.check(
      held,
      `I19: trimmed up to ${index}, which ${holders.length} have a snapshot of`,
    );
  }

  /** I4: a state is the one that the journal makes at its index. */
  stands(state: State, what: string): void {
    const { index } = state;
    if (index === 0) return;
    const stood = this.#stood.get(index);
    if (!stood) return this.#world.fail(`P1: ${what} stands at ${index}, which is not durable`);
    const own = digestOf(state);
    const same = own === stood.digest;
    this.#world.check(same, `I4: digests differ at ${index}, ${what}: ${own}, ${stood.digest}`);
  }

  /** I3: the batch that somebody has at an index is the one that is stored there. */
  has(index: number, hash: string, what: string): void {
    const stood = this.#stood.get(index);
    this.#world.check(stood?.hash === hash, `I3: ${what} has another batch ${index}`);
  }
}
