import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, test, expect } from "vitest";
import { loadTasks } from "../sdk/index.ts";
import type { Task } from "../sdk/index.ts";
import { startTestCluster } from "./cluster.ts";

/** Tasks are modules of their own: what a slot loads is bundled from a file. */
async function squareTask(): Promise<Task<number, number>> {
  const dir = await mkdtemp(join(tmpdir(), "skein-task-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, "square.mjs");
  await writeFile(
    file,
    `import { defineTask } from "skein";
     export const square = defineTask({ name: "square", run: (n) => n * n });`,
  );
  const task = (await loadTasks(file)).get("square");
  if (!task) throw new Error("the module exports no square");
  return task as Task<number, number>;
}

test("a test cluster maps over inputs and gives results in their order", async () => {
  const cluster = await startTestCluster();
  onTestFinished(() => cluster[Symbol.asyncDispose]());
  const job = await cluster.skein.map(await squareTask(), [1, 2, 3]);
  expect(await job.results()).toEqual([1, 4, 9]);
});

test("tasks of a test cluster are spread over its workers", async () => {
  const cluster = await startTestCluster({ workers: 2, cpus: 1 });
  onTestFinished(() => cluster[Symbol.asyncDispose]());
  const job = await cluster.skein.map(
    await squareTask(),
    Array.from({ length: 100 }, (_, i) => i),
  );
  expect(await job.results()).toHaveLength(100);
  const { items } = await cluster.skein.client.workers();
  expect(items.map(({ id }) => id).toSorted()).toEqual(["worker-1", "worker-2"]);
});

test("a second test cluster beside the first knows nothing of its jobs", async () => {
  const first = await startTestCluster();
  onTestFinished(() => first[Symbol.asyncDispose]());
  const second = await startTestCluster();
  onTestFinished(() => second[Symbol.asyncDispose]());
  await (await first.skein.map(await squareTask(), [1])).results();
  expect((await second.skein.client.jobs()).total).toBe(0);
  expect((await first.skein.client.jobs()).total).toBe(1);
});
