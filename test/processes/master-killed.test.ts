import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { readLedger, startsByTask } from "./ledger.ts";
import { between, Load } from "./load.ts";
import { wrongOrLost } from "./outcomes.ts";
import { ProcessCluster } from "./process-cluster.ts";

const kills = 50;

test(`a master killed ${kills} times at any moment loses nothing and restarts no task (P1, P2, P3)`, async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2 });
  const ledger = join(cluster.dir, "ledger");
  const load = new Load(cluster, { ledger, longMs: 5_000 });
  const killedAt: number[] = [];
  const kill = async () => {
    killedAt.push(Date.now());
    await cluster.killMaster();
  };
  while (killedAt.length < kills) {
    await sleep(between(50, 1_000));
    await kill();
    if (between(1, 5) === 1 && killedAt.length < kills) {
      // While it starts: it replays, is elected, hears its workers again.
      cluster.beginMaster();
      await sleep(between(50, 600));
      await kill();
    }
    await cluster.startMaster();
  }
  await load.stop();

  expect(load.failures).toEqual([]);
  await using skein = await cluster.connect();
  expect(await wrongOrLost(skein, load)).toEqual([]);
  // No submit that a client repeated became a second job.
  expect((await skein.client.jobs()).total).toBe(load.jobs.size + load.runs);

  const runs = readLedger(ledger);
  const startedTwice = [...startsByTask(runs)].filter(([, count]) => count !== 1);
  expect(startedTwice).toEqual([]);
  expect(runs.length).toBe(load.tasks);
  const { term } = (await skein.client.status()).master;
  const through = runs.filter(({ startedAt, endedAt = Infinity }) =>
    killedAt.some((at) => startedAt < at && at < endedAt),
  );
  expect(through.length).toBeGreaterThan(0);
  expect(cluster.errors).toEqual([]);
  console.log(
    `${killedAt.length} kills, ${term} terms: ${load.tasks} tasks of ${load.jobs.size + load.runs} jobs ` +
      `acknowledged, each with one right outcome and one start; ${through.length} ran while the master died`,
  );
});
