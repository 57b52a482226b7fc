/**
 * Skein's own figures. Every throughput round checks that each task has one outcome with the right result. All
 * submits and outcomes are fsynced: SQLite, WAL, synchronous=FULL.
 */
import { look, startBenchCluster } from "./cluster.ts";
import { percentile, median } from "./peers/statistics.ts";
import { noop } from "./tasks.ts";

export interface Figures {
  readonly what: string;
  readonly median: number;
  readonly all: readonly number[];
  readonly unit: string;
}

export interface Options {
  readonly tasks: number;
  readonly rounds: number;
  readonly warmup: number;
  readonly log: (line: string) => void;
}

/** No-op tasks a second, from the first submit to the last result at the client. */
export async function throughput(options: Options): Promise<Figures> {
  await using cluster = await startBenchCluster(2);
  await using skein = await cluster.connect();
  const round = async (count: number): Promise<number> => {
    const inputs = Array.from({ length: count }, (_, i) => i);
    const began = performance.now();
    const job = await skein.map(noop, inputs);
    const results = await job.results();
    const rate = (count * 1000) / (performance.now() - began);
    if (results.length !== count) throw new Error(`${results.length} results of ${count} tasks`);
    const wrong = results.findIndex((result, i) => result !== i);
    if (wrong >= 0) throw new Error(`task ${wrong} gave ${results[wrong]}`);
    return rate;
  };
  await round(options.warmup);
  const all: number[] = [];
  for (let i = 0; i < options.rounds; i++) {
    all.push(await round(options.tasks));
    options.log(`  throughput round ${i + 1}: ${Math.round(all.at(-1) ?? 0)} tasks/s`);
  }
  return { what: "throughput", median: median(all), all, unit: "tasks/s" };
}

export interface Latency {
  readonly what: string;
  readonly p50: number;
  readonly p99: number;
  readonly n: number;
  readonly warmup: number;
}

/** One durable task, submit → result at the client, one at a time. */
export async function roundTrip(options: { warmup: number; n: number }): Promise<Latency> {
  await using cluster = await startBenchCluster(1);
  await using skein = await cluster.connect();
  const series = async (count: number): Promise<number[]> => {
    const ms: number[] = [];
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      const result = await skein.run(noop, i);
      ms.push(performance.now() - began);
      if (result !== i) throw new Error(`task ${i} gave ${String(result)}`);
    }
    return ms;
  };
  await series(options.warmup);
  const ms = await series(options.n);
  return {
    what: "round trip",
    p50: percentile(ms, 0.5),
    p99: percentile(ms, 0.99),
    n: ms.length,
    warmup: options.warmup,
  };
}

/** Durable single-task submits a second from `clients` at once; nothing runs. */
export async function submits(options: {
  clients: number;
  n: number;
  warmup: number;
}): Promise<Figures> {
  await using cluster = await startBenchCluster(0);
  await using skein = await cluster.connect();
  const round = async (count: number): Promise<number> => {
    let next = 0;
    const began = performance.now();
    const client = async () => {
      while (next < count) await skein.submit(noop, next++);
    };
    await Promise.all(Array.from({ length: options.clients }, client));
    return (count * 1000) / (performance.now() - began);
  };
  await round(options.warmup);
  const all = [await round(options.n), await round(options.n), await round(options.n)];
  return {
    what: `submits from ${options.clients} clients`,
    median: median(all),
    all,
    unit: "submits/s",
  };
}

export interface Queued {
  readonly what: "queued";
  readonly tasks: number;
  readonly payloadMiB: number;
  readonly submitMs: number;
  readonly beyondPayloadMiB: number;
  readonly bytesPerTask: number;
  readonly stallMaxMs: number;
  readonly stallP999Ms: number;
  readonly coldStartMs: number;
}

/**
 * Many queued tasks: memory beyond their payload; stalls while they are submitted, while snapshots are made of
 * them and the journal is trimmed; cold start with them.
 */
export async function queued(tasks: number): Promise<Queued> {
  await using cluster = await startBenchCluster(0, { SKEIN_SNAPSHOT_BATCHES: "8" });
  let payload = 0;
  function* inputs() {
    for (let i = 0; i < tasks; i++) {
      payload += String(i).length + 1;
      yield i;
    }
  }
  const before = await look(cluster);
  let submitMs: number;
  {
    await using skein = await cluster.connect();
    const began = performance.now();
    const job = await skein.map(noop, inputs());
    submitMs = performance.now() - began;
    const { counts } = await job.view();
    if (counts.ready !== tasks) throw new Error(`${counts.ready} of ${tasks} tasks are ready`);
    // Two snapshots, then the journal is trimmed up to the older one.
    while ((await skein.client.status()).journal.trimmed === 0) await skein.submit(noop, 0);
  }
  const after = await look(cluster);
  const beyond = after.rss - before.rss - payload;
  await cluster.killMaster();
  const coldStartMs = await cluster.startMaster();
  return {
    what: "queued",
    tasks,
    payloadMiB: payload / 2 ** 20,
    submitMs,
    beyondPayloadMiB: beyond / 2 ** 20,
    bytesPerTask: beyond / tasks,
    stallMaxMs: after.stalls.maxMs,
    stallP999Ms: after.stalls.p999Ms,
    coldStartMs,
  };
}
