import { expect, test } from "vitest";
import { encodeOutcomes, encodeStored, storedBit } from "../../protocol/outcome-block.ts";
import { Cluster } from "../cluster.fixture.ts";

const hash = "b".repeat(64);

function reportStored(cluster: Cluster, worker: number, job: number, gone: readonly string[]) {
  const value = encodeStored({ hash, size: 20_000, encoding: "json" });
  const item = { task: 0, attempt: 1, code: storedBit, micros: 1, logBytes: 0, value };
  const { info, reports } = cluster.workerOf(worker);
  return cluster.ask({
    kind: "report",
    worker,
    incarnation: info.incarnation,
    n: reports + 1,
    blocks: [{ job, bytes: encodeOutcomes([item]) }],
    returned: [],
    gone,
  });
}

test("a stored result is recorded when its bytes are here", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  const job = cluster.submit();
  reportStored(cluster, worker, job.number, []);
  expect(job.ended).toBe("succeeded");
  expect(cluster.state.payloads.get(hash)?.uses).toBe(1);
});

test("a stored result whose bytes are gone is no success: its task runs again, uncharged (A1)", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  const job = cluster.submit();
  reportStored(cluster, worker, job.number, [hash]);
  expect(job.ended).toBe("");
  expect(job.tasks.run?.attempt[0]).toBe(2);
  expect(job.tasks.run?.failures[0]).toBe(0);
  expect(cluster.state.payloads.has(hash)).toBe(false);
});

test("payloads that a value names inside are used as long as the archive names them", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  const job = cluster.submit();
  const { info } = cluster.workerOf(worker);
  const value = new TextEncoder().encode('{"exitCode":0}');
  const item = { task: 0, attempt: 1, code: 0, micros: 1, logBytes: 0, value };
  const block = { job: job.number, bytes: encodeOutcomes([item]), payloads: [hash] };
  const report = { kind: "report", worker, incarnation: info.incarnation } as const;
  cluster.ask({ ...report, n: 1, blocks: [block], returned: [] });
  expect(job.ended).toBe("succeeded");
  expect(cluster.ask({ kind: "freePayloads", hashes: [hash] })).toMatchObject({ freed: [] });
  // Told again, it is not counted again.
  cluster.ask({ ...report, n: 2, blocks: [block], returned: [] });
  expect(cluster.state.payloads.get(hash)?.uses).toBe(1);
});

test("pairing with a job that failed and left the state is refused, not guessed", () => {
  const cluster = new Cluster();
  const answer = cluster.ask({
    kind: "submit",
    id: "f".repeat(16),
    spec: { ...cluster.submit().spec, after: [{ job: "e".repeat(16), mode: "each" }] },
    open: false,
    key: null,
    parts: [],
    archived: new Map([["e".repeat(16), "failed"]]),
    strictQueues: false,
  });
  expect(answer).toMatchObject({ ok: false, code: "conflict" });
});
