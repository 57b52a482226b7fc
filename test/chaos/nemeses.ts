/**
 * What is done to a cluster. A nemesis is one blow, or a few that belong together, with its own repair; a round
 * strikes several times. All chance is of the round's seed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../simulator/random.ts";
import type { World } from "./world.ts";

export interface Nemesis {
  /** In a sentence, for people. */
  readonly text: string;
  /** Which cluster it needs at least. */
  readonly masters?: number;
  readonly strike: (world: World, random: Random) => Promise<void>;
}

/** How long something is left dead or stopped. */
function pause(random: Random, least: number, most: number): Promise<void> {
  return sleep(random.between(least, most));
}

export const nemeses = {
  "kill-leader": {
    text: "the leader is killed and started again",
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      await world.killMaster(leader);
      await pause(random, 0, 2_000);
      await world.startMaster(leader);
    },
  },
  "kill-standby": {
    text: "a standby is killed and started again",
    masters: 2,
    strike: async (world, random) => {
      const standby = random.pick(await world.cluster.standbys());
      await world.killMaster(standby);
      await pause(random, 0, 1_000);
      await world.startMaster(standby);
    },
  },
  "pause-leader": {
    text: "the leader stands still for longer than its lease, and goes on",
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      world.pauseMaster(leader);
      await pause(random, 500, 4_000);
      world.resumeMaster(leader);
    },
  },
  "pause-standby": {
    text: "a standby stands still, and goes on",
    masters: 2,
    strike: async (world, random) => {
      const standby = random.pick(await world.cluster.standbys());
      world.pauseMaster(standby);
      await pause(random, 500, 4_000);
      world.resumeMaster(standby);
    },
  },
  "kill-worker": {
    text: "a worker is killed and started again",
    strike: async (world, random) => {
      const id = random.pick(world.workers);
      await world.killWorker(id);
      await pause(random, 0, 1_000);
      world.startWorker(id);
    },
  },
  "pause-worker": {
    text: "a worker stands still, and goes on",
    strike: async (world, random) => {
      const id = random.pick(world.workers);
      world.pauseWorker(id);
      await pause(random, 1_000, 6_000);
      world.resumeWorker(id);
    },
  },
  "kill-leader-and-worker": {
    text: "the leader and a worker are killed together",
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      const id = random.pick(world.workers);
      await Promise.all([world.killMaster(leader), world.killWorker(id)]);
      await pause(random, 0, 1_000);
      await world.startMaster(leader);
      world.startWorker(id);
    },
  },
  "kill-masters": {
    text: "all masters are killed at once",
    strike: async (world, random) => {
      await Promise.all(world.masters.map((master) => world.killMaster(master)));
      await pause(random, 0, 2_000);
      await Promise.all(world.masters.map((master) => world.startMaster(master)));
    },
  },
  "kill-all": {
    text: "masters and workers are killed at once",
    strike: async (world, random) => {
      await Promise.all([
        ...world.masters.map((master) => world.killMaster(master)),
        ...world.workers.map((id) => world.killWorker(id)),
      ]);
      await pause(random, 0, 1_000);
      await Promise.all(world.masters.map((master) => world.startMaster(master)));
      for (const id of world.workers) world.startWorker(id);
    },
  },
} as const satisfies Readonly<Record<string, Nemesis>>;

export type NemesisName = keyof typeof nemeses;
