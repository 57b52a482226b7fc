// The etcd engine keeps the contract of journals, on a real cluster of three members.

import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { journalCases, type JournalBench } from "../../src/journal/conformance.ts";
import { openJournal } from "../../src/journal/engines.ts";
import { openEtcdJournal } from "../../src/journal/etcd.ts";
import { JournalKeys } from "../../src/journal/etcd/keys.ts";
import { methods, opDelete, opPut, opRange, txn } from "../../src/journal/etcd/messages.ts";
import { txnAnswer } from "../../src/journal/etcd/messages.ts";
import { EtcdCluster } from "../tools/etcd.ts";
import { findEtcd, howToGetEtcd } from "../tools/find-etcd.ts";

const scratch = mkdtempSync(join(tmpdir(), "skein-etcd-test-"));
let etcd: EtcdCluster;
let prefixes = 0;
const freshPrefix = (): string => `/tests/${++prefixes}`;

function etcdBench(): JournalBench {
  const prefix = freshPrefix();
  const url = etcd.url(prefix);
  const keys = new JournalKeys(`${prefix}/`);
  return {
    open: (options = {}) => openJournal(url, options),
    async flip(index) {
      const key = keys.batch(index);
      const answer = txnAnswer(
        await etcd.call(0, methods.txn, txn({ success: [opRange({ key })] })),
      );
      const bytes = Buffer.from(answer.ranges[0]?.values[0]?.value ?? []);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await etcd.call(0, methods.txn, txn({ success: [opPut(key, bytes)] }));
    },
    async remove(index) {
      const key = keys.batch(index);
      await etcd.call(0, methods.txn, txn({ success: [opDelete(key, "")] }));
    },
    // etcd writes its database, and counts what is used of it, every 100 ms.
    usageLagMs: 5_000,
    durable: {
      url,
      options: {},
      scratch,
      claimsToSync: () => Promise.resolve(false),
      countSyncs: () => syncsOfQuorum(etcd),
    },
  };
}

/**
 * Every commit needs the log fsynced by two of three members, though not always by the same two; with one
 * append in flight no fsync serves two commits.
 */
async function syncsOfQuorum({ endpoints }: EtcdCluster): Promise<number> {
  const counts = await Promise.all(endpoints.map(syncsOf));
  return Math.floor(counts.reduce((sum, one) => sum + one, 0) / 2);
}

async function syncsOf(endpoint: string): Promise<number> {
  const text = await new Promise<string>((resolve, reject) => {
    const request = get(`http://${endpoint}/metrics`, { agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
    });
    request.on("error", reject);
  });
  return Number(/^etcd_disk_wal_fsync_duration_seconds_count (\S+)$/m.exec(text)?.[1]);
}

const found = findEtcd();
if (found === undefined) console.warn(`SKIPPED, no etcd here: ${howToGetEtcd}`);

describe.skipIf(found === undefined)("the etcd engine (skipped without an etcd)", () => {
  beforeAll(async () => {
    etcd = await EtcdCluster.start();
  });
  afterAll(async () => {
    await etcd[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const { name, run } of journalCases) {
    it(name, async ({ annotate }) => {
      const note = await run(etcdBench());
      if (note) await annotate(note);
    });
  }

  it("says what it found: members, versions, quota", async () => {
    const journal = await openEtcdJournal({ url: etcd.url(freshPrefix()) });
    onTestFinished(() => journal[Symbol.asyncDispose]());
    const { members, versions, quotaBytes, notes } = journal.settings;
    expect(members).toBe(3);
    expect(versions).toHaveLength(1);
    expect(quotaBytes).toBe(2 * 1024 ** 3);
    expect(notes.join()).not.toContain("did not answer");
  });
});
