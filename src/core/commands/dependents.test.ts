import { expect, test } from "vitest";
import { Cluster } from "../cluster.fixture.ts";
import { decodeState, encodeState } from "../snapshot.ts";

test("jobs that wait for a whole job cost its reports nothing; paired ones are told of each range once", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w", { cpu: 8_000 });
  const job = cluster.submit({ tasks: 8 });
  for (let i = 0; i < 50; i++) cluster.submit({ spec: { after: [{ job: job.id, mode: "all" }] } });
  const paired = cluster.submit({ tasks: 8, spec: { after: [{ job: job.id, mode: "each" }] } });
  expect([job.dependents.size, [...job.paired]]).toEqual([51, [paired.number]]);
  cluster.report(worker, job, [{ task: 1 }, { task: 2 }, { task: 5 }]);
  const woken = cluster.entries.flatMap((entry) => (entry.kind === "woken" ? [entry] : []));
  expect(woken.map(({ first, count }) => [first, count])).toEqual([
    [1, 2],
    [5, 1],
  ]);
});

test("a report settles only so many paired tasks itself, the others follow in slices", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w", { cpu: 64_000 });
  const job = cluster.submit({ tasks: 64 });
  const after = [{ job: job.id, mode: "each" as const }];
  const paired = Array.from({ length: 40 }, () => cluster.submit({ tasks: 64, spec: { after } }));
  cluster.report(
    worker,
    job,
    Array.from({ length: 63 }, (_, task) => ({ task })),
  );
  for (const other of paired) expect(other.tasks.counts[0]).toBe(1);
  expect(cluster.state.unsettled.size).toBe(0);
});

test("what is paired is known after a snapshot", () => {
  const cluster = new Cluster();
  const job = cluster.submit({ tasks: 2 });
  const paired = cluster.submit({ tasks: 2, spec: { after: [{ job: job.id, mode: "each" }] } });
  const loaded = decodeState(encodeState(cluster.state));
  expect([...(loaded.jobs.get(job.number)?.paired ?? [])]).toEqual([paired.number]);
});
