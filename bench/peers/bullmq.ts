/**
 * BullMQ on a private Redis, with its append-only file synced every second, and before every answer.
 *
 * BullMQ's defaults stand: completed jobs and their results are kept, as Skein keeps outcomes.
 */
import { connectionTo, loadBullmq, readRedisFacts, startBullmqWorker } from "./bullmq-api.ts";
import type { BullmqConnection, BullmqQueue, BullmqWorkerSettings } from "./bullmq-api.ts";
import { peerVersion } from "./install.ts";
import { measureRoundTrips } from "./measure.ts";
import type { Arrangement, Session } from "./measure.ts";
import type { PeerOptions, PeerRow, PeerSubject } from "./model.ts";
import { bestThroughput, roundTripLimits } from "./rows.ts";
import { describeStorage, startRedis } from "./servers.ts";
import type { RedisFsync } from "./servers.ts";
import { startInChildren, startInThisProcess } from "./workers.ts";
import type { WorkerGroup } from "./workers.ts";

/** Jobs per addBulk: larger ones keep Redis from its workers for longer. */
const BATCH = 500;

const DURABILITY: Readonly<Record<RedisFsync, string>> = {
  everysec: "AOF fsync every second: a crash may lose up to ~1 s of acknowledged jobs",
  always: "AOF fsync before every acknowledgement",
};

export async function benchBullmq(options: PeerOptions): Promise<readonly PeerRow[]> {
  const rows: PeerRow[] = [];
  for (const fsync of ["everysec", "always"] as const) {
    const started = await startRedis(fsync);
    if (started.kind === "missing") {
      return [{ what: "skipped", name: "bullmq", reason: started.reason }];
    }
    await using server = started.server;
    const connection = connectionTo(server);
    const facts = await readRedisFacts(connection);
    if (facts.fsync !== fsync) throw new Error(`Redis syncs ${facts.fsync}, not ${fsync}`);
    const subject: PeerSubject = {
      name: "bullmq",
      version: peerVersion("bullmq"),
      variant: `appendfsync ${fsync}`,
      server: "Redis",
      serverVersion: facts.version,
      durability: DURABILITY[fsync] + describeStorage(),
    };
    rows.push(await bestThroughput(subject, arrangements(connection), options));
    options.log?.(`bullmq, ${subject.variant}: round trips`);
    rows.push(await roundTrips(subject, connection, options));
  }
  return rows;
}

function arrangements(connection: BullmqConnection): readonly Arrangement[] {
  return [
    {
      label: "1 process × 100",
      open: (tasksMax) =>
        openSession(connection, "bench-in-process", (queue) =>
          startInThisProcess(workerSettings(connection, queue, 100), tasksMax),
        ),
    },
    {
      label: "2 worker processes × 50",
      open: (tasksMax) =>
        openSession(connection, "bench-in-children", (queue) =>
          startInChildren(workerSettings(connection, queue, 50), tasksMax, 2),
        ),
    },
  ];
}

function workerSettings(
  connection: BullmqConnection,
  queue: string,
  concurrency: number,
): BullmqWorkerSettings {
  return { kind: "bullmq", connection, queue, concurrency };
}

async function openSession(
  connection: BullmqConnection,
  name: string,
  startWorkers: (queue: string) => Promise<WorkerGroup>,
): Promise<Session> {
  const { Queue } = await loadBullmq();
  const queue = new Queue(name, { connection });
  await queue.waitUntilReady();
  const workers = await startWorkers(name);
  return {
    workers,
    submit: (from, to) => submit(queue, from, to),
    settle: (total) => checkCompleted(queue, total),
    [Symbol.asyncDispose]: async () => {
      await workers[Symbol.asyncDispose]();
      await queue.close();
    },
  };
}

async function submit(queue: BullmqQueue, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += BATCH) {
    const count = Math.min(BATCH, to - start);
    const jobs = Array.from({ length: count }, (_, at) => ({
      name: "noop",
      data: { index: start + at },
    }));
    await queue.addBulk(jobs);
  }
}

/** The workers count acknowledged completions; this is Redis's own count of them. */
async function checkCompleted(queue: BullmqQueue, total: number): Promise<void> {
  const counts = await queue.getJobCounts("completed", "failed", "wait", "active", "delayed");
  if (counts["completed"] === total) return;
  throw new Error(`BullMQ should have ${total} completed jobs, and has ${JSON.stringify(counts)}`);
}

async function roundTrips(
  subject: PeerSubject,
  connection: BullmqConnection,
  options: PeerOptions,
): Promise<PeerRow> {
  const { Queue, QueueEvents } = await loadBullmq();
  const name = "bench-round-trips";
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  const worker = await startBullmqWorker(workerSettings(connection, name, 1), () => undefined);
  try {
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
    const call = async (index: number): Promise<unknown> => {
      const job = await queue.add("noop", { index });
      return job.waitUntilFinished(events, 10_000);
    };
    const measured = await measureRoundTrips(call, roundTripLimits(options));
    const arrangement = "add → waitUntilFinished; client and worker in one process";
    return { ...subject, what: "roundtrip", ...measured, arrangement };
  } finally {
    await worker[Symbol.asyncDispose]();
    await events.close();
    await queue.close();
  }
}
