// What one seed is like: sizes, and which faults it has and how often ("swarm testing": every seed leaves
// some of them out, so that the others are met in combinations of their own).

import { limits } from "../../src/protocol/limits.ts";
import type { Random } from "./random.ts";

/** Mean times between faults in ms; 0: never. */
export interface MasterRates {
  readonly masterCrash: number;
  readonly masterMachineCrash: number;
  readonly masterStall: number;
  readonly allMastersCrash: number;
  readonly stepDown: number;
  readonly rollingRestart: number;
  readonly lostDisk: number;
  readonly clockStep: number;
  readonly journalStall: number;
  /** One master and the engine: stalled, cut off, shown what was, or rung for nothing. */
  readonly engineStall: number;
  readonly engineCut: number;
  readonly tailLag: number;
  readonly falseRing: number;
  /** Masters from each other, and from their clients. */
  readonly mastersCut: number;
  readonly mastersReset: number;
  readonly clientCut: number;
}

export interface WorkerRates {
  readonly workerCrash: number;
  readonly machineCrash: number;
  readonly workerStall: number;
  readonly workerLeaves: number;
  readonly slotCrash: number;
  /** A worker from all masters, and a master from one worker or all. */
  readonly netCut: number;
  readonly netOneWay: number;
  readonly netReset: number;
  readonly masterWorkersCut: number;
  readonly storm: number;
  readonly workerClockStep: number;
  readonly spoolTrouble: number;
}

export type FaultRates = MasterRates & WorkerRates;

export interface JournalOdds {
  readonly lostThenNever: number;
  readonly lostButStored: number;
  readonly lostThenLate: number;
  readonly refused: number;
  readonly duplicated: number;
  readonly readFails: number;
  readonly ringLost: number;
  readonly ringLate: number;
}

export interface Knobs {
  readonly profile: "quiet" | "master only" | "short silence" | "everything";
  readonly masters: number;
  /** One master is shown a damaged journal. */
  readonly damage: boolean;
  /** A bit flips in the memory of one master. */
  readonly corruption: boolean;
  readonly workers: number;
  readonly clients: number;
  readonly jobsPerClient: number;
  readonly tasksMax: number;
  readonly faultsMs: number;
  readonly latencyMs: number;
  readonly appendMs: number;
  /** After so long the engine's client gives up waiting. */
  readonly engineTimeoutMs: number;
  /** An append that was on its way lands within this. */
  readonly lateMs: number;
  /** Batches that one read of the tail gives at most. */
  readonly readBatches: number;
  readonly silenceMaxMs: number;
  readonly lostAnswers: number;
  readonly snapshotMs: number;
  /** Mean time between reads of a client; 0: it reads nothing. */
  readonly readMs: number;
  readonly operatorMs: number;
  readonly shortTasks: boolean;
  readonly poison: boolean;
  readonly rates: FaultRates;
  readonly journal: JournalOdds;
  /** Smaller limits than in production, so that slices, retirement and windows are met. */
  readonly limits: Partial<Record<keyof typeof limits, number>>;
}

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
  const damage = random.chance(0.12);
  const masters = damage ? 3 : random.pick([1, 1, 2, 3, 3, 3, 3, 3, 3]);
  const corruption = !damage && masters > 1 && random.chance(0.15);
  const journalFaults = profile !== "quiet" && random.chance(0.7);
  const odd = (most: number) => (journalFaults && random.chance(0.6) ? random.float() * most : 0);
  return {
    profile,
    masters,
    damage,
    corruption,
    workers: random.chance(0.03) ? random.between(6, 50) : random.between(1, 5),
    clients: random.between(1, 3),
    jobsPerClient: random.between(2, 8),
    tasksMax: random.pick([3, 12, 40]),
    faultsMs: random.between(30, 120) * 1_000,
    latencyMs: random.pick([0.2, 2, 20, 100]),
    appendMs: random.pick([0.5, 3, 30]),
    engineTimeoutMs: random.pick([2_000, 5_000, Infinity]),
    lateMs: random.pick([50, 4_000, 10_000]),
    readBatches: random.pick([3, 1_000]),
    silenceMaxMs: profile === "everything" ? 40_000 : 9_000,
    lostAnswers: random.chance(0.5) ? random.float() * 0.3 : 0,
    snapshotMs: random.pick([1_000, 5_000, 20_000]),
    readMs: random.pick([0, 300, 2_000]),
    operatorMs: random.chance(0.7) ? random.between(2, 15) * 1_000 : 0,
    shortTasks: random.chance(0.5),
    poison: profile === "everything" && random.chance(0.2),
    rates: drawRates(random, profile),
    journal: {
      lostThenNever: odd(0.05),
      lostButStored: odd(0.05),
      lostThenLate: odd(0.1),
      refused: odd(0.1),
      duplicated: odd(0.1),
      readFails: odd(0.2),
      ringLost: odd(0.9),
      ringLate: odd(0.9),
    },
    limits: drawLimits(random),
  };
}

function drawRates(random: Random, profile: Knobs["profile"]): FaultRates {
  const rate = (least: number, most: number) =>
    random.chance(0.5) ? random.between(least, most) * 1_000 : 0;
  const all = {
    masterCrash: rate(2, 30),
    masterMachineCrash: rate(10, 60),
    masterStall: rate(5, 40),
    allMastersCrash: rate(20, 90),
    stepDown: rate(3, 30),
    rollingRestart: rate(20, 60),
    lostDisk: rate(20, 60),
    clockStep: rate(3, 30),
    journalStall: rate(10, 60),
    engineStall: rate(5, 40),
    engineCut: rate(5, 40),
    tailLag: rate(3, 20),
    falseRing: rate(1, 10),
    mastersCut: rate(5, 40),
    mastersReset: rate(2, 30),
    clientCut: rate(5, 40),
    storm: rate(2, 20),
    workerClockStep: rate(3, 30),
    netCut: rate(5, 40),
    netOneWay: rate(5, 40),
    netReset: rate(2, 30),
    masterWorkersCut: rate(5, 40),
    workerStall: rate(5, 40),
    slotCrash: rate(3, 30),
    workerCrash: rate(5, 40),
    machineCrash: rate(10, 60),
    workerLeaves: rate(15, 60),
    spoolTrouble: rate(15, 60),
  };
  const left = { ...all };
  for (const kind of absent[profile](Object.keys(all) as (keyof FaultRates)[])) left[kind] = 0;
  return left;
}

type Kinds = readonly (keyof FaultRates)[];

const harmful: Kinds = ["workerCrash", "machineCrash", "workerLeaves", "spoolTrouble"];
const ofWorkers: Kinds = [
  ...harmful,
  "netCut",
  "netOneWay",
  "netReset",
  "masterWorkersCut",
  "workerStall",
  "slotCrash",
];

/** What a profile leaves out of all faults. */
const absent: { readonly [profile in Knobs["profile"]]: (all: Kinds) => Kinds } = {
  quiet: (all) => all,
  "master only": () => ofWorkers,
  "short silence": () => [...harmful, "journalStall"],
  everything: () => [],
};

function drawLimits(random: Random): Knobs["limits"] {
  const small = random.chance(0.6);
  if (!small) return { digestBatches: 64, openJobSilenceMs: 60_000 };
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
