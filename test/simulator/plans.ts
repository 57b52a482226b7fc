// What clients submit: specs and inputs drawn from the seed.

import type { JobSpec } from "../../src/protocol/model.ts";
import { inputLine } from "./executor.ts";
import type { SimInput } from "./executor.ts";
import type { Knobs } from "./knobs.ts";
import type { Random } from "./random.ts";

export const queueNames = ["films", "proofs", "nightly"] as const;

export interface JobPlan {
  readonly spec: JobSpec;
  readonly parts: readonly (readonly SimInput[])[];
  readonly open: boolean;
  /** The client dies after so many parts, without a word. */
  readonly diesAfter: number;
}

const kinds = ["plain", "plain", "retry", "stop", "key", "fenced", "delay", "timeout"] as const;

export function drawPlan(random: Random, knobs: Knobs, jobs: readonly string[]): JobPlan {
  const kind = random.pick(kinds);
  const attempts = kind === "retry" || random.chance(0.2) ? random.between(2, 4) : 1;
  const poisoned = knobs.poison && random.chance(0.15);
  const spec: JobSpec = {
    ...plainSpec,
    task: kind,
    queue: random.pick(queueNames),
    priority: random.between(-1, 2),
    needs: drawNeeds(random),
    timeouts: {
      queuedMs: kind === "timeout" && random.chance(0.5) ? random.between(500, 20_000) : 0,
      runMs: kind === "timeout" ? random.between(50, 3_000) : 0,
      silenceMs: 0,
    },
    retry: {
      attempts,
      backoffMs: random.pick([0, 100, 2_000]),
      backoffMaxMs: random.pick([0, 5_000]),
      finalErrors: [],
    },
    onFailure: kind === "stop" ? "stop" : "continue",
    concurrency:
      kind === "key" ? { key: random.pick(["k1", "k2"]), limit: random.between(1, 3) } : null,
    fenced: kind === "fenced" || random.chance(0.2),
    delayMs: kind === "delay" ? random.between(1, 10_000) : 0,
    after: drawDependencies(random, jobs),
    ifClientGone: random.pick(["close", "cancel"]),
  };
  const count = random.chance(0.05) ? 0 : random.between(1, knobs.tasksMax);
  const failing = kind === "retry" || kind === "stop" ? 0.3 : 0.05;
  let n = 0;
  const draw = (): SimInput => ({
    n: n++,
    run: drawRun(random, knobs),
    ...(random.chance(failing) ? { fail: random.between(1, 5), final: random.chance(0.2) } : {}),
    ...(poisoned && n === 1 ? { kill: true } : {}),
  });
  const inputs = Array.from({ length: count }, draw);
  const open = random.chance(0.4);
  const parts = splitParts(random, inputs);
  const diesAfter = open && random.chance(0.15) ? random.between(0, parts.length) : -1;
  return { spec, parts, open, diesAfter };
}

function drawRun(random: Random, knobs: Knobs): number {
  if (knobs.shortTasks && random.chance(0.8)) return random.float() * 5;
  if (knobs.profile !== "quiet" && random.chance(0.06)) return random.between(12_000, 60_000);
  return random.chance(0.7) ? random.between(20, 1_500) : random.between(1_500, 12_000);
}

function drawNeeds(random: Random): JobSpec["needs"] {
  const amounts: Record<string, number> = { cpu: random.pick([500, 1_000, 1_000, 2_000]) };
  if (random.chance(0.3)) amounts["memory"] = random.between(1, 3) * 500;
  if (random.chance(0.1)) amounts["gpu"] = 1_000;
  const required = random.chance(0.15) ? { zone: "a" } : {};
  const preferred = random.chance(0.2) ? { zone: "b" } : {};
  return { amounts, required, preferred };
}

function drawDependencies(random: Random, jobs: readonly string[]): JobSpec["after"] {
  if (jobs.length === 0 || !random.chance(0.4)) return [];
  const first = random.pick(jobs);
  const second = random.pick(jobs);
  const modes = ["all", "each"] as const;
  const after = [{ job: first, mode: random.pick(modes) }];
  if (second !== first && random.chance(0.3)) after.push({ job: second, mode: random.pick(modes) });
  return after;
}

function splitParts(random: Random, inputs: readonly SimInput[]): SimInput[][] {
  const parts: SimInput[][] = [];
  for (let from = 0; from < inputs.length;) {
    const size = random.chance(0.5) ? inputs.length : random.between(1, 8);
    parts.push(inputs.slice(from, from + size));
    from += size;
  }
  return parts;
}

export function partBytes(inputs: readonly SimInput[]): Uint8Array {
  return new TextEncoder().encode(inputs.map(inputLine).join(""));
}

const plainSpec: JobSpec = {
  task: "plain",
  code: { kind: "function", bundle: "b".repeat(64) },
  queue: "films",
  priority: 0,
  needs: { amounts: { cpu: 1_000 }, required: {}, preferred: {} },
  timeouts: { queuedMs: 0, runMs: 0, silenceMs: 0 },
  retry: { attempts: 1, backoffMs: 0, backoffMaxMs: 0, finalErrors: [] },
  onFailure: "continue",
  concurrency: null,
  fenced: false,
  delayMs: 0,
  labels: {},
  after: [],
  encoding: "json",
  ifClientGone: "close",
  namespace: "default",
  by: "sim",
  parent: null,
  retryOf: null,
  group: null,
};
