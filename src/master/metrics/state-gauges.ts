// What a master reads when somebody asks for its metrics: from its state and its parts. Cheap, however many tasks
// there are: it goes over queues, classes, workers and masters, never over jobs or tasks.
//
// The state may be ahead of the journal by one batch (M2 of loop.ts): a gauge promises nothing to anybody, and must
// answer when the journal does not.

import { cpus, isHere } from "../series.ts";
import type { State } from "../../core/state.ts";
import type { Master } from "../context.ts";
import type { Metrics } from "./metrics.ts";
import type { Sample } from "./registry.ts";

/** What of a master is read. */
export type Watched = Pick<
  Master,
  | "archive"
  | "identity"
  | "journal"
  | "keptLogs"
  | "leadership"
  | "loop"
  | "payloads"
  | "peers"
  | "startedWall"
  | "usage"
  | "version"
>;

const sameOnAll = "The same on every master that keeps up: take the greatest.";

export function addStateGauges(metrics: Metrics, master: Watched): void {
  const { loop } = master;
  const see = <T>(read: (state: State) => T) => loop.peek(read);
  addTasks(metrics, see, () => loop.time());
  addWorkers(metrics, see);
  addJournal(metrics, master, see);
  addMasters(metrics, master, see);
  addFiles(metrics, master);
  addProcess(metrics, master);
}

type See = <T>(read: (state: State) => T) => T;

function addTasks({ registry, queues }: Metrics, see: See, time: () => number): void {
  registry.gauge(
    {
      name: "skein_tasks",
      help: `Tasks that have not ended: ready, assigned, or waiting for a delay, a back-off or other tasks. ${sameOnAll}`,
      labels: ["state"],
    },
    () => see(tasksByState),
  );
  registry.gauge({ name: "skein_jobs", help: `Jobs that have not ended. ${sameOnAll}` }, () =>
    see(({ jobs, finished }) => [[jobs.size - finished.size]]),
  );
  registry.gauge(
    {
      name: "skein_queue_tasks",
      help: `Tasks that have not ended, by queue: waiting or assigned. ${sameOnAll}`,
      labels: ["queue", "state"],
    },
    () =>
      see((state) => {
        const shown = new Map<string, [waiting: number, assigned: number]>();
        for (const { name, waiting, assigned } of state.queues.values()) {
          const label = queues.of(name);
          const [more, held] = shown.get(label) ?? [0, 0];
          shown.set(label, [waiting + more, assigned + held]);
        }
        return [...shown].flatMap(([queue, [waiting, assigned]]): Sample[] => [
          [waiting, queue, "waiting"],
          [assigned, queue, "assigned"],
        ]);
      }),
  );
  registry.gauge(
    {
      name: "skein_oldest_pending_seconds",
      help: `How long the oldest job with ready tasks has waited, by queue; 0 while none is ready. ${sameOnAll}`,
      labels: ["queue"],
    },
    () => see((state) => oldestByQueue(state, time(), (name) => queues.of(name))),
  );
}

function tasksByState(state: State): Sample[] {
  let ready = 0;
  let pending = 0;
  let assigned = 0;
  for (const own of state.classes.values()) ready += own.ready;
  for (const queue of state.queues.values()) {
    pending += queue.waiting;
    assigned += queue.assigned;
  }
  return [
    [Math.max(0, pending - ready), "waiting"],
    [ready, "ready"],
    [assigned, "assigned"],
  ];
}

function oldestByQueue(state: State, time: number, shown: (name: string) => string): Sample[] {
  const oldest = new Map<string, number>();
  for (const name of state.queues.keys()) oldest.set(shown(name), 0);
  for (const { queue, jobs, head } of state.classes.values()) {
    const job = state.jobs.get(jobs[head] ?? 0);
    if (!job) continue;
    const waited = Math.max(0, time - Math.max(job.createdTime, job.wakeTime)) / 1_000;
    const label = shown(queue);
    oldest.set(label, Math.max(waited, oldest.get(label) ?? 0));
  }
  return [...oldest].map(([queue, seconds]) => [seconds, queue]);
}

function addWorkers({ registry }: Metrics, see: See): void {
  const states = ["active", "suspect", "draining", "drained", "lost", "gone"] as const;
  registry.gauge(
    { name: "skein_workers", help: `Workers, by state. ${sameOnAll}`, labels: ["state"] },
    () =>
      see(({ workers }) => {
        const counts = new Map<string, number>(states.map((state) => [state, 0]));
        for (const { state } of workers.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
        return [...counts].map(([state, count]): Sample => [count, state]);
      }),
  );
  registry.gauge(
    {
      name: "skein_slots",
      help: `Cpus of the workers that are there, used by tasks or free. ${sameOnAll}`,
      labels: ["state"],
    },
    () =>
      see((state) => {
        const used = cpus(state, "used");
        return [
          [used, "used"],
          [Math.max(0, cpus(state, "total") - used), "free"],
        ];
      }),
  );
  registry.gauge(
    {
      name: "skein_workers_here",
      help: `Workers that are neither lost nor gone. ${sameOnAll}`,
    },
    () => see(({ workers }) => [[[...workers.values()].filter(isHere).length]]),
  );
}

function addJournal(metrics: Metrics, master: Watched, see: See): void {
  const { registry } = metrics;
  const { usage, archive } = master;
  const one = (name: string, help: string, read: () => number) =>
    registry.gauge({ name, help }, () => [[read()]]);
  one("skein_term", "The term of the last election that this master knows of.", () =>
    see(({ term }) => term),
  );
  one("skein_journal_index", "Index of the last batch that this master has applied.", () =>
    see(({ index }) => index),
  );
  one(
    "skein_journal_bytes",
    "Bytes of the journal, as of a second ago.",
    () => usage().journalBytes,
  );
  one(
    "skein_journal_used_ratio",
    "How full the journal's quota or its disk is, whichever is nearer; 1 while the archive cannot be written.",
    () => usage().share,
  );
  one("skein_state_bytes", "Bytes that jobs and tasks are reckoned to take in memory.", () =>
    see(({ bytes }) => bytes),
  );
  one(
    "skein_snapshot_age_seconds",
    "Since this master saw the newest snapshot named in the journal, or started.",
    () => (performance.now() - metrics.snapshotSeenAt) / 1_000,
  );
  one(
    "skein_snapshot_lag_batches",
    "Batches after the newest snapshot that the journal names.",
    () => see(({ index, snapshotIndex }) => index - snapshotIndex),
  );
  one(
    "skein_archive_lag_batches",
    "Batches that the archive of this master has not on disk yet.",
    () => Math.max(0, see(({ index }) => index) - archive.watermark),
  );
  one(
    "skein_archive_queued_bytes",
    "Bytes on their way into the archive.",
    () => archive.queuedBytes,
  );
  one("skein_archive_ok", "1 while the archive can be written.", () =>
    archive.trouble === undefined ? 1 : 0,
  );
}

function addMasters({ registry }: Metrics, master: Watched, see: See): void {
  const { loop, leadership, peers, identity } = master;
  registry.gauge({ name: "skein_leads", help: "1 while this master leads." }, () => [
    [loop.leads ? 1 : 0],
  ]);
  registry.gauge(
    {
      name: "skein_applied_lag_seconds",
      help: "How old this master's state may be: since it knew that it had all of the journal.",
    },
    () => [[leadership.newsAgeMs() / 1_000]],
  );
  registry.gauge(
    {
      name: "skein_masters",
      help: "Masters as the leader sees them: live (it leads or stands by) or away. Nothing on a standby.",
      labels: ["state"],
    },
    () => {
      if (!loop.leads) return [];
      const known = see(({ masters }) => new Set([...masters.keys(), identity.id]).size);
      const live = 1 + peers.live().length;
      return [
        [live, "live"],
        [Math.max(0, known - live), "away"],
      ];
    },
  );
  registry.gauge(
    {
      name: "skein_standby_lag_batches",
      help: "How far the standby that is furthest behind is. Nothing on a standby.",
    },
    () => {
      const index = see((state) => state.index);
      return [[Math.max(0, ...peers.live().map(({ applied }) => index - applied))]];
    },
  );
  registry.gauge(
    {
      name: "skein_clock_skew_seconds",
      help: "The greatest difference between the leader's clock and a standby's; 0 on a standby.",
    },
    () => [[Math.max(0, ...peers.live().map(({ clockMs }) => Math.abs(clockMs ?? 0))) / 1_000]],
  );
}

function addFiles({ registry }: Metrics, { payloads, keptLogs }: Watched): void {
  registry.gauge(
    {
      name: "skein_logs_queued_bytes",
      help: "Bytes of logs that workers have pushed and that wait for this master's disk.",
    },
    () => [[keptLogs.store.waitingBytes]],
  );
  registry.gauge({ name: "skein_payloads", help: "Payloads stored on this master." }, () => [
    [payloads.usage().payloads],
  ]);
  registry.gauge(
    { name: "skein_payload_bytes", help: "Bytes of payloads stored on this master." },
    () => [[payloads.usage().bytes]],
  );
}

/** By the names that every Prometheus dashboard knows. */
function addProcess({ registry }: Metrics, master: Watched): void {
  const { version, journal, startedWall } = master;
  registry.gauge(
    {
      name: "skein_build_info",
      help: "1; what runs here stands in the labels.",
      labels: ["version", "node", "engine"],
    },
    () => [[1, version, process.version, journal.engine]],
  );
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  registry.total(
    { name: "process_cpu_seconds_total", help: "User and system time of this process." },
    cpuSeconds,
  );
  registry.gauge(
    { name: "process_resident_memory_bytes", help: "Resident memory of this process." },
    () => [[process.memoryUsage.rss()]],
  );
  registry.gauge(
    { name: "process_start_time_seconds", help: "When this master started, since the epoch." },
    () => [[startedWall / 1_000]],
  );
}
