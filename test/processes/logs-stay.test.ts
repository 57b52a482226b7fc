import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Skein } from "skein";
import { expect, test } from "vitest";
import { ProcessCluster, until } from "./process-cluster.ts";

const job = (script: string, inputs: readonly unknown[]) => ({
  spec: { task: "say", code: { kind: "command" as const, argv: ["sh", "-c", script] } },
  inputs: [...inputs],
});

/** What a log says, and what it says is missing. */
async function read(skein: Skein, id: string, options: { follow?: boolean; tail?: number } = {}) {
  let text = "";
  let missing = "";
  for await (const record of skein.client.logs(id, 0, { attempt: 1, ...options })) {
    if (record.missing) missing += Buffer.from(record.bytes).toString();
    else text += Buffer.from(record.bytes).toString();
  }
  return { text, missing };
}

function onDisk(cluster: ProcessCluster, id: string): string {
  const file = join(cluster.dir, "workers", "w1", "logs", id, "0.1.log");
  return existsSync(file) ? readFileSync(file, "latin1") : "";
}

async function keptBy(cluster: ProcessCluster, id: string): Promise<number> {
  const ask = encodeURIComponent(JSON.stringify({ job: id, task: 0, attempt: 1, from: 0 }));
  const answers = await Promise.all(
    cluster.masters
      .filter(({ lives }) => lives)
      .map(({ url }) =>
        fetch(`${url}/v1/peer/logs?ask=${ask}`, {
          headers: { authorization: `Bearer ${cluster.token}` },
        }),
      ),
  );
  return answers.filter(({ ok }) => ok).length;
}

test("what a task printed is there within a second after its worker was killed, and without the leader too", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, masters: 3 });
  await using skein = await cluster.connect();
  const lines = Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join("");
  const script = 'i=0; while [ $i -lt 50 ]; do echo "line $i"; i=$((i+1)); done; sleep 600';
  const { id } = await skein.client.submit(job(script, [1]));
  const printedAt = performance.now();
  await until(async () => (await keptBy(cluster, id)) >= 2);
  const pushedMs = performance.now() - printedAt;
  await cluster.killWorker("w1");
  const killedAt = performance.now();
  const found = await read(skein, id);
  const readMs = performance.now() - killedAt;
  expect(found.text).toBe(lines);
  expect(found.missing).toContain("may be missing");
  expect(readMs).toBeLessThan(1_000);

  const leader = await cluster.leader();
  await leader.kill();
  await cluster.leader();
  expect((await read(skein, id)).text).toBe(lines);
  expect((await read(skein, id, { tail: 2 })).text).toBe("line 48\nline 49\n");
  const merged = await skein.client.jobLogs(id, { grep: "line 4" });
  expect(merged.items.map(({ text }) => text)).toContain("line 42");
  expect(merged.items).toHaveLength(11);
  console.log(
    `started → on two masters: ${Math.round(pushedMs)} ms; killed → read: ${Math.round(readMs)} ms`,
  );
});

test("a worker that starts again pushes what its predecessor had not pushed", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, masters: 2 });
  await using skein = await cluster.connect();
  const { id } = await skein.client.submit(job("sleep 1; echo late; sleep 600", [1]));
  await until(async () => (await skein.client.task(id, 0)).state === "running");
  // Nobody is there to take it.
  for (const master of cluster.masters) await master.kill();
  await until(() => onDisk(cluster, id).includes("late"));
  await cluster.killWorker("w1");
  await cluster.startMasters();
  cluster.startWorker("w1");
  await until(async () => (await keptBy(cluster, id)) === 2);
  expect((await read(skein, id)).text).toBe("late\n");
});

test("two thousand tasks that print a line each make a few pushes, and every line is kept", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2 });
  await using skein = await cluster.connect();
  const count = 2_000;
  const inputs = Array.from({ length: count }, (_, n) => n);
  const { id } = await skein.client.submit(job("echo here", inputs));
  await until(async () => (await skein.client.job(id)).ended !== null, 120_000);
  const found = new Set<number>();
  await until(async () => {
    let cursor: string | null = null;
    do {
      const page = await skein.client.jobLogs(id, {
        limit: 1_000,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { task } of page.items) found.add(task);
      cursor = page.nextCursor;
    } while (cursor !== null);
    return found.size === count;
  });
});
