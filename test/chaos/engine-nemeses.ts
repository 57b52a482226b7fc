/** Blows at etcd, and at the way to it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Nemesis } from "./nemeses.ts";

export const engineNemeses = {
  "kill-member": {
    text: "an etcd member is killed and started again",
    etcd: true,
    strike: async (world, random) => {
      const at = random.between(0, world.members.length - 1);
      await world.killMember(at);
      await sleep(random.between(0, 2_000));
      await world.startMember(at);
    },
  },
  "kill-etcd-leader": {
    text: "the etcd leader is killed and started again",
    etcd: true,
    strike: async (world, random) => {
      const at = await world.etcd.leader();
      await world.killMember(at);
      await sleep(random.between(0, 2_000));
      await world.startMember(at);
    },
  },
  "pause-etcd-leader": {
    text: "the etcd leader stands still, and goes on",
    etcd: true,
    strike: async (world, random) => {
      const at = await world.etcd.leader();
      world.pauseMember(at);
      await sleep(random.between(300, 4_000));
      world.resumeMember(at);
    },
  },
  "slow-etcd": {
    text: "the etcd leader stands still again and again for a moment, as on a slow disk",
    etcd: true,
    strike: async (world, random) => {
      const at = await world.etcd.leader();
      for (let burst = 0; burst < 10; burst++) {
        world.pauseMember(at);
        await sleep(random.between(50, 300));
        world.resumeMember(at);
        await sleep(random.between(10, 100));
      }
    },
  },
  "move-etcd-leader": {
    text: "another etcd member is made to lead",
    etcd: true,
    strike: async (world, random) => {
      const from = await world.etcd.leader();
      const others = world.members.map((_, at) => at).filter((at) => at !== from);
      const to = random.pick(others);
      world.note({ kind: "moved", who: "engine", name: world.members[to] ?? "", pid: 0 });
      // A cluster that is busy with an election may refuse: then that is the blow.
      await world.etcd.moveLeader(to).catch(() => {});
    },
  },
  "kill-quorum": {
    text: "two etcd members are killed: nothing can be decided until one is back",
    etcd: true,
    strike: async (world, random) => {
      const spared = random.between(0, world.members.length - 1);
      const struck = world.members.map((_, at) => at).filter((at) => at !== spared);
      await Promise.all(struck.map((at) => world.killMember(at)));
      await sleep(random.between(500, 3_000));
      await Promise.all(struck.map((at) => world.startMember(at)));
    },
  },
  "kill-both-leaders": {
    text: "the leader and the etcd leader are killed together",
    etcd: true,
    strike: async (world, random) => {
      const leader = await world.cluster.leader();
      const at = await world.etcd.leader();
      await Promise.all([world.killMaster(leader), world.killMember(at)]);
      await sleep(random.between(0, 2_000));
      await Promise.all([world.startMaster(leader), world.startMember(at)]);
    },
  },
  "cut-leader-etcd": {
    text: "the leader does not reach etcd, or does not hear it",
    etcd: true,
    gates: true,
    strike: async (world, random) => {
      const { id } = await world.cluster.leader();
      const flows = random.pick([
        { there: "hold", back: "hold" },
        { there: "hold", back: "pass" },
        { there: "pass", back: "hold" },
        { there: "cut", back: "cut" },
      ] as const);
      world.partition("master", [`${id}|etcd`], { from: [id], to: world.members, ...flows });
      await sleep(random.between(1_000, 4_000));
      world.healLinks();
    },
  },
  "cut-masters-etcd": {
    text: "no master reaches etcd",
    etcd: true,
    gates: true,
    strike: async (world, random) => {
      const from = world.masters.map(({ id }) => id);
      const rule = { from, to: world.members, there: "hold", back: "hold" } as const;
      world.partition("master", ["masters|etcd"], rule);
      await sleep(random.between(1_000, 3_000));
      world.healLinks();
    },
  },
} as const satisfies Readonly<Record<string, Nemesis>>;
