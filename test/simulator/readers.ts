// Readers (I18): they look at any master, sometimes only at what is at least as new as what they saw before, and
// sometimes strongly. What they are shown must be what the journal made at that index; a session never goes back
// and sees its own writes; a strong read sees whatever was acknowledged before it began.

import { SimApi } from "./api.ts";
import type { SimClient } from "./clients.ts";
import type { World } from "./world.ts";

interface Seen {
  readonly index: number;
  readonly jobs: number;
}

export class SimReader {
  readonly #world: World;
  readonly #client: SimClient;
  readonly #api: SimApi;
  /** The newest batch that this session has seen. */
  #seen = 0;

  constructor(world: World, client: SimClient) {
    this.#world = world;
    this.#client = client;
    this.#api = new SimApi(world, client.name);
    this.#next();
  }

  #next(): void {
    const { timeline, knobs, random } = this.#world;
    if (knobs.readMs === 0) return;
    timeline.after(knobs.readMs * 2 * random.clients.float(), "reads", () => {
      this.#read();
      this.#next();
    });
  }

  #read(): void {
    const { random, masters, replicas, checker } = this.#world;
    const strong = random.clients.chance(0.4);
    // One that led and has not noticed yet is as good as any.
    const leading = strong ? masters.filter(({ leads }) => leads) : [];
    const master = random.clients.pick(leading.length > 0 ? leading : masters);
    const atLeast = random.clients.chance(0.6) ? this.#seen : 0;
    const acked = strong ? checker.ackedMax : 0;
    const own = atLeast === 0 ? 0 : (this.#client.acked.at(-1)?.number ?? 0);
    const ownIndex = replicas.indexOfJob(own);
    this.#api.reach(master, (taker, answer) => {
      const wish = { strong, atLeast: Math.max(atLeast, ownIndex) };
      taker?.gate.ready(wish, (not) => {
        if (not) return;
        const look = ({ index, nextJob }: { index: number; nextJob: number }): Seen => {
          return { index, jobs: nextJob - 1 };
        };
        taker.loop.read(look, (seen) => {
          this.#check(seen, wish.atLeast, acked, `${master.id} shows ${this.#client.name}`);
          answer(() => {
            this.#seen = Math.max(this.#seen, seen.index);
          });
        });
      });
    });
  }

  #check({ index, jobs }: Seen, atLeast: number, acked: number, who: string): void {
    const world = this.#world;
    if (world.damage?.victim.id === who.slice(0, 2)) return;
    world.replicas.reads++;
    const stood = index === 0 ? { jobs: 0 } : world.replicas.at(index);
    world.check(stood !== undefined, `I18: ${who} batch ${index}, which is not durable`);
    world.check(stood?.jobs === jobs, `I18: ${who} ${jobs} jobs at ${index}, not ${stood?.jobs}`);
    world.check(index >= atLeast, `I18: ${who} batch ${index}, at least ${atLeast} was asked`);
    world.check(jobs >= acked, `I18: ${who} ${jobs} jobs, ${acked} were acknowledged before`);
  }
}
