// Processes that come in the wrong place, at the wrong time, twice, or go without a word.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Skein } from "skein";
import { ProcessCluster, until } from "../processes/process-cluster.ts";
import { square } from "./fault-tasks.ts";
import { Said, at, skein as run } from "./tools.ts";

let cluster: ProcessCluster;
let skein: Skein;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "skein-second-"));
  cluster = await ProcessCluster.start({ workers: 1, cpus: 2 });
  skein = await cluster.connect();
});
afterAll(async () => {
  await skein.close();
  await cluster[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function ends(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const said = new Said(args, env);
  const code = await said.ended(20_000);
  return { code, stderr: said.stderr };
}

test("a port in use: the master says so, and which option chooses another", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await ends(["master", "--data", folder, "--port", String(port)]);
  expect(stderr).toMatch(new RegExp(`Port ${port} on 127.0.0.1 is in use[^]*--port`));
  expect(code).toBe(5);
  other.close();
});

test("a second master in a data directory names the first, which works on", async () => {
  const { code, stderr } = await ends(["master", "--data", cluster.dir, "--port", "0"]);
  expect(stderr).toContain(`process ${cluster.master.pid}`);
  expect(code).toBe(5);
  expect(await skein.run(square, 3)).toBe(9);
});

test("a master goes nowhere beyond loopback (D2)", async () => {
  const args = ["master", "--data", folder, "--port", "0", "--host", "0.0.0.0"];
  const { code, stderr } = await ends(args);
  expect(stderr).toMatch(/no TLS yet[^]*ssh tunnel/);
  expect(code).toBe(2);
});

test("a data directory where none can be made: no hang, and the path is named", async () => {
  for (const path of ["/proc/1/nowhere", "/etc/passwd/below"]) {
    const { code, stderr } = await ends(["master", "--data", path, "--port", "0"]);
    expect(stderr).toContain(path);
    expect(code).toBe(2);
  }
});

test("a second worker in one directory is refused at once", async () => {
  const args = ["worker", "--data", cluster.dir, "--id", "w1", "--log-format", "text"];
  const { code, stderr } = await ends(args, at(cluster));
  expect(stderr).toContain(`process ${cluster.worker("w1").pid}`);
  expect(code).toBe(5);
});

test("two workers alive with one id, elsewhere: one is told both addresses, tasks go on (W10)", async () => {
  const args = ["worker", "--data", folder, "--id", "w1", "--log-format", "text"];
  const twin = new Said(args, at(cluster));
  const first = cluster.worker("w1");
  const oneEnds = until(() => [first, twin.child].some(({ exitCode }) => exitCode !== null));
  await oneEnds;
  const words = twin.child.exitCode === null ? cluster.stderr : twin.stderr;
  expect(words).toMatch(/worker_id_in_use[^]*127\.0\.0\.1:\d+ and at 127\.0\.0\.1:\d+/);
  expect(await skein.run(square, 4)).toBe(16);
  twin.child.kill("SIGKILL");
  await twin.ended();
  if (first.exitCode !== null) cluster.startWorker("w1");
  await cluster.workersActive(1);
});

test("a worker with a wrong token ends, and says what opens the door", async () => {
  const env = { SKEIN_URL: cluster.url, SKEIN_TOKEN: "nonsense" };
  const args = ["worker", "--data", folder, "--id", "stranger", "--log-format", "text"];
  const { code, stderr } = await ends(args, env);
  expect(stderr).toContain("token is not this cluster's");
  expect(stderr).toContain("SKEIN_TOKEN");
  expect(code).toBe(4);
});

test("a worker that reaches nobody says so, and goes on trying", async () => {
  const env = { SKEIN_URL: "http://127.0.0.1:1", SKEIN_TOKEN: "any" };
  const worker = new Said(["worker", "--data", folder, "--id", "lonely"], env);
  await worker.says(/a master does not answer[^]*ECONNREFUSED/);
  expect(worker.child.exitCode).toBeNull();
  worker.child.kill("SIGTERM");
  expect(await worker.ended(15_000)).toBe(0);
});

test.each([
  ["--id", "a/../b"],
  ["--label", "two words=x"],
  ["--cpus", "many"],
])("a worker with %s %s is told so before it starts", async (option, value) => {
  const args = ["worker", "--data", folder, ...(option === "--id" ? [] : ["--id", "odd"])];
  const { code, stderr } = await ends([...args, option, value], at(cluster));
  expect(stderr).toMatch(/error: [^]*fix/);
  expect(code).toBe(2);
});

test("a client that dies half-way through an open job: what it sent is kept, the job is open", async () => {
  const program = fileURLToPath(new URL("dying-client.ts", import.meta.url));
  const { spawn } = await import("node:child_process");
  const client = spawn("node", ["--import", "tsx", program], {
    env: { ...process.env, ...at(cluster) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [id] = (await once(client.stdout.setEncoding("utf8"), "data")) as [string];
  const job = skein.job(id.trim());
  await until(async () => (await job.view()).tasks > 0);
  client.kill("SIGKILL");
  await once(client, "exit");
  const { tasks } = await job.view();
  await until(async () => (await job.view()).counts.succeeded === tasks);
  const { stderr } = await run(cluster, "results", job.id);
  expect(stderr).toContain("is open");
  await job.cancel();
  expect(await job.wait({ timeout: "20s" })).toMatchObject({ state: "cancelled" });
});

test("run: output, stderr and exit code come through, however short the command", async () => {
  for (let i = 0; i < 10; i++) {
    const { child, stdout } = await run(cluster, "run", "--", "sh", "-c", `echo hi ${i}; exit 3`);
    expect([stdout, child.exitCode]).toEqual([`hi ${i}\n`, 3]);
  }
  const both = await run(cluster, "run", "--", "sh", "-c", "echo out; echo err >&2; kill -9 $$");
  expect(both.stdout).toBe("out\n");
  expect(both.stderr).toContain("err\n");
  expect(both.child.exitCode).toBe(137);
});

test("run: a first Ctrl-C cancels, a second leaves a command that will not end", async () => {
  const command = "trap '' TERM INT; echo started; while :; do sleep 1; done";
  const said = new Said(["run", "--", "sh", "-c", command], at(cluster));
  await said.says(/started/);
  said.child.kill("SIGINT");
  await said.says(/Cancelling job [0-9a-f]+.*Ctrl-C again/);
  said.child.kill("SIGINT");
  expect(await said.ended()).toBe(130);
  const { items } = await skein.client.jobs({ limit: 1 });
  expect((await skein.job(items[0]?.id ?? "").wait({ timeout: "20s" })).state).toBe("cancelled");
});

test("map: Ctrl-C stops watching and says how to go on; the job goes on", async () => {
  const module = fileURLToPath(new URL("fault-tasks.ts", import.meta.url));
  const said = new Said(["map", `${module}#endless`, "--input", "1..4"], at(cluster));
  await until(async () => (await skein.client.jobs({ limit: 1 })).items[0]?.task === "endless");
  const { items } = await skein.client.jobs({ limit: 1 });
  const job = skein.job(items[0]?.id ?? "");
  await until(async () => (await job.view()).counts.assigned > 0);
  said.child.kill("SIGINT");
  expect(await said.ended()).toBe(130);
  expect(said.stderr).toMatch(/goes on[^]*skein results .*[^]*skein job cancel/);
  expect((await job.view()).state).toBe("running");
  await job.cancel();
  expect((await job.wait({ timeout: "20s" })).state).toBe("cancelled");
});

test("results | head: the first line, no error, no wait", async () => {
  const job = await skein.map(
    square,
    Array.from({ length: 50_000 }, (_, i) => i),
  );
  await job.wait();
  const said = new Said(["results", job.id], at(cluster));
  said.child.stdout?.once("data", () => said.child.stdout?.destroy());
  expect(await said.ended()).toBe(141);
  expect(said.stderr).toBe("");
});

test("without a terminal nothing is coloured and nothing is drawn", async () => {
  const { stdout, stderr } = await run(cluster, "status");
  expect(stdout + stderr).not.toContain("\u001b");
});
