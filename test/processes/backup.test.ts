import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Said } from "../faults/tools.ts";
import { gated, large, resultOf, work } from "./ledger-tasks.ts";
import { readLedger } from "./ledger.ts";
import { wrongOutcomes } from "./outcomes.ts";
import { ProcessCluster, until } from "./process-cluster.ts";

async function ends(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const said = new Said(args, env);
  const code = await said.ended();
  return { code, stdout: said.stdout, stderr: said.stderr };
}

test("a cluster is packed while it works, and goes on elsewhere under a new journal id", async () => {
  const env = () => ({ SKEIN_SNAPSHOT_BATCHES: "40" });
  await using cluster = await ProcessCluster.start({ workers: 1, cpus: 2, masters: 2, env });
  await using skein = await cluster.connect();
  const ledger = join(cluster.dir, "ledger");
  const inputs = Array.from({ length: 300 }, (_, n) => ({ n, ms: 0, ledger }));
  const jobs = [];
  for (let i = 0; i < 30; i++) jobs.push(await skein.map(work, inputs.slice(i * 10, i * 10 + 10)));
  for (const job of jobs) await job.results();
  const stored = await skein.submit(large, 7);
  await stored.result();
  const gate = join(cluster.dir, "gate");
  const waits = await skein.submit(gated, { gate, ledger });
  await until(() => readLedger(ledger).some(({ task }) => task === `${waits.id}/0`));

  const file = join(cluster.dir, "cluster.backup");
  const at = { SKEIN_URL: cluster.urls.join(","), SKEIN_TOKEN: cluster.token };
  const backup = await ends(["backup", file, "--json"], at);
  expect(backup).toMatchObject({ code: 0 });
  const { journalId, lacks } = JSON.parse(backup.stdout) as Record<string, unknown>;
  expect(lacks).toEqual([]);
  expect(existsSync(`${file}.parts`)).toBe(false);

  const dir = join(cluster.dir, "restored");
  const restored = await ends(["restore", file, "--data", dir, "--json"]);
  expect(restored).toMatchObject({ code: 0 });
  const made = JSON.parse(restored.stdout) as { journalId: string; from: { journalId: string } };
  expect(made.from.journalId).toBe(journalId);
  expect(made.journalId).not.toBe(journalId);
  expect((await ends(["restore", file, "--data", dir])).stderr).toContain("is not empty");

  await using next = await ProcessCluster.start({ workers: 0, dir });
  await using again = await next.connect();
  for (const [i, job] of jobs.entries()) {
    expect(await wrongOutcomes(again, job.id, inputs.slice(i * 10, i * 10 + 10))).toEqual([]);
  }
  expect(await again.client.task(stored.id, 0)).toMatchObject({ state: "succeeded" });
  const lines = [];
  for await (const line of again.client.results(stored.id)) lines.push(line);
  expect(lines).toEqual([JSON.stringify("7".repeat(100_000))]);
  // What ran there runs here once a worker comes: that of the old cluster does not.
  next.startWorker("w1");
  writeFileSync(`${gate}.1`, "");
  writeFileSync(`${gate}.2`, "");
  expect(await again.job(waits.id).results()).toEqual([expect.stringMatching(/^attempt/)]);
  expect(await again.run(work, { n: 5, ms: 0, ledger })).toBe(resultOf({ n: 5, ms: 0 }));
});

test("a backup with one wrong byte, or cut, is refused, and nothing is left of it", async () => {
  await using cluster = await ProcessCluster.start({ workers: 0 });
  const file = join(cluster.dir, "small.backup");
  const at = { SKEIN_URL: cluster.url, SKEIN_TOKEN: cluster.token };
  expect(await ends(["backup", file], at)).toMatchObject({ code: 0 });
  const bytes = readFileSync(file);
  const wrong = join(cluster.dir, "wrong.backup");
  const dir = join(cluster.dir, "restored");
  const places = [3, 20, bytes.length >> 1, bytes.length - 40];
  for (const place of [...places, bytes.length - 1]) {
    copyFileSync(file, wrong);
    const copy = Buffer.from(bytes);
    copy[place] = (copy[place] ?? 0) ^ 1;
    writeFileSync(wrong, copy);
    const { code, stderr } = await ends(["restore", wrong, "--data", dir]);
    expect(stderr).toContain("cannot be used");
    expect(code).toBe(5);
    expect(existsSync(join(dir, "masters"))).toBe(false);
  }
  writeFileSync(wrong, bytes.subarray(0, bytes.length - 100));
  expect((await ends(["restore", wrong, "--data", dir])).stderr).toContain("ends too early");
  rmSync(wrong);
  expect(await ends(["restore", file, "--data", dir])).toMatchObject({ code: 0 });
});
