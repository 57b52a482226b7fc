import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ProcessCluster, until } from "./process-cluster.ts";

const mib = 1024 * 1024;

/** Prints what a script of Node says. */
const job = (script: string) => ({
  spec: {
    task: "say",
    code: { kind: "command" as const, argv: [process.execPath, "-e", script] },
  },
  inputs: [1],
});

test("logs of 100 MB, lines of 1 MB and bytes that are no text come back as they were, and nothing stalls", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, masters: 2 });
  await using skein = await cluster.connect();
  const binary = await skein.client.submit(
    job(
      "const b=Buffer.alloc(3e6);for(let i=0;i<b.length;i++)b[i]=(i*7919)>>3;" +
        "process.stdout.write(b,()=>process.stdout.write('\\n'+'y'.repeat(1<<20)+'\\n'))",
    ),
  );
  const huge = await skein.client.submit(
    job("const l='z'.repeat(99)+'\\n';for(let i=0;i<1000;i++)process.stdout.write(l.repeat(1049))"),
  );
  // All the while the leader answers, and no worker is taken for silent.
  let slowestMs = 0;
  let over = false;
  const watching = (async () => {
    while (!over) {
      const began = performance.now();
      await skein.client.status().catch(() => (over = true));
      slowestMs = Math.max(slowestMs, performance.now() - began);
    }
  })();
  for (const { id } of [binary, huge]) {
    await until(async () => (await skein.client.job(id)).ended !== null);
  }
  const ended = performance.now();
  const kept = async (id: string) => {
    const ask = encodeURIComponent(JSON.stringify({ job: id, task: 0, attempt: 1, from: 1e12 }));
    const headers = { authorization: `Bearer ${cluster.token}` };
    const answer = await fetch(`${cluster.url}/v1/peer/logs?ask=${ask}`, { headers });
    return Number(answer.headers.get("skein-log-end") ?? -1);
  };
  await until(async () => (await kept(huge.id)) > 0 && (await kept(binary.id)) > 0);
  const pushedMs = performance.now() - ended;
  over = true;
  await watching;
  await cluster.killWorker("w1");

  const hash = createHash("sha256");
  let bytes = 0;
  for await (const record of skein.client.logs(binary.id, 0)) {
    expect(record.missing).toBe(false);
    hash.update(record.bytes);
    bytes += record.bytes.length;
  }
  const wanted = Buffer.alloc(3e6);
  for (let i = 0; i < wanted.length; i++) wanted[i] = (i * 7919) >> 3;
  const text = `\n${"y".repeat(mib)}\n`;
  expect(bytes).toBe(wanted.length + text.length);
  expect(hash.digest("hex")).toBe(createHash("sha256").update(wanted).update(text).digest("hex"));

  let last = "";
  let all = 0;
  for await (const record of skein.client.logs(huge.id, 0)) {
    all += record.bytes.length;
    last = Buffer.from(record.bytes).toString();
  }
  expect(all).toBeGreaterThan(64 * mib);
  expect(last).toContain("the output was cut here");
  const tail: string[] = [];
  for await (const record of skein.client.logs(huge.id, 0, { tail: 2 })) {
    tail.push(Buffer.from(record.bytes).toString());
  }
  expect(tail.join("")).toContain("the output was cut here");
  expect(cluster.errors).toEqual([]);
  console.log(
    `ended → all pushed: ${Math.round(pushedMs)} ms; slowest answer meanwhile: ${Math.round(slowestMs)} ms`,
  );
});
