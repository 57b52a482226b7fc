/**
 * One round: a cluster under load, blows of some nemeses, peace, and then the question whether every promise was
 * kept. All chance but that of the machine is of the seed.
 */
import { join } from "node:path";
import { cp, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../processes/process-cluster.ts";
import { Random } from "../simulator/random.ts";
import { check } from "./checker.ts";
import { Clients } from "./clients.ts";
import { now, saveHistory } from "./history.ts";
import type { History } from "./history.ts";
import { nemeses } from "./nemeses.ts";
import type { Nemesis, NemesisName } from "./nemeses.ts";
import { readRuns, Recorder } from "./recorder.ts";
import { World } from "./world.ts";
import type { Engine } from "./world.ts";

export interface RoundOptions {
  readonly seed: number;
  /** One blow of each in turn, again and again until the time is over; each strikes at least once. */
  readonly nemeses: readonly NemesisName[];
  readonly seconds: number;
  /** "sqlite" unless set. */
  readonly engine?: Engine;
  readonly masters?: number;
  readonly workers?: number;
  /** Between two things that a client asks, in milliseconds; 5 to 40 unless set. */
  readonly paceMs?: readonly [least: number, most: number];
  /** What is going on, for people who watch. */
  readonly tell?: ((line: string) => void) | undefined;
}

export interface RoundResult {
  readonly violations: readonly string[];
  readonly history: History;
  readonly strikes: number;
  readonly tasks: number;
  readonly terms: number;
  /** Where history and data are kept, when something is wrong. */
  readonly kept: string | undefined;
}

/** From peace until all that was begun has ended: the bound that a broken system reaches. */
const settleMs = 60_000;

export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { seed, engine = "sqlite", masters = 3, workers = 3, tell = () => {} } = options;
  const random = new Random(`chaos ${seed}`);
  const needs: readonly Nemesis[] = options.nemeses.map((name) => nemeses[name]);
  const gated = needs.some(({ gates }) => gates);
  const whims = needs.some((one) => one.whims);
  const env = {
    ...(needs.some(({ silence }) => silence) ? { SKEIN_LOST_AFTER_MS: "5000" } : {}),
    // Masters that start from snapshots, and a journal that is trimmed behind them: in every other round.
    ...(random.chance(0.5) ? { SKEIN_SNAPSHOT_BATCHES: "400" } : {}),
  };
  const size = { engine, masters, workers, gated, whims };
  await using world = await World.start({ ...size, env, tell });
  tell(`a cluster of ${masters} masters in ${world.cluster.dir}`);
  const recorder = new Recorder();
  const log = join(world.cluster.dir, "runs");
  const clients = new Clients({
    connect: (retryMs) => world.connect(retryMs),
    masters: () => world.cluster.urls,
    token: world.cluster.token,
    recorder,
    random: random.fork("clients"),
    log,
    longMs: 3_000,
    paceMs: options.paceMs ?? [5, 40],
  });
  const troubles: string[] = [];
  const strikes = await strike(world, random.fork("nemeses"), options).catch((error: unknown) => {
    troubles.push(`P6: a nemesis could not go on: ${String(error)}`);
    return 0;
  });
  await world.heal();
  tell("healed");
  const settled = await settle(world, clients, troubles);
  for (const trouble of troubles) tell(trouble);
  const history: History = {
    seed,
    nemesis: options.nemeses.join(","),
    settled,
    operations: recorder.operations,
    runs: readRuns(log),
    harms: world.harms,
    batches: await world.journal.finish().catch((error: unknown) => {
      troubles.push(`P5: the journal cannot be read to its end: ${String(error)}`);
      return world.journal.batches;
    }),
  };
  const violations = [...troubles, ...check(history)];
  const kept = violations.length > 0 ? await keep(world, history) : undefined;
  const terms = history.batches.at(-1)?.term ?? 0;
  return { violations, history, strikes, tasks: clients.asked, terms, kept };
}

async function strike(world: World, random: Random, options: RoundOptions): Promise<number> {
  const endAt = now() + options.seconds * 1_000;
  let strikes = 0;
  while (strikes < options.nemeses.length || now() < endAt) {
    await sleep(random.between(300, 1_200));
    const name = options.nemeses[strikes++ % options.nemeses.length];
    if (name === undefined) break;
    const nemesis: Nemesis = nemeses[name];
    options.tell?.(`${name}: ${nemesis.text}`);
    await nemesis.strike(world, random);
  }
  return strikes;
}

/** Waits until every client has its answer and every job has ended; says so when that takes too long (P6). */
async function settle(world: World, clients: Clients, troubles: string[]): Promise<boolean> {
  const stopped = clients.stop().then(() => true);
  // Waits for nothing when the clients are done in time.
  const late = sleep(settleMs, false, { ref: false });
  const answered = await Promise.race([stopped, late]);
  if (!answered) {
    troubles.push(`P6: clients wait for answers ${settleMs} ms after all was healed`);
    await clients.abandon();
  }
  try {
    await using skein = await world.connect(10_000);
    await until(async () => (await skein.client.status()).jobs.unfinished === 0, settleMs);
  } catch (error) {
    troubles.push(`P6: jobs have not ended ${settleMs} ms after all was healed: ${String(error)}`);
  }
  return true;
}

/** History, data and what the processes said, where they outlive the round. */
async function keep(world: World, history: History): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), `skein-chaos-${history.seed}-`));
  saveHistory(join(dir, "history.jsonl"), history);
  await writeFile(join(dir, "stderr"), world.said.join(""));
  await cp(world.cluster.dir, join(dir, "data"), { recursive: true });
  return dir;
}
