// What one seed is like: sizes, and which faults it has and how often ("swarm testing": every seed leaves
// some of them out, so that the others are met in combinations of their own).

import { limits } from "../../src/protocol/limits.ts";
import type { Random } from "./random.ts";

/** Mean times between faults in ms; 0: never. */
export interface FaultRates {
  readonly masterCrash: number;
  readonly masterStall: number;
  readonly journalStall: number;
  readonly workerCrash: number;
  readonly machineCrash: number;
  readonly workerStall: number;
  readonly workerLeaves: number;
  readonly slotCrash: number;
  readonly netCut: number;
  readonly netOneWay: number;
  readonly netReset: number;
  readonly storm: number;
  readonly clockStep: number;
  readonly spoolTrouble: number;
}

export interface JournalOdds {
  readonly lostThenNever: number;
  readonly lostButStored: number;
  readonly lostThenLate: number;
  readonly refused: number;
  readonly duplicated: number;
  readonly readFails: number;
}

export interface Knobs {
  readonly profile: "quiet" | "master only" | "short silence" | "everything";
  readonly workers: number;
  readonly clients: number;
  readonly jobsPerClient: number;
  readonly tasksMax: number;
  readonly faultsMs: number;
  readonly latencyMs: number;
  readonly appendMs: number;
  readonly silenceMaxMs: number;
  readonly lostAnswers: number;
  readonly snapshotMs: number;
  readonly operatorMs: number;
  readonly shortTasks: boolean;
  readonly poison: boolean;
  readonly rates: FaultRates;
  readonly journal: JournalOdds;
  /** Smaller limits than in production, so that slices, retirement and windows are met. */
  readonly limits: Partial<Record<keyof typeof limits, number>>;
}

const none: FaultRates = {
  masterCrash: 0,
  masterStall: 0,
  journalStall: 0,
  workerCrash: 0,
  machineCrash: 0,
  workerStall: 0,
  workerLeaves: 0,
  slotCrash: 0,
  netCut: 0,
  netOneWay: 0,
  netReset: 0,
  storm: 0,
  clockStep: 0,
  spoolTrouble: 0,
};

export function drawKnobs(random: Random): Knobs {
  const profile = random.pick([
    "quiet",
    "master only",
    "master only",
    "short silence",
    "short silence",
    "everything",
    "everything",
    "everything",
    "everything",
    "everything",
  ] as const);
  const journalFaults = profile !== "quiet" && random.chance(0.7);
  const odd = (most: number) => (journalFaults && random.chance(0.6) ? random.float() * most : 0);
  return {
    profile,
    workers: random.between(1, 5),
    clients: random.between(1, 3),
    jobsPerClient: random.between(2, 8),
    tasksMax: random.pick([3, 12, 40]),
    faultsMs: random.between(30, 120) * 1_000,
    latencyMs: random.pick([0.2, 2, 20, 100]),
    appendMs: random.pick([0.5, 3, 30]),
    silenceMaxMs: profile === "everything" ? 40_000 : 9_000,
    lostAnswers: random.chance(0.5) ? random.float() * 0.3 : 0,
    snapshotMs: random.pick([1_000, 5_000, 20_000]),
    operatorMs: random.chance(0.7) ? random.between(2, 15) * 1_000 : 0,
    shortTasks: random.chance(0.5),
    poison: profile === "everything" && random.chance(0.2),
    rates: drawRates(random, profile),
    journal: {
      lostThenNever: odd(0.05),
      lostButStored: odd(0.05),
      lostThenLate: odd(0.05),
      refused: odd(0.03),
      duplicated: odd(0.1),
      readFails: odd(0.2),
    },
    limits: drawLimits(random),
  };
}

function drawRates(random: Random, profile: Knobs["profile"]): FaultRates {
  if (profile === "quiet") return none;
  const rate = (least: number, most: number) =>
    random.chance(0.5) ? random.between(least, most) * 1_000 : 0;
  const master = {
    ...none,
    masterCrash: rate(2, 30),
    masterStall: rate(5, 40),
    journalStall: rate(10, 60),
    clockStep: rate(3, 30),
    storm: rate(2, 20),
  };
  if (profile === "master only") return master;
  const net = { netCut: rate(5, 40), netOneWay: rate(5, 40), netReset: rate(2, 30) };
  const calm = { ...master, ...net, workerStall: rate(5, 40), slotCrash: rate(3, 30) };
  if (profile === "short silence") return { ...calm, journalStall: 0 };
  return {
    ...calm,
    workerCrash: rate(5, 40),
    machineCrash: rate(10, 60),
    workerLeaves: rate(15, 60),
    spoolTrouble: rate(15, 60),
  };
}

function drawLimits(random: Random): Knobs["limits"] {
  const small = random.chance(0.6);
  if (!small) return { digestBatches: 64 };
  return {
    sliceTasksMax: random.pick([3, 10, 100]),
    blockTasksMax: random.pick([2, 16, 256]),
    headTasksMax: random.pick([4, 64]),
    reserveAfterMs: random.pick([2_000, 60_000]),
    finishedJobsMax: random.pick([0, 2, 1_000]),
    finishedTasksMax: random.pick([5, 100, 2_000_000]),
    clientWindow: random.pick([4, 1_024]),
    batchBytesMax: random.pick([2_048, 1024 * 1024]),
    digestBatches: random.pick([8, 1_024]),
    brakeMs: random.pick([5_000, 60_000]),
    openJobSilenceMs: 30_000,
  };
}

/** Sets limits for one run; what it returns sets them back. The table is constant only by its type. */
export function applyLimits(overrides: Knobs["limits"]): () => void {
  const table = limits as Record<string, number>;
  const before = { ...table };
  Object.assign(table, overrides);
  return () => void Object.assign(table, before);
}
