// What happens to masters: to their processes, to their way to the journal, and between them.

import { drawMs } from "./faults.ts";
import type { MasterRates } from "./knobs.ts";
import type { SimMaster } from "./master.ts";
import type { Wire } from "./network.ts";
import type { World } from "./world.ts";

type Acts = { readonly [kind in keyof MasterRates]: () => void };

export function masterFaults(world: World): Acts {
  return { ...onProcesses(world), ...onEngines(world), ...onWires(world) };
}

/** Whoever leads is hit more often than the others. */
function someone(world: World): SimMaster {
  const { random, masters, leader } = world;
  return leader && random.faults.chance(0.5) ? leader : random.faults.pick(masters);
}

// ── processes ────────────────────────────────────────────────────────────────────────────

type OnProcesses =
  | "masterCrash"
  | "masterMachineCrash"
  | "masterStall"
  | "allMastersCrash"
  | "stepDown"
  | "rollingRestart"
  | "lostDisk"
  | "clockStep";

function onProcesses(world: World): Pick<Acts, OnProcesses> {
  return {
    masterCrash: () => crash(world, someone(world)),
    masterMachineCrash: () => someone(world).crash("machine"),
    masterStall: () => someone(world).life?.process.stall(drawMs(world, 50, 40_000)),
    allMastersCrash: () => {
      for (const master of world.masters) crash(world, master);
    },
    stepDown: () => stepDown(world),
    rollingRestart: () => rollingRestart(world, [...world.masters]),
    lostDisk: () => lostDisk(world),
    clockStep: () => clockStep(world),
  };
}

/** Its supervisor starts it again, sooner or later. */
function crash(world: World, master: SimMaster): void {
  if (!master.life) return;
  master.crash();
  if (world.random.faults.chance(0.5)) return;
  world.timeline.after(drawMs(world, 20, 8_000), "master starts", () => master.start());
}

/** `skein master step-down`, of whoever believes to lead. */
function stepDown(world: World): void {
  const { random, masters, timeline } = world;
  const master = masters.find(({ leads }) => leads);
  const { life } = master ?? {};
  if (!master || !life) return;
  const to = random.faults.chance(0.5) ? null : random.faults.pick(masters).id;
  timeline.trace(`${master.id} is to hand over to ${to ?? "whoever is furthest"}`);
  life.process.enter("step-down", () => {
    life.parts?.leadership.stepDown(to, (answer) => {
      timeline.trace(`${master.id} ${answer.ok ? "has handed over" : answer.message}`);
    });
  });
}

/** One after the other is told to end, and started again. */
function rollingRestart(world: World, left: SimMaster[]): void {
  const next = left.shift();
  if (!next || world.calm) return;
  next.leave(() => {
    world.timeline.after(drawMs(world, 50, 2_000), "upgraded", () => {
      next.start();
      const ms = drawMs(world, 200, 5_000);
      world.timeline.after(ms, "next one", () => rollingRestart(world, left));
    });
  });
}

/**
 * Only while somebody else has all of it: two lost disks at once are more than is promised, and so is one beside a
 * damaged journal.
 */
function lostDisk(world: World): void {
  if (world.knobs.damage) return;
  const master = world.random.faults.pick(world.masters);
  const { trimmed } = world.store;
  const others = world.masters.filter(({ disk: { archive, newest } }) => {
    return !archive.lacks && archive.watermark >= trimmed && (newest?.index ?? 0) >= trimmed;
  });
  if (!others.some((other) => other !== master)) return;
  master.crash();
  master.loseDisk();
}

function clockStep(world: World): void {
  const { life } = someone(world);
  if (!life) return;
  const ms = world.random.faults.between(-3_600_000, 3_600_000);
  world.timeline.trace(`the wall clock of ${life.process.name} is set by ${ms} ms`);
  life.process.wallOffset += ms;
}

// ── the journal's engine ─────────────────────────────────────────────────────────────────

function onEngines(
  world: World,
): Pick<Acts, "journalStall" | "engineStall" | "engineCut" | "tailLag" | "falseRing"> {
  const { timeline, store, random } = world;
  return {
    journalStall: () => {
      const ms = drawMs(world, 100, 60_000);
      timeline.trace(`the journal stalls for ${ms} ms`);
      store.stalledUntil = timeline.now + ms;
    },
    engineStall: () => {
      const { id, engine } = someone(world);
      const ms = drawMs(world, 100, 60_000);
      timeline.trace(`the journal stalls for ${id} for ${ms} ms`);
      engine.stalledUntil = timeline.now + ms;
    },
    engineCut: () => {
      const { id, engine } = someone(world);
      const ms = drawMs(world, 100, 30_000);
      const how = random.faults.pick(["requests", "answers", "both"] as const);
      timeline.trace(`${id} and the journal are cut (${how}) for ${ms} ms`);
      if (how !== "answers") engine.blockedUntil.request = timeline.now + ms;
      if (how !== "requests") engine.blockedUntil.answer = timeline.now + ms;
    },
    tailLag: () => {
      const { engine } = random.faults.pick(world.masters);
      engine.lagMs = drawMs(world, 20, 4_000);
      timeline.after(drawMs(world, 100, 20_000), "the tail is fresh", () => (engine.lagMs = 0));
    },
    falseRing: () => {
      const { life } = random.faults.pick(world.masters);
      life?.process.enter("a ring about nothing", () => life.parts?.tail.look());
    },
  };
}

// ── between them ─────────────────────────────────────────────────────────────────────────

function onWires(world: World): Pick<Acts, "mastersCut" | "clientCut" | "mastersReset"> {
  const { random, masters, network } = world;
  const others = (master: SimMaster) =>
    masters.filter((one) => one !== master).map(({ node }) => network.between(master.node, node));
  const clients = (master: SimMaster) =>
    [...world.clients.map(({ name }) => name), "operator"].map((name) =>
      network.between(master.node, name),
    );
  return {
    mastersCut: () => {
      const master = someone(world);
      cut(world, master, some(world, others(master)));
    },
    clientCut: () => {
      const master = someone(world);
      cut(world, master, some(world, clients(master)));
    },
    mastersReset: () => {
      for (const wire of others(random.faults.pick(masters))) wire.reset();
    },
  };
}

function some(world: World, wires: readonly Wire[]): readonly Wire[] {
  const { faults } = world.random;
  return wires.length === 0 || faults.chance(0.5) ? wires : [faults.pick(wires)];
}

function cut(world: World, master: SimMaster, wires: readonly Wire[]): void {
  const ms = drawMs(world, 100, 30_000);
  const how = world.random.faults.pick(["both", "to it", "from it"] as const);
  for (const wire of wires) {
    const [a, b] = wire.ends;
    world.timeline.trace(`the network between ${a} and ${b} is cut (${how}) for ${ms} ms`);
    for (const end of wire.ends) {
      const sends = end === master.node ? "from it" : "to it";
      if (how === "both" || how === sends) wire.block(end, ms);
    }
  }
}
