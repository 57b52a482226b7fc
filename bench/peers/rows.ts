/** From measurements to rows. */
import { measureThroughput } from "./measure.ts";
import type { Arrangement, Rates } from "./measure.ts";
import type { PeerOptions, PeerSubject, ThroughputRow } from "./model.ts";

const ROUND_TRIPS = 5_000;
const ROUND_TRIP_MS_MAX = 20_000;

/** Tries every arrangement and reports the one that serves the peer best. */
export async function bestThroughput(
  subject: PeerSubject,
  arrangements: readonly Arrangement[],
  options: PeerOptions,
): Promise<ThroughputRow> {
  const { tasks, rounds, log } = options;
  const tried: Record<string, number> = {};
  let best: { readonly label: string; readonly rates: Rates } | undefined;
  for (const arrangement of arrangements) {
    const { label } = arrangement;
    log?.(`${subject.name}, ${subject.variant}: ${rounds} × ${tasks} tasks, ${label}`);
    const rates = await measureThroughput(arrangement, options);
    tried[label] = Math.round(rates.median);
    if (best === undefined || rates.median > best.rates.median) best = { label, rates };
  }
  if (best === undefined) throw new Error(`${subject.name}: no arrangement to measure`);
  const { label, rates } = best;
  return { ...subject, what: "throughput", ...rates, n: tasks, rounds, arrangement: label, tried };
}

export function roundTripLimits(options: PeerOptions): {
  readonly warmup: number;
  readonly n: number;
  readonly msMax: number;
} {
  const { warmup, roundTrips = ROUND_TRIPS, roundTripMsMax = ROUND_TRIP_MS_MAX } = options;
  return { warmup, n: roundTrips, msMax: roundTripMsMax };
}
