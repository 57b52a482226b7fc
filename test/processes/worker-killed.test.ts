import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobHandle, Skein } from "skein";
import { expect, test } from "vitest";
import { deadly, family, gated } from "./ledger-tasks.ts";
import { readLedger } from "./ledger.ts";
import type { Run } from "./ledger.ts";
import { between, Load } from "./load.ts";
import { wrongOutcomes } from "./outcomes.ts";
import { descendantsOf, isAlive, ProcessCluster, processesIn, until } from "./process-cluster.ts";

const rounds = 5;

test("a killed worker's tasks start elsewhere, and no process of it is left (P4, W7)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2 });
  await using skein = await cluster.connect();
  const ledger = join(cluster.dir, "ledger");
  const elsewhereMs: number[] = [];
  const goneMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const gate = join(cluster.dir, `gate-${round}`);
    const task = await skein.submit(gated, { gate, ledger });
    const families = await skein.map(family, [1, 2]);
    const first = await started(ledger, task.id, 1);
    const folder = join(cluster.dir, "workers", first.worker);
    await until(() => processesIn(folder).length >= familySize);
    const pid = cluster.worker(first.worker).pid ?? 0;
    const doomed = new Set([...descendantsOf(pid), ...processesIn(folder)]);

    const killedAt = Date.now();
    await cluster.killWorker(first.worker);
    await until(() => ![...doomed].some(isAlive), 10_000);
    goneMs.push(Date.now() - killedAt);
    const second = await started(ledger, task.id, 2);
    elsewhereMs.push(second.startedAt - killedAt);
    expect(second.worker).not.toBe(first.worker);

    writeFileSync(`${gate}.2`, "");
    expect(await task.result()).toBe("attempt 2");
    const { attempts } = await skein.client.task(task.id, 0);
    expect(attempts.map(({ state, worker }) => `${state} on ${worker}`)).toEqual([
      `lost on ${first.worker}`,
      `succeeded on ${second.worker}`,
    ]);
    await families.cancel();
    cluster.startWorker(first.worker);
    await cluster.workersActive(2);
  }
  expect(Math.max(...elsewhereMs)).toBeLessThan(10_000);
  console.log(
    `worker killed → its task runs elsewhere: ${median(elsewhereMs)} ms (${elsewhereMs.join(", ")}); ` +
      `all its processes gone: ${median(goneMs)} ms (${goneMs.join(", ")})`,
  );
});

test("workers killed again and again under load: every task has one right outcome (P1, P2, P4)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2 });
  const ledger = join(cluster.dir, "ledger");
  const load = new Load(cluster, { ledger, longMs: 1_500 });
  const kills = 10;
  for (let kill = 0; kill < kills; kill++) {
    await sleep(between(100, 1_500));
    const id = `w${between(1, 2)}`;
    await cluster.killWorker(id);
    cluster.startWorker(id);
    await cluster.workersActive(2);
    // A task that loses three workers is poison (W9): none of these shall lose more than one.
    await load.passed();
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  await using skein = await cluster.connect();
  const wrong: string[] = [];
  let lost = 0;
  for (const [id, inputs] of load.jobs) {
    wrong.push(...(await wrongOutcomes(skein, id, inputs)));
    lost += (await skein.client.job(id)).attemptsLost;
  }
  expect(wrong).toEqual([]);
  const runs = readLedger(ledger);
  // An attempt starts at most once, whatever happens; a task may start more often (P2).
  const attempts = new Set(runs.map(({ task, attempt }) => `${task} ${attempt}`));
  expect(attempts.size).toBe(runs.length);
  expect(new Set(runs.map(({ task }) => task)).size).toBe(load.tasks);
  expect(cluster.errors).toEqual([]);
  console.log(
    `${kills} kills: ${load.tasks} tasks, ${lost} attempts lost with their worker, ` +
      `${runs.length - load.tasks} started again`,
  );
});

test("a paused worker is suspect, and when it is heard again its task has not been restarted (W4)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, cpus: 2 });
  await using skein = await cluster.connect();
  const ledger = join(cluster.dir, "ledger");
  const gate = join(cluster.dir, "gate");
  const task = await skein.submit(gated, { gate, ledger });
  await started(ledger, task.id, 1);
  cluster.startWorker("w2");
  await cluster.workersActive(2);

  cluster.worker("w1").kill("SIGSTOP");
  await until(async () => (await stateOf("w1")) === "suspect");
  cluster.worker("w1").kill("SIGCONT");
  await until(async () => (await stateOf("w1")) === "active");
  writeFileSync(`${gate}.1`, "");
  expect(await task.result()).toBe("attempt 1");
  expect(readLedger(ledger).length).toBe(1);

  async function stateOf(id: string): Promise<string | undefined> {
    return (await skein.client.workers()).items.find((one) => one.id === id)?.state;
  }
});

const lostSoon = () => ({ SKEIN_LOST_AFTER_MS: "4000" });

test("a late success of a lost worker is the outcome, and the attempt that took its place ends (K5)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, cpus: 2, env: lostSoon });
  await using skein = await cluster.connect();
  const { task, gate, ledger } = await startTwice(cluster, skein, { fenced: false });
  writeFileSync(`${gate}.1`, "");
  cluster.worker("w1").kill("SIGCONT");
  expect(await task.result()).toBe("attempt 1");
  await until(async () => {
    const { items } = await skein.client.workers();
    return items.every(({ assigned, connected }) => assigned === 0 && connected);
  });
  // What comes later changes nothing.
  writeFileSync(`${gate}.2`, "");
  await skein
    .map(
      gated,
      [1, 2, 3, 4].map(() => ({ gate, ledger })),
    )
    .then((job) => job.results());
  expect(await outcomesOf(task.job)).toEqual([["succeeded", 1, "attempt 1"]]);
});

test("a fenced task takes the success of its latest attempt only (K5)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, cpus: 2, env: lostSoon });
  await using skein = await cluster.connect();
  const { task, gate, ledger } = await startTwice(cluster, skein, { fenced: true });
  writeFileSync(`${gate}.1`, "");
  await until(() => readLedger(ledger).some(({ attempt, endedAt }) => attempt === 1 && endedAt));
  cluster.worker("w1").kill("SIGCONT");
  await cluster.workersActive(2);
  // Its late report came before its registration was answered, and was not taken.
  expect((await task.job.view()).state).toBe("running");
  writeFileSync(`${gate}.2`, "");
  expect(await task.result()).toBe("attempt 2");
  expect(await outcomesOf(task.job)).toEqual([["succeeded", 2, "attempt 2"]]);
});

test("a task that kills three workers is poison, and kills no fourth (W9)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 4, cpus: 1 });
  await using skein = await cluster.connect();
  const ledger = join(cluster.dir, "ledger");
  const task = await skein.submit(deadly, ledger);
  const outcome = await task.outcome();
  expect(outcome).toMatchObject({ state: "failed", reason: "poison" });
  const workers = readLedger(ledger).map(({ worker }) => worker);
  expect(new Set(workers).size).toBe(3);
  expect(workers.length).toBe(3);
  const { items } = await skein.client.workers();
  expect(items.filter(({ state }) => state === "active").length).toBe(1);
});

/** A task whose first worker, w1, was paused until it was lost, and that runs on w2 as well. */
async function startTwice(
  cluster: ProcessCluster,
  skein: Skein,
  { fenced }: { readonly fenced: boolean },
) {
  const ledger = join(cluster.dir, "ledger");
  const gate = join(cluster.dir, "gate");
  const task = await skein.submit(gated, { gate, ledger }, { fenced });
  await started(ledger, task.id, 1);
  cluster.startWorker("w2");
  await cluster.workersActive(2);
  cluster.worker("w1").kill("SIGSTOP");
  const second = await started(ledger, task.id, 2);
  expect(second.worker).toBe("w2");
  const { items } = await skein.client.workers();
  expect(items.find(({ id }) => id === "w1")?.state).toBe("lost");
  return { task, ledger, gate };
}

/** All recorded outcomes: state, attempt, and the value or why there is none. */
async function outcomesOf(job: JobHandle<string>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const one of job.outcomes()) {
    all.push([one.state, one.attempt, one.state === "succeeded" ? one.value : one.reason]);
  }
  return all;
}

/** The shell, a child, a grandchild, a daemon, and the sleep it waits for. */
const familySize = 5;

async function started(ledger: string, job: string, attempt: number): Promise<Run> {
  let found: Run | undefined;
  await until(() => {
    found = readLedger(ledger).find((run) => run.task === `${job}/0` && run.attempt === attempt);
    return found !== undefined;
  });
  if (!found) throw new Error("unreachable");
  return found;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
