import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, test } from "vitest";
import { connect, defineCommand } from "skein";
import type { Skein } from "skein";
import { readLedger, startsByTask } from "./ledger.ts";
import { between, Load } from "./load.ts";
import { wrongOrLost } from "./outcomes.ts";
import { ProcessCluster } from "./process-cluster.ts";

const counting = defineCommand({
  name: "counting",
  argv: ["sh", "-c", "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.03; done"],
});

/** What a task prints, followed from its first line to its end, over any number of leaders. */
async function follow(skein: Skein): Promise<string[]> {
  const { id } = await skein.submit(counting, null);
  let text = "";
  // Before it is started there is no log to follow.
  while ((await skein.client.task(id, 0)).state !== "running") await sleep(20);
  for await (const record of skein.client.logs(id, 0, { follow: true })) {
    text += Buffer.from(record.bytes).toString();
  }
  return text.split("\n").slice(0, -1);
}

test("leaders are killed and step down under clients: no error, no loss, no repeat, in any stream", async () => {
  await using cluster = await ProcessCluster.start({ workers: 2, cpus: 2, masters: 3 });
  const ledger = join(cluster.dir, "ledger");
  const load = new Load(cluster, { ledger, longMs: 3_000 });
  // It is told of one master only, and learns of the others.
  await using skein = await connect({ url: cluster.url, token: cluster.token });
  onTestFailed(() => console.log(cluster.stderr));
  const printed = follow(skein);
  printed.catch(() => {});
  const faults = ["kill", "step down", "kill", "kill a standby", "kill"];
  for (const fault of faults) {
    await sleep(between(1_000, 2_500));
    const leader = await cluster.leader();
    const [standby] = await cluster.standbys();
    if (fault === "kill") await leader.kill();
    else if (fault === "kill a standby") await standby?.kill();
    else await skein.client.stepDown({});
    await cluster.leader();
    for (const master of cluster.masters) if (!master.lives) await master.restart();
  }
  expect(await printed).toEqual(Array.from({ length: 400 }, (_, i) => `line ${i}`));
  await load.stop();
  expect(load.failures).toEqual([]);

  expect(await wrongOrLost(skein, load)).toEqual([]);
  const runs = readLedger(ledger);
  expect([...startsByTask(runs)].filter(([, count]) => count !== 1)).toEqual([]);
  expect(runs.length).toBe(load.tasks);
  const { term } = (await skein.client.status({ strong: true })).master;
  console.log(`${faults.length} faults, ${term} terms: ${load.tasks} tasks, nothing lost or twice`);
});
