/**
 * graphile-worker on a private PostgreSQL: its preset as shipped (one job at a time), the same with
 * 24 at once, and the settings that its own documentation measures with.
 *
 * It has no results and keeps no completed jobs: a completed job is a deleted row. So a throughput
 * round ends when the table is empty, and the round trip ends at the worker's "job:success", before
 * the deletion is committed: both in the peer's favour.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openGraphileUtils, openSql, startGraphileWorker } from "./graphile-api.ts";
import type { GraphileUtils, GraphileWorkerSettings } from "./graphile-api.ts";
import type { SqlClient } from "./graphile-api.ts";
import { peerVersion } from "./install.ts";
import type { PrivateServer } from "./launch.ts";
import { measureRoundTrips } from "./measure.ts";
import type { Arrangement, Session } from "./measure.ts";
import type { PeerOptions, PeerRow, PeerSubject } from "./model.ts";
import { VARIANTS } from "./graphile-variants.ts";
import type { Variant } from "./graphile-variants.ts";
import { bestThroughput, roundTripLimits } from "./rows.ts";
import { describeStorage, startPostgres } from "./servers.ts";
import { startInChildren, startInThisProcess } from "./workers.ts";
import type { WorkerGroup } from "./workers.ts";

/** Jobs per addJobs call. */
const BATCH = 500;

export async function benchGraphile(options: PeerOptions): Promise<readonly PeerRow[]> {
  const started = await startPostgres();
  if (started.kind === "missing") {
    return [{ what: "skipped", name: "graphile-worker", reason: started.reason }];
  }
  await using server = started.server;
  const sql = await openSql(connectionString(server));
  const rows: PeerRow[] = [];
  try {
    const serverVersion = await readServerVersion(sql);
    for (const variant of VARIANTS) {
      const subject: PeerSubject = {
        name: "graphile-worker",
        version: peerVersion("graphile-worker"),
        variant: variant.label,
        server: "PostgreSQL",
        serverVersion,
        durability: variant.note + describeStorage(),
      };
      const tasks = Math.min(options.tasks, variant.tasksMax);
      const tried = arrangements(server, sql, variant);
      rows.push(await bestThroughput(subject, tried, { ...options, tasks }));
      if (!variant.measuresTrips) continue;
      options.log?.(`graphile-worker, ${variant.label}: round trips`);
      rows.push(await roundTrips(subject, settingsOf(server, variant, "trips"), options));
    }
  } finally {
    await waitUntilAlone(sql);
    await sql.end();
  }
  return rows;
}

function connectionString({ user, password, host, port }: PrivateServer): string {
  return `postgres://${user}:${password}@${host}:${port}/postgres`;
}

/** Throws when the running server does not have the durability that the rows claim. */
async function readServerVersion(sql: SqlClient): Promise<string> {
  const names = ["fsync", "synchronous_commit", "server_version"];
  const columns = names.map((name) => `current_setting('${name}') as ${name}`).join(", ");
  const facts = (await sql.query(`select ${columns}`)).rows[0] ?? {};
  if (facts["fsync"] !== "on" || facts["synchronous_commit"] !== "on") {
    throw new Error(`PostgreSQL is not durable: ${JSON.stringify(facts)}`);
  }
  return String(facts["server_version"]).split(" ")[0] ?? "?";
}

/** Its own schema each, so that no series inherits dead rows of another. */
function settingsOf(server: PrivateServer, variant: Variant, use: string): GraphileWorkerSettings {
  const schema = `bench_${variant.label.replaceAll(/[^a-z0-9]+/g, "_")}_${use}`;
  const { preset } = variant;
  return { kind: "graphile-worker", connectionString: connectionString(server), schema, preset };
}

function arrangements(server: PrivateServer, sql: SqlClient, variant: Variant): Arrangement[] {
  const here = settingsOf(server, variant, "here");
  const apart = settingsOf(server, variant, "apart");
  const each = variant.preset.concurrentJobs ?? 1;
  return [
    {
      label: `1 process × ${each}`,
      open: (max) => openSession(here, sql, () => startInThisProcess(here, max)),
    },
    {
      label: `2 worker processes × ${each}`,
      open: (max) => openSession(apart, sql, () => startInChildren(apart, max, 2)),
    },
  ];
}

async function openSession(
  settings: GraphileWorkerSettings,
  sql: SqlClient,
  startWorkers: () => Promise<WorkerGroup>,
): Promise<Session> {
  const utils = await openGraphileUtils(settings);
  const workers = await startWorkers();
  return {
    workers,
    submit: (from, to) => submit(utils, from, to),
    settle: () => waitUntilEmpty(sql, settings.schema),
    [Symbol.asyncDispose]: async () => {
      await workers[Symbol.asyncDispose]();
      await utils.release();
    },
  };
}

async function submit(utils: GraphileUtils, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += BATCH) {
    const jobs = Array.from({ length: Math.min(BATCH, to - start) }, (_, at) => ({
      identifier: "noop",
      payload: { index: start + at },
    }));
    await utils.addJobs(jobs);
  }
}

/** Every function has returned when this is called; only the last completions are on their way. */
async function waitUntilEmpty(sql: SqlClient, schema: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  for (;;) {
    const { rows } = await sql.query(`select 1 from ${schema}._private_jobs limit 1`);
    if (rows.length === 0) return;
    if (performance.now() > endMs) throw new Error("graphile-worker left jobs in its table");
    await sleep(2);
  }
}

/**
 * graphile-worker's pools say they are closed before PostgreSQL has read it; a server that stops in
 * between answers them with an error that nobody listens for any more, and Node.js would end.
 */
async function waitUntilAlone(sql: SqlClient): Promise<void> {
  const others = `select 1 from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`;
  const endMs = performance.now() + 5_000;
  while ((await sql.query(others)).rows.length > 0 && performance.now() < endMs) await sleep(10);
}

async function roundTrips(
  subject: PeerSubject,
  settings: GraphileWorkerSettings,
  options: PeerOptions,
): Promise<PeerRow> {
  const utils = await openGraphileUtils(settings);
  let onDone: (index: number) => void = () => undefined;
  const worker = await startGraphileWorker(settings, (index) => onDone(index));
  try {
    const call = async (index: number): Promise<unknown> => {
      const done = new Promise<number>((resolve) => (onDone = resolve));
      await utils.addJob("noop", { index });
      return done;
    };
    const measured = await measureRoundTrips(call, roundTripLimits(options));
    const arrangement = "addJob → job:success in the same process; no result, not yet committed";
    return { ...subject, what: "roundtrip", ...measured, arrangement };
  } finally {
    await worker[Symbol.asyncDispose]();
    await utils.release();
  }
}
