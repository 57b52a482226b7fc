import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { work } from "./ledger-tasks.ts";
import { readLedger } from "./ledger.ts";
import { between, Load } from "./load.ts";
import { wrongOutcomes } from "./outcomes.ts";
import { ProcessCluster, processesIn, until } from "./process-cluster.ts";

test("everything killed at once and started again: all acknowledged work is done (P1, P2)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2 });
  const ledger = join(cluster.dir, "ledger");
  const load = new Load(cluster, { ledger, longMs: 5_000 });
  const times = 4;
  for (let time = 0; time < times; time++) {
    await sleep(between(500, 1_500));
    await cluster.killAll();
    await until(() => processesIn(cluster.dir).length === 0);
    await cluster.startMaster();
    for (const id of ["w1", "w2"]) cluster.startWorker(id);
    await cluster.workersActive(2);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  await using skein = await cluster.connect();
  const wrong: string[] = [];
  for (const [id, inputs] of load.jobs) wrong.push(...(await wrongOutcomes(skein, id, inputs)));
  expect(wrong).toEqual([]);
  expect((await skein.client.jobs()).total).toBe(load.jobs.size + load.runs);
  const runs = readLedger(ledger);
  expect(new Set(runs.map(({ task, attempt }) => `${task} ${attempt}`)).size).toBe(runs.length);
  console.log(
    `all killed ${times} times: ${load.tasks} tasks, each with one right outcome; ` +
      `${runs.length - load.tasks} of them started again`,
  );
});

test("a master that ends on SIGTERM and starts again: nothing is lost or restarted (P3)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2 });
  await using skein = await cluster.connect();
  const ledger = join(cluster.dir, "ledger");
  const inputs = Array.from({ length: 8 }, (_, n) => ({ n, ms: 1_000, ledger }));
  const job = await skein.map(work, inputs);
  await until(() => readLedger(ledger).length > 0);
  expect(await cluster.stopMaster()).toBe(0);
  // Workers go on while there is none.
  const before = readLedger(ledger).length;
  await until(() => readLedger(ledger).filter(({ endedAt }) => endedAt).length >= before);
  await cluster.startMaster();
  await job.results();
  expect(await wrongOutcomes(skein, job.id, inputs)).toEqual([]);
  expect(
    readLedger(ledger)
      .map(({ task }) => task)
      .toSorted(),
  ).toEqual(inputs.map(({ n }) => `${job.id}/${n}`));
  expect((await job.view()).attemptsLost).toBe(0);
});

test("a worker that died while there was no master is lost soon after there is one (P4)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2 });
  await using skein = await cluster.connect();
  const ledger = join(cluster.dir, "ledger");
  const inputs = Array.from({ length: 4 }, (_, n) => ({ n, ms: 2_000, ledger }));
  const job = await skein.map(work, inputs);
  await until(() => readLedger(ledger).length === 4);
  await cluster.killMaster();
  await cluster.killWorker("w1");
  await cluster.startMaster();
  const began = Date.now();
  await job.results();
  expect(await wrongOutcomes(skein, job.id, inputs)).toEqual([]);
  const again = readLedger(ledger).filter(({ attempt }) => attempt > 1);
  expect(again.map(({ worker }) => worker)).toEqual(["w2", "w2"]);
  const ms = Math.max(...again.map(({ startedAt }) => startedAt - began));
  // Silence alone would take 15 s.
  expect(ms).toBeLessThan(10_000);
  console.log(
    `a worker died without a master: its tasks run elsewhere ${ms} ms after there is one`,
  );
});
