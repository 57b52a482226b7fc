/**
 * The two measurements, the same for every peer.
 *
 * M1. The clock of a round runs from before the first submit until every outcome is at rest in the
 *     server, not merely until the functions have returned.
 * M2. Every task of warm-up and rounds ran exactly once, or the measurement throws.
 */
import type { WorkerGroup } from "./workers.ts";
import { median, percentile } from "./statistics.ts";
import { checkEachOnce } from "./tally.ts";

/** A way to spread a peer's work over processes. */
export interface Arrangement {
  readonly label: string;
  readonly open: (tasksMax: number) => Promise<Session>;
}

export interface Session extends AsyncDisposable {
  readonly workers: WorkerGroup;
  /** Submits tasks `from` … `to - 1`. */
  readonly submit: (from: number, to: number) => Promise<void>;
  /** Resolves when `total` outcomes are at rest in the server; throws if one failed. */
  readonly settle: (total: number) => Promise<void>;
}

export interface Rates {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export async function measureThroughput(
  arrangement: Arrangement,
  options: { readonly tasks: number; readonly warmup: number; readonly rounds: number },
): Promise<Rates> {
  const { tasks, warmup, rounds } = options;
  const total = warmup + rounds * tasks;
  await using session = await arrangement.open(total);
  const { workers } = session;
  const run = async (from: number, to: number): Promise<number> => {
    const startedMs = performance.now();
    await Promise.all([session.submit(from, to), workers.waitFor(to)]);
    await session.settle(to);
    return ((to - from) * 1_000) / (performance.now() - startedMs);
  };
  if (warmup > 0) await run(0, warmup);
  const rates: number[] = [];
  for (let from = warmup; from < total; from += tasks) rates.push(await run(from, from + tasks));
  checkEachOnce(await workers.readTallies(), total);
  return { median: median(rates), min: Math.min(...rates), max: Math.max(...rates) };
}

export interface RoundTrips {
  readonly p50: number;
  readonly p99: number;
  readonly n: number;
  readonly warmup: number;
}

/** One operation in flight. `call` gives back the result, which must be the index it was given. */
export async function measureRoundTrips(
  call: (index: number) => Promise<unknown>,
  options: { readonly warmup: number; readonly n: number; readonly msMax: number },
): Promise<RoundTrips> {
  let index = 0;
  const series = async (count: number): Promise<readonly number[]> => {
    const latenciesMs: number[] = [];
    const endMs = performance.now() + options.msMax;
    while (latenciesMs.length < count && performance.now() < endMs) {
      const startedMs = performance.now();
      const result = await call(index);
      latenciesMs.push(performance.now() - startedMs);
      if (result !== index) throw new Error(`task ${index} gave ${JSON.stringify(result)}`);
      index += 1;
    }
    return latenciesMs;
  };
  const warmup = (await series(options.warmup)).length;
  const latenciesMs = await series(options.n);
  const p50 = percentile(latenciesMs, 0.5);
  return { p50, p99: percentile(latenciesMs, 0.99), n: latenciesMs.length, warmup };
}
