/** All rounds on one engine, and what becomes of them as rows. */
import { audit } from "./audit.ts";
import type { Audit } from "./audit.ts";
import { row } from "./figures.ts";
import type { Row } from "./figures.ts";
import type { Load } from "./load.ts";
import { handOver, killLeader, stopLeader } from "./rounds.ts";
import type { Blow, Round } from "./rounds.ts";
import { typicalTimeline } from "./timeline.ts";
import type { Timeline } from "./timeline.ts";
import { killWorker } from "./worker-rounds.ts";
import { World } from "./world.ts";
import type { Engine } from "./world.ts";

export interface Counts {
  readonly kills: number;
  readonly stops: number;
  readonly handOvers: number;
  readonly workerKills: number;
}

export interface Series {
  readonly engine: Engine;
  readonly version: string;
  readonly seed: number;
  readonly counts: Counts;
  readonly seconds: number;
  readonly rows: readonly Row[];
  /** After a kill of the leader. */
  readonly timeline: Timeline;
  readonly running: number;
  readonly audit: Audit;
  /** Rounds that took long, with what was logged in them. */
  readonly slow: readonly { readonly blow: Blow; readonly lines: readonly string[] }[];
  /** Lines of level "error" of all processes. */
  readonly errors: readonly string[];
}

/** design.md §9. */
const targetsMs = { killed: 500, stopped: 2_500, worker: 1_000 } as const;
const slowMax = 10;

export async function runSeries(
  engine: Engine,
  { seed, counts, log }: { seed: number; counts: Counts; log: (line: string) => void },
): Promise<Series> {
  const began = performance.now();
  await using world = await World.start(engine, seed);
  const excused = new Set<string>();
  const againMs: number[] = [];
  try {
    const kills = await repeat(counts.kills, () => killLeader(world), log);
    const stops = await repeat(counts.stops, () => stopLeader(world), log);
    const handOvers = await repeat(counts.handOvers, () => handOver(world), log);
    for (let i = 0; i < counts.workerKills; i++) {
      const round = await killWorker(world);
      againMs.push(...round.againMs);
      for (const task of round.excused) excused.add(task);
      log(`  ${engine}: worker killed, ${round.againMs.map(whole).join(", ")} ms`);
    }
    log(`  ${engine}: ${world.load.jobs.size} jobs are looked at …`);
    await world.load.stop();
    const rounds = [...kills, ...stops, ...handOvers];
    const slow = rounds.filter(({ lines }) => lines.length > 0).slice(0, slowMax);
    return {
      engine,
      version: world.version,
      seed,
      counts,
      rows: rowsOf(engine, { kills, stops, handOvers, againMs, load: world.load }),
      timeline: typicalTimeline(kills.map(({ timeline }) => timeline)),
      running: kills.reduce((sum, { running }) => sum + running, 0),
      audit: await audit(world, excused),
      slow: slow.map(({ blow, lines }) => ({ blow, lines })),
      errors: world.cluster.errors.slice(0, slowMax),
      seconds: Math.round((performance.now() - began) / 1_000),
    };
  } catch (error) {
    const lines = world.logs.since(Date.now() - 10_000);
    log(lines.map(({ from, fields }) => `${from} ${JSON.stringify(fields)}`).join("\n"));
    throw error;
  }
}

async function repeat(
  count: number,
  round: () => Promise<Round>,
  log: (line: string) => void,
): Promise<Round[]> {
  const rounds: Round[] = [];
  while (rounds.length < count) {
    const one = await round();
    rounds.push(one);
    const { blow, startMs, submitMs } = one;
    log(
      `  ${rounds.length}/${count} ${blow}: start ${whole(startMs)} ms, submit ${whole(submitMs)} ms`,
    );
  }
  return rounds;
}

interface Measured {
  readonly kills: readonly Round[];
  readonly stops: readonly Round[];
  readonly handOvers: readonly Round[];
  readonly againMs: readonly number[];
  readonly load: Load;
}

function rowsOf(engine: Engine, { kills, stops, handOvers, againMs, load }: Measured): Row[] {
  const rows: Row[] = [];
  const add = (what: string, all: readonly number[], targetMs?: number): void => {
    if (all.length > 0) rows.push(row(what, engine, all, targetMs));
  };
  const starts = (rounds: readonly Round[]) => rounds.map(({ startMs }) => startMs);
  const submits = (rounds: readonly Round[]) => rounds.map(({ submitMs }) => submitMs);
  const slowest = (rounds: readonly Round[]) => rounds.map(({ at }) => slowestSubmit(load, at));
  add("leader killed → first new start", starts(kills), targetsMs.killed);
  add("leader killed → first new submit acknowledged", submits(kills));
  add("leader killed: slowest submit meanwhile", slowest(kills));
  add("leader silent → first new start", starts(stops), targetsMs.stopped);
  add("leader silent → first new submit acknowledged", submits(stops));
  add("leader silent: slowest submit meanwhile", slowest(stops));
  add("hand-over asked → first start by the next leader", starts(handOvers));
  add("hand-over: slowest submit meanwhile", slowest(handOvers));
  add("worker killed → its task runs elsewhere", againMs, targetsMs.worker);
  return rows;
}

/** Of all submits that were on their way at the blow, or were sent within a second after it. */
function slowestSubmit({ submits }: Load, at: number): number {
  const met = submits.filter(({ sentAt, ackedAt }) => sentAt < at + 1_000 && ackedAt > at);
  return Math.max(...met.map(({ sentAt, ackedAt }) => ackedAt - sentAt));
}

function whole(value: number): string {
  return String(Math.round(value));
}
