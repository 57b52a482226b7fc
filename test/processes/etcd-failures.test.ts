// What the etcd engine does when etcd is killed, paused, full, closed to it, or not etcd at all.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { fill, nextBatch, patiently } from "../../src/journal/batches.fixture.ts";
import { openEtcdJournal, type EtcdJournal } from "../../src/journal/etcd.ts";
import { methods, opPut, txn } from "../../src/journal/etcd/messages.ts";
import { EngineUnavailable } from "../../src/journal/unavailable.ts";
import { EtcdCluster, type EtcdClusterOptions } from "../tools/etcd.ts";
import { findEtcd, howToGetEtcd } from "../tools/find-etcd.ts";
import { admin } from "./etcd-admin.ts";
import { makeCertificates } from "./etcd-certificates.ts";
import { Race, readAll } from "./etcd-race.ts";
import { until } from "./process-cluster.ts";

const found = findEtcd();
if (found === undefined) console.warn(`SKIPPED, no etcd here: ${howToGetEtcd}`);
const certificates = makeCertificates();
if (!certificates) console.warn("SKIPPED, no openssl here to make certificates with");

async function start(options?: EtcdClusterOptions): Promise<EtcdCluster> {
  const etcd = await EtcdCluster.start(options);
  onTestFinished(() => etcd[Symbol.asyncDispose]());
  return etcd;
}

async function open(url: string, more: { journalId?: string; callMs?: number } = {}) {
  const journal = await openEtcdJournal({ url, ...more });
  onTestFinished(() => journal[Symbol.asyncDispose]());
  return journal;
}

describe.skipIf(found === undefined)("etcd in trouble (skipped without an etcd)", () => {
  it("each index has one winner and nothing is lost while members die, freeze and hand over", async ({
    annotate,
  }) => {
    const etcd = await start();
    const url = etcd.url("/skein");
    const journals = await Promise.all([open(url), open(url), open(url)]);
    let rings = 0;
    onTestFinished(journals[0].follow(() => rings++));
    const race = new Race(journals);
    const goesOn = async () => {
      const goal = race.won.size + 20;
      await until(() => race.won.size >= goal, 30_000);
    };

    await goesOn();
    await etcd.moveLeader(((await etcd.leader()) + 1) % etcd.size);
    await goesOn();
    const killed = await etcd.leader();
    await etcd.kill(killed);
    await goesOn();
    await etcd.restart(killed);
    const paused = await etcd.leader();
    etcd.pause(paused);
    await goesOn();
    etcd.resume(paused);
    await goesOn();
    await race.end();

    const stored = await readAll(journals[1]);
    await patiently(() => journals[1].verify());
    expect(Object.fromEntries(stored.map(({ index, batchId }) => [index, [batchId]]))).toEqual(
      Object.fromEntries([...race.won].sort(([one], [other]) => one - other)),
    );
    const before = rings;
    const appended = async () => (await fill(journals[2], { count: 1 })).result.kind === "appended";
    await until(async () => (await appended()) && rings > before, 10_000);
    await annotate(`${stored.length} batches, ${race.unknowns} settled by reading`);
  });

  it("answers unknown and unavailable while it is away, in bounded time, and goes on after", async () => {
    const etcd = await start();
    const journal = await open(etcd.url("/skein"), { callMs: 1_000 });
    const { head } = await fill(journal, { count: 3 });
    for (let at = 0; at < etcd.size; at++) etcd.pause(at);
    const batch = nextBatch(journal, head);
    const begin = performance.now();
    expect((await journal.append(head.index, batch)).kind).toBe("unknown");
    await expect(journal.head()).rejects.toThrow(EngineUnavailable);
    await expect(journal.usage()).rejects.toThrow(EngineUnavailable);
    await expect(journal.trim(2)).rejects.toThrow(EngineUnavailable);
    expect(performance.now() - begin).toBeLessThan(20_000);
    for (let at = 0; at < etcd.size; at++) etcd.resume(at);
    await until(async () => {
      await journal.append(head.index, batch);
      return (await patiently(() => journal.read(batch.index)))?.batchId === batch.batchId;
    }, 20_000);
    expect((await patiently(() => journal.head())).index).toBe(batch.index);
  });

  it("refuses for lack of space, says so, and takes appends again after trim, defrag and disarm", async () => {
    const etcd = await start({ members: 1, quotaBytes: 8 * 1024 * 1024 });
    const journal = await open(etcd.url("/skein"));
    expect((await journal.usage()).bytesMax).toBe(8 * 1024 * 1024);
    const { head, result } = await fill(journal, { size: 200_000 });
    expect(result).toMatchObject({ kind: "refused", code: "no_space" });
    expect(await journal.head()).toEqual(head);
    await until(async () => {
      const { bytes, bytesMax } = await journal.usage();
      return bytes >= bytesMax;
    }, 10_000);

    await journal.trim(head.index);
    expect(await journal.trimmed()).toBe(head.index - 1);
    await admin.defragment(etcd, 0);
    await admin.disarm(etcd);
    const after = await fill(journal, { count: 5, size: 200_000 });
    expect(after.result.kind).toBe("appended");
    const { bytes, bytesMax } = await journal.usage();
    expect(bytes).toBeLessThan(bytesMax);
    await journal.verify();
  });

  it("halts when an older copy of etcd's data takes its place", async () => {
    const etcd = await start({ members: 1 });
    const journal = await open(etcd.url("/skein"));
    const copy = mkdtempSync(join(tmpdir(), "skein-etcd-copy-"));
    onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
    await fill(journal, { count: 3 });
    await etcd.kill(0);
    cpSync(etcd.dataDir(0), copy, { recursive: true });
    await etcd.restart(0);
    await patiently(() => journal.head());
    await fill(journal, { count: 3 });
    await etcd.kill(0);
    rmSync(etcd.dataDir(0), { recursive: true });
    cpSync(copy, etcd.dataDir(0), { recursive: true });
    await etcd.restart(0);
    await expect(patiently(() => journal.head())).rejects.toMatchObject({ kind: "head_went_back" });
  });

  it("halts on endpoints of two clusters, on a prefix that is taken, and on another journal", async () => {
    const [one, two] = await Promise.all([start({ members: 1 }), start({ members: 1 })]);
    const mixed = `etcd://${one.endpoints.join()},${two.endpoints.join()}/skein`;
    await expect(openEtcdJournal({ url: mixed })).rejects.toMatchObject({
      kind: "foreign_journal",
    });
    await one.call(0, methods.txn, txn({ success: [opPut("/taken/by/another", "x")] }));
    const taken = openEtcdJournal({ url: one.url("/taken") });
    await expect(taken).rejects.toMatchObject({ kind: "foreign_journal" });
    await expect(taken).rejects.toThrow("/taken/by/another");
    const own = await open(one.url("/skein"), { journalId: "first" });
    expect(own.journalId).toBe("first");
    const other = openEtcdJournal({ url: one.url("/skein"), journalId: "second" });
    await expect(other).rejects.toMatchObject({ kind: "foreign_journal" });
    const both = await Promise.all([1, 2, 3].map(() => open(one.url("/new"))));
    expect(new Set(both.map(({ journalId }) => journalId)).size).toBe(1);
  });

  it("logs in, again when its token is gone, and is refused what its user may not do", async () => {
    const etcd = await start({ members: 1 });
    await admin.enableAuth(etcd, { name: "skein", password: "p@ss/word", prefix: "/skein/" });
    const [endpoint] = etcd.endpoints;
    const journal = await open(`etcd://skein:p%40ss%2Fword@${endpoint}/skein`);
    expect((await fill(journal, { count: 3 })).result.kind).toBe("appended");
    await etcd.restart(0);
    await patiently(() => journal.head());
    expect((await fill(journal, { count: 3 })).result.kind).toBe("appended");
    await journal.trim(3);

    for (const login of ["skein:wrong@", "nobody:x@", ""]) {
      const url = `etcd://${login}${endpoint}/skein`;
      await expect(openEtcdJournal({ url })).rejects.toMatchObject({ kind: "preflight" });
    }
    const elsewhere = openEtcdJournal({ url: `etcd://skein:p%40ss%2Fword@${endpoint}/other` });
    await expect(elsewhere).rejects.toMatchObject({ kind: "preflight" });

    const head = await journal.head();
    await admin.revoke(etcd, "skein");
    const result = await journal.append(head.index, nextBatch(journal, head));
    expect(result).toMatchObject({ kind: "refused", code: "forbidden" });
  });

  it.skipIf(!certificates)(
    "talks TLS with certificates on both sides (skipped without openssl)",
    async () => {
      if (!certificates) return;
      const { ca, cert, key } = certificates;
      const tls = { ...certificates.server, clientCaFile: ca, client: certificates.client };
      const etcd = await start({ members: 1, tls });
      const place = `${etcd.endpoints.join()}/skein`;
      const files = `ca=${ca}&cert=${cert}&key=${key}`;
      const journal = await open(`etcds://${place}?${files}`);
      expect((await fill(journal, { count: 3, size: 300_000 })).result.kind).toBe("appended");
      expect(await journal.readAfter(0)).toHaveLength(3);
      const same = await open(`etcd://${place}?${files}`);
      expect(same.journalId).toBe(journal.journalId);
      const untrusted = openEtcdJournal({ url: `etcds://${place}` });
      await expect(untrusted).rejects.toMatchObject({ kind: "preflight" });
      await expect(openEtcdJournal({ url: `etcd://${place}` })).rejects.toThrow(/etcd/);
    },
  );

  it("uses the endpoints that answer and names those that do not", async () => {
    const etcd = await start({ members: 1 });
    const nobody = await unusedPort();
    const journal = await open(`etcd://127.0.0.1:${nobody},${etcd.endpoints.join()}/skein`);
    expect(journal.settings.notes.join()).toContain(`127.0.0.1:${nobody}`);
    expect(journal.settings.notes.join()).toContain("1 member");
  });
});

describe("what is not etcd", () => {
  it("is unavailable where nobody listens, for etcd may be about to start", async () => {
    const url = `etcd://127.0.0.1:${await unusedPort()}/skein`;
    await expect(openEtcdJournal({ url })).rejects.toThrow(EngineUnavailable);
  });

  it("is refused where something else answers", async () => {
    const server = createServer((_, response) => response.end("hello"));
    const port = await listening(server);
    onTestFinished(() => void server.close());
    for (const scheme of ["etcd", "etcds"]) {
      const url = `${scheme}://127.0.0.1:${port}/skein`;
      const opened: Promise<EtcdJournal> = openEtcdJournal({ url });
      await expect(opened).rejects.toMatchObject({ kind: "preflight" });
    }
  });
});

async function unusedPort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    // On a port, so its address is an AddressInfo.
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
