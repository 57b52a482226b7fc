/** Partitions (links.ts): of masters from workers, from each other, from etcd; both ways or one way. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../simulator/random.ts";
import type { Flow } from "./links.ts";
import type { Nemesis } from "./nemeses.ts";
import type { World } from "./world.ts";

interface Direction {
  readonly there: Flow;
  readonly back: Flow;
}
const both: Direction = { there: "hold", back: "hold" };
const reset: Direction = { there: "cut", back: "cut" };
const oneWay: readonly Direction[] = [
  { there: "hold", back: "pass" },
  { there: "pass", back: "hold" },
];

/** The directions of one blow: mostly silence, sometimes one way, sometimes resets. */
function direction(random: Random): Direction {
  return random.pick([both, both, reset, ...oneWay]);
}

async function hold(world: World, random: Random): Promise<void> {
  // Below the 15 s after which a silent worker is lost, and after which no promise speaks of its tasks.
  await sleep(random.between(1_000, 5_000));
  world.healLinks();
}

export const linkNemeses = {
  "cut-leader-workers": {
    text: "no worker reaches the leader, or hears it",
    masters: 2,
    gates: true,
    strike: async (world, random) => {
      const { id } = await world.cluster.leader();
      const rule = { from: world.workers, to: [id], ...direction(random) };
      world.partition("master", [`${id}|workers`], rule);
      await hold(world, random);
    },
  },
  "cut-leader-standbys": {
    text: "standbys do not reach the leader",
    masters: 2,
    gates: true,
    strike: async (world, random) => {
      const { id } = await world.cluster.leader();
      const standbys = await world.cluster.standbys();
      const from = standbys.map((standby) => standby.id);
      const rule = { from, to: [id], ...direction(random) };
      world.partition("master", [`${id}|standbys`], rule);
      await hold(world, random);
    },
  },
  "cut-leader": {
    text: "nobody reaches the leader: not workers, not clients, not standbys; it still reaches the journal",
    masters: 2,
    gates: true,
    strike: async (world, random) => {
      const { id } = await world.cluster.leader();
      world.partition("master", [`${id}|all`], { to: [id], ...direction(random) });
      await hold(world, random);
    },
  },
  "cut-worker": {
    text: "a worker reaches no master, until it is suspect or lost",
    gates: true,
    silence: true,
    strike: async (world, random) => {
      const id = random.pick(world.workers);
      const to = world.masters.map((master) => master.id);
      world.partition("worker", [id], { from: [id], to, ...direction(random) });
      await sleep(random.between(2_000, 8_000));
      world.healLinks();
    },
  },
} as const satisfies Readonly<Record<string, Nemesis>>;
