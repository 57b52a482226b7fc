/**
 * What is done to a cluster. A nemesis is one blow, or a few that belong together, with its own repair; a round
 * strikes several times. All chance is of the round's seed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../simulator/random.ts";
import { engineNemeses } from "./engine-nemeses.ts";
import { gentleNemeses } from "./gentle-nemeses.ts";
import { linkNemeses } from "./link-nemeses.ts";
import type { World } from "./world.ts";

export interface Nemesis {
  /** In a sentence, for people. */
  readonly text: string;
  /** Which cluster it needs at least; one of a single master unless set. */
  readonly masters?: number;
  readonly etcd?: boolean;
  readonly gates?: boolean;
  readonly whims?: boolean;
  /** Silence makes a worker lost: sooner than usual, so that the round is short. */
  readonly silence?: boolean;
  readonly strike: (world: World, random: Random) => Promise<void>;
}

const processNemeses = {
  "kill-leader": {
    text: "the leader is killed and started again",
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      await world.killMaster(leader);
      await sleep(random.between(0, 2_500));
      await world.startMaster(leader);
    },
  },
  "kill-standby": {
    text: "a standby is killed and started again",
    masters: 2,
    strike: async (world, random) => {
      const standby = random.pick(await world.cluster.standbys());
      await world.killMaster(standby);
      await sleep(random.between(0, 1_000));
      await world.startMaster(standby);
    },
  },
  "pause-leader": {
    text: "the leader stands still, for longer than its lease or not, and goes on",
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      world.pauseMaster(leader);
      await sleep(random.between(500, 4_000));
      world.resumeMaster(leader);
    },
  },
  "pause-standby": {
    text: "a standby stands still, and goes on",
    masters: 2,
    strike: async (world, random) => {
      const standby = random.pick(await world.cluster.standbys());
      world.pauseMaster(standby);
      await sleep(random.between(500, 4_000));
      world.resumeMaster(standby);
    },
  },
  "kill-worker": {
    text: "a worker is killed and started again",
    strike: async (world, random) => {
      const id = random.pick(world.workers);
      await world.killWorker(id);
      await sleep(random.between(0, 1_000));
      world.startWorker(id);
    },
  },
  "pause-worker": {
    text: "a worker stands still, until it is suspect or lost, and goes on",
    silence: true,
    strike: async (world, random) => {
      const id = random.pick(world.workers);
      world.pauseWorker(id);
      await sleep(random.between(1_000, 7_000));
      world.resumeWorker(id);
    },
  },
  "kill-leader-and-worker": {
    text: "the leader and a worker are killed together",
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      const id = random.pick(world.workers);
      await Promise.all([world.killMaster(leader), world.killWorker(id)]);
      await sleep(random.between(0, 1_000));
      await world.startMaster(leader);
      world.startWorker(id);
    },
  },
  "kill-masters": {
    text: "all masters are killed at once",
    strike: async (world, random) => {
      await Promise.all(world.masters.map((master) => world.killMaster(master)));
      await sleep(random.between(0, 2_000));
      await Promise.all(world.masters.map((master) => world.startMaster(master)));
    },
  },
  "kill-all": {
    text: "masters, workers and etcd members are killed at once",
    strike: async (world, random) => {
      await Promise.all([
        ...world.masters.map((master) => world.killMaster(master)),
        ...world.workers.map((id) => world.killWorker(id)),
        ...world.members.map((_, at) => world.killMember(at)),
      ]);
      await sleep(random.between(0, 1_000));
      await Promise.all(world.members.map((_, at) => world.startMember(at)));
      await Promise.all(world.masters.map((master) => world.startMaster(master)));
      for (const id of world.workers) world.startWorker(id);
    },
  },
  "slow-disk": {
    text: "each fsync of the leader takes longer, up to half a second",
    whims: true,
    strike: async (world, random) => {
      const { id, child } = await world.cluster.leader();
      world.whims("master", id, child, { syncMs: random.between(20, 500) });
      await sleep(random.between(1_000, 3_000));
      world.whims("master", id, child, {});
    },
  },
  "stalled-disk": {
    text: "one fsync of the leader takes longer than its lease",
    whims: true,
    strike: async (world, random) => {
      const { id, child } = await world.cluster.leader();
      world.whims("master", id, child, { syncMs: random.between(1_800, 3_500) });
      await sleep(1_500);
      world.whims("master", id, child, {});
      await sleep(2_500);
    },
  },
  "clock-step": {
    text: "the wall clock of a master or a worker is wrong, by seconds or hours, either way",
    whims: true,
    strike: async (world, random) => {
      const master = random.pick(world.masters);
      const worker = random.pick(world.workers);
      const wallMs = () => random.pick([-7_200_000, -30_000, -900, 1_500, 60_000, 7_200_000]);
      world.whims("master", master.id, master.child, { wallMs: wallMs() });
      // No harm to it: a worker's wall clock decides nothing (T2, T3).
      world.whims("client", worker, world.cluster.worker(worker), { wallMs: wallMs() });
      await sleep(random.between(1_000, 3_000));
      world.whims("master", master.id, master.child, {});
      world.whims("client", worker, world.cluster.worker(worker), {});
    },
  },
} as const satisfies Readonly<Record<string, Nemesis>>;

export const nemeses = { ...processNemeses, ...gentleNemeses, ...linkNemeses, ...engineNemeses };

export type NemesisName = keyof typeof nemeses;
