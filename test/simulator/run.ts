// One seed from beginning to end, as the command and the tests run it.

import { asError } from "../../src/lib/as-error.ts";
import { applyLimits } from "./knobs.ts";
import { World } from "./world.ts";

export interface RunResult {
  readonly seed: number;
  /** What went wrong; undefined when nothing did. */
  readonly failure: Error | undefined;
  readonly steps: number;
  readonly batches: number;
  readonly explained: number;
  readonly virtualMs: number;
  readonly traceHash: string;
  readonly profile: string;
  /** Terms that began; whether a damaged journal was met. */
  readonly terms: number;
  readonly damaged: boolean;
  readonly reads: number;
  /** Frames of orders that workers refused, because they were of an old term. */
  readonly staleOrders: number;
  readonly tail: readonly string[];
}

export interface RunOptions {
  readonly verbose?: boolean;
  readonly tailLines?: number;
}

export function runSeed(seed: number, options: RunOptions = {}): RunResult {
  const world = new World(seed);
  world.timeline.verbose = options.verbose ?? false;
  const restore = applyLimits(world.knobs.limits);
  let failure: Error | undefined;
  try {
    world.run();
  } catch (error) {
    failure = asError(error);
  } finally {
    restore();
  }
  return {
    seed,
    failure,
    steps: world.timeline.steps,
    batches: world.store.head.index,
    explained: world.checker.explained,
    virtualMs: world.timeline.now,
    traceHash: world.timeline.traceHash,
    profile: world.knobs.profile,
    terms: world.checker.shadow.term,
    damaged: world.damage?.met === true,
    reads: world.replicas.reads,
    staleOrders: world.obedience.refused,
    tail: world.timeline.tail(options.tailLines ?? 60),
  };
}

export function failureText(result: RunResult): string {
  const { seed, failure, tail, profile } = result;
  const cause = failure?.cause instanceof Error ? `\n${failure.cause.stack ?? ""}` : "";
  return `${tail.join("\n")}\n\n${failure?.stack ?? ""}${cause}\nSEED=${seed} (${profile}): npm run sim -- --seed ${seed} --trace`;
}
