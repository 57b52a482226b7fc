/** A leader dies between the upload of a result and the record of the outcome that names it, and its payloads with it. */
import { DatabaseSync } from "@photostructure/sqlite";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFailed, test } from "vitest";
import type { Skein } from "skein";
import { gatedLarge, gatedOutput } from "./ledger-tasks.ts";
import { readLedger } from "./ledger.ts";
import { ProcessCluster, until } from "./process-cluster.ts";

test("a large result whose only copy died with the leader is brought by its worker; nothing runs again (A1, P3)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1 });
  onTestFailed(() => console.log(cluster.stderr));
  await using skein = await cluster.connect();
  const { ledger, gate } = at(cluster);
  const task = await skein.submit(gatedLarge, { gate, ledger });
  await loseAfterUpload(cluster);

  await cluster.startMaster();
  expect(await task.result()).toBe("large ".repeat(50_000));
  expect(readLedger(ledger).length).toBe(1);
  await until(() => keptBy(cluster).length === 0);
});

test("so is a command's output (K11)", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1 });
  onTestFailed(() => console.log(cluster.stderr));
  await using skein = await cluster.connect();
  const { ledger, gate } = at(cluster);
  const task = await skein.submit(gatedOutput, { gate, ledger });
  await loseAfterUpload(cluster);

  await cluster.startMaster();
  const { outputs } = (await task.result()) as Outputs;
  expect(await textOf(skein, outputs["film"]?.hash ?? "")).toBe("frame ".repeat(50_000));
  expect(readLedger(ledger).length).toBe(1);
});

test("also when the worker died too: its next life brings what the one before it kept", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1 });
  onTestFailed(() => console.log(cluster.stderr));
  await using skein = await cluster.connect();
  const { ledger, gate } = at(cluster);
  const task = await skein.submit(gatedLarge, { gate, ledger });
  await loseAfterUpload(cluster);
  await cluster.killWorker("w1");

  await cluster.startMaster();
  cluster.startWorker("w1");
  expect(await task.result()).toBe("large ".repeat(50_000));
  expect(readLedger(ledger).length).toBe(1);
});

interface Outputs {
  readonly outputs: Readonly<Record<string, { readonly hash: string }>>;
}

function at(cluster: ProcessCluster): { readonly ledger: string; readonly gate: string } {
  return { ledger: join(cluster.dir, "ledger"), gate: join(cluster.dir, "gate") };
}

/**
 * Opens the gate while nobody may write to the journal: the payload is stored, its outcome is not. Then the master is
 * killed, and its payloads are gone.
 */
async function loseAfterUpload(cluster: ProcessCluster): Promise<void> {
  const { ledger, gate } = at(cluster);
  await until(() => readLedger(ledger).length === 1);
  const payloads = join(cluster.masters[0]?.own ?? "", "payloads");
  const before = new Set(storedIn(payloads));
  const journal = new DatabaseSync(join(cluster.dir, "journal.db"), { timeout: 10_000 });
  try {
    journal.exec("BEGIN IMMEDIATE");
    writeFileSync(gate, "");
    await until(() => storedIn(payloads).some((name) => !before.has(name)));
    // What is not recorded goes to the spool: so the upload was answered, and the report made.
    await until(() => existsSync(join(cluster.dir, "workers", "w1", "spool.skein")));
    await cluster.killMaster();
    rmSync(payloads, { recursive: true });
    journal.exec("ROLLBACK");
  } finally {
    journal.close();
  }
}

function storedIn(payloads: string): string[] {
  const names = readdirSync(payloads, { recursive: true, withFileTypes: true });
  return names.filter((one) => one.isFile() && one.name.length > 65).map(({ name }) => name);
}

function keptBy(cluster: ProcessCluster): string[] {
  return readdirSync(join(cluster.dir, "workers", "w1", "results"));
}

async function textOf(skein: Skein, hash: string): Promise<string> {
  return Buffer.from(await skein.client.payload(hash)).toString("utf8");
}
