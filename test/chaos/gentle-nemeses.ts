/** Ends that are asked for: SIGTERM, which lets a process put its things in order, and `step-down` (L6). */
import { setTimeout as sleep } from "node:timers/promises";
import type { Nemesis } from "./nemeses.ts";

export const gentleNemeses = {
  "end-leader": {
    text: "the leader is told to end, and started again",
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      await world.endMaster(leader);
      await sleep(random.between(0, 1_000));
      await world.startMaster(leader);
    },
  },
  "end-standby": {
    text: "a standby is told to end, and started again",
    masters: 2,
    strike: async (world, random) => {
      const standby = random.pick(await world.cluster.standbys());
      await world.endMaster(standby);
      await sleep(random.between(0, 500));
      await world.startMaster(standby);
    },
  },
  "end-worker": {
    text: "a worker is told to end, and started again",
    strike: async (world, random) => {
      const id = random.pick(world.workers);
      await world.endWorker(id);
      await sleep(random.between(0, 500));
      world.startWorker(id);
    },
  },
  "step-down": {
    text: "the leader is asked to give up its term",
    masters: 2,
    strike: async (world) => {
      await world.stepDown(await world.cluster.leader());
    },
  },
  "step-down-to": {
    text: "the leader is asked to give up its term for one that is named",
    masters: 2,
    strike: async (world, random) => {
      const { id } = random.pick(await world.cluster.standbys());
      await world.stepDown(await world.cluster.leader(), id);
    },
  },
} as const satisfies Readonly<Record<string, Nemesis>>;
