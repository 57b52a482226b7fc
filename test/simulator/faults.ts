// Nemeses (high-availability.md §4.4): each comes now and then, as often as the seed's knobs say.

import { masterFaults } from "./faults-on-masters.ts";
import { WorkerFaults } from "./faults-on-workers.ts";
import type { FaultRates } from "./knobs.ts";
import type { World } from "./world.ts";

export function beginFaults(world: World): void {
  const acts = { ...masterFaults(world), ...new WorkerFaults(world).acts() };
  for (const kind of Object.keys(acts) as (keyof FaultRates)[]) {
    if (world.knobs.rates[kind] > 0) repeat(world, kind, acts[kind]);
  }
}

function repeat(world: World, kind: keyof FaultRates, act: () => void): void {
  const { timeline, random, knobs } = world;
  timeline.after(knobs.rates[kind] * 2 * random.faults.float(), kind, () => {
    if (world.calm) return;
    act();
    repeat(world, kind, act);
  });
}

/** How long something lasts: more often short than long. */
export function drawMs(world: World, least: number, most: number): number {
  const share = world.random.faults.float();
  return Math.round(least + (most - least) * share * share);
}
