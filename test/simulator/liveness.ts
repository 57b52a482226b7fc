// Once the faults are over: a leader within bounded time, no election after election, and standbys that keep up.

import type { Loop } from "../../src/master/loop.ts";
import type { World } from "./world.ts";

/** From the end of the faults until somebody must lead: what is on its way may still do harm. */
const electMs = 20_000;
const calmMs = 60_000;
const termsMax = 2;
const lagMsMax = 3_000;

export class Liveness {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    const { timeline } = world;
    timeline.after(electMs, "liveness", () => {
      world.check(world.leader !== undefined, `liveness: nobody leads\n${mastersText(world)}`);
      const { term } = world.checker.shadow;
      timeline.after(calmMs, "liveness", () => this.#noLivelock(term));
      this.#keepUp();
    });
  }

  #noLivelock(before: number): void {
    const { checker } = this.#world;
    const terms = checker.shadow.term - before;
    this.#world.check(terms <= termsMax, `liveness: ${terms} elections in a minute of calm`);
  }

  #keepUp(): void {
    const world = this.#world;
    for (const master of world.masters) {
      const { life, id } = master;
      // One that is shown an old journal cannot know that there is more.
      if (world.damage?.victim === master) continue;
      if (!life?.parts || life.parts.loop.rebuilding) continue;
      const next = life.parts.loop.durableIndex + 1;
      if (next > world.store.head.index) continue;
      const lag = world.timeline.now - world.store.storedAt(next);
      const what = `${id} lacks batch ${next} for ${Math.round(lag)} ms\n${mastersText(world)}`;
      world.check(lag < lagMsMax, `liveness: ${what}`);
    }
    world.timeline.after(1_000, "standbys keep up", () => this.#keepUp());
  }
}

export function mastersText({ masters, store }: World): string {
  const lines = masters.map(({ id, life, halted }) => {
    if (!life?.parts) return `  ${id}: ${halted ? "halted" : life ? "not grounded" : "down"}`;
    const { loop } = life.parts;
    const { index, term } = loop.peek(({ index, term }) => ({ index, term }));
    return `  ${id}: ${whatIs(loop)}, index ${index}, term ${term}`;
  });
  return [`  the journal's head is ${store.head.index}, term ${store.head.term}`, ...lines].join(
    "\n",
  );
}

function whatIs(loop: Loop): string {
  if (loop.halted) return "halted";
  if (loop.rebuilding) return "rebuilding";
  if (loop.leads) return "leading";
  return loop.stands ? "standing" : "following";
}
