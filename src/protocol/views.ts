// How the API shows jobs, tasks, workers, queues and the cluster.

import { z } from "zod";
import { eventKinds, eventLevels } from "./event.ts";

export const counts = z.object({
  waiting: z.int(),
  ready: z.int(),
  backoff: z.int(),
  assigned: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  cancelled: z.int(),
});

export const jobSchema = z.object({
  id: z.string(),
  number: z.int(),
  state: z.enum(["open", "waiting", "running", "succeeded", "failed", "cancelled"]),
  task: z.string(),
  kind: z.enum(["function", "command"]),
  queue: z.string(),
  priority: z.int(),
  labels: z.record(z.string(), z.string()),
  namespace: z.string(),
  by: z.string(),
  parent: z.string().nullable(),
  retryOf: z.string().nullable(),
  after: z.array(z.object({ job: z.string(), mode: z.enum(["all", "each"]) })),
  tasks: z.int(),
  /** Takes more parts of inputs (K1), whatever its state says. */
  open: z.boolean(),
  counts,
  /** Attempts started, and those that ended without an outcome because their worker was lost. */
  attempts: z.int(),
  attemptsLost: z.int(),
  /** Run time of all attempts that ended, in milliseconds. */
  runMs: z.number(),
  /** Wall clock, ISO 8601; null where it has not happened. */
  created: z.string(),
  started: z.string().nullable(),
  ended: z.string().nullable(),
  /** Retired to the archive. */
  retired: z.boolean(),
});
export type JobView = z.infer<typeof jobSchema>;

export const attemptSchema = z.object({
  attempt: z.int(),
  worker: z.string(),
  state: z.enum(["assigned", "running", "succeeded", "failed", "cancelled", "lost", "given_back"]),
  reason: z.string().nullable(),
  charged: z.boolean(),
  started: z.string().nullable(),
  ended: z.string().nullable(),
  runMs: z.number().nullable(),
  log: z.object({ worker: z.string(), file: z.string(), length: z.int() }).nullable(),
  error: z.unknown().nullable(),
});

/** An attempt in a list: with where it belongs, and the beginning of its error. */
export const listedAttemptSchema = attemptSchema.omit({ error: true }).extend({
  job: z.string(),
  task: z.int(),
  name: z.string(),
  message: z.string().nullable(),
});
export type ListedAttemptView = z.infer<typeof listedAttemptSchema>;

export const taskSchema = z.object({
  job: z.string(),
  task: z.int(),
  name: z.string(),
  state: z.enum([
    "waiting",
    "ready",
    "backoff",
    "assigned",
    "running",
    "succeeded",
    "failed",
    "cancelled",
  ]),
  reason: z.string().nullable(),
  attempt: z.int(),
  worker: z.string().nullable(),
  fence: z.int().nullable(),
  progress: z.object({ percent: z.number(), message: z.string().optional() }).nullable(),
});
export type TaskView = z.infer<typeof taskSchema>;

/** A line that an attempt printed. */
export const logLineSchema = z.object({
  /** Of the line, within its job: the same on every master. */
  id: z.string(),
  task: z.int(),
  attempt: z.int(),
  /** By its worker's clock. */
  at: z.string(),
  stream: z.enum(["stdout", "stderr"]),
  /** Without its line end. What is no UTF-8 is U+FFFD. */
  text: z.string(),
});

export const jobLogsSchema = z.object({
  items: z.array(logLineSchema),
  /** More may follow, even when `items` are few or none: what is looked through is bounded. */
  nextCursor: z.string().nullable(),
  /** Behind the last item, or where looking ended: what is printed later is asked for from here. */
  cursor: z.string().nullable(),
  partial: z.string().optional(),
});

export const taskDetailSchema = taskSchema.extend({
  attempts: z.array(attemptSchema),
  input: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});
export type TaskDetailView = z.infer<typeof taskDetailSchema>;

export const whySchema = z.object({
  task: z.string(),
  state: z.string(),
  /** One sentence. */
  verdict: z.string(),
  reasons: z.array(
    z.object({
      /** The filter or rule that says so. */
      rule: z.string(),
      text: z.string(),
      workers: z.array(z.string()),
    }),
  ),
  /** Of one that is ready: what goes before it in its queue. */
  line: z.object({ tasks: z.int(), jobs: z.int(), text: z.string() }).nullable(),
  /** When it may start; `ms` is null where nothing was measured. */
  forecast: z.object({ ms: z.number().nullable(), text: z.string() }).nullable(),
  /** The smallest change that would let it run, all of it needed; empty where time alone helps. */
  change: z.array(z.object({ text: z.string(), command: z.string() })),
  /** What became of each attempt that has ended, and why the task was tried again. */
  attempts: z.array(z.object({ attempt: z.int(), worker: z.string(), text: z.string() })),
});
export type WhyView = z.infer<typeof whySchema>;
export type JobLogsView = z.infer<typeof jobLogsSchema>;
export type LogLineView = z.infer<typeof logLineSchema>;

export const workerSchema = z.object({
  id: z.string(),
  number: z.int(),
  incarnation: z.string(),
  state: z.enum(["active", "suspect", "draining", "drained", "lost", "gone"]),
  hostname: z.string(),
  pid: z.int(),
  version: z.string(),
  node: z.string(),
  address: z.string(),
  pool: z.string(),
  labels: z.record(z.string(), z.string()),
  amounts: z.record(z.string(), z.number()),
  used: z.record(z.string(), z.number()),
  assigned: z.int(),
  ahead: z.int(),
  running: z.int(),
  connected: z.boolean(),
});
export type WorkerView = z.infer<typeof workerSchema>;

export const workerDetailSchema = workerSchema.extend({
  /** When its state changed last, and why, where it is lost. */
  changed: z.string().nullable(),
  reason: z.string().nullable(),
  /** Of one that drains: whether it leaves when it is empty. */
  exits: z.boolean(),
  /** What is assigned to it, by job. */
  jobs: z.array(z.object({ job: z.string(), tasks: z.int() })),
});
export type WorkerDetailView = z.infer<typeof workerDetailSchema>;

export const queueSchema = z.object({
  name: z.string(),
  paused: z.boolean(),
  pausedReason: z.string().nullable(),
  weight: z.int(),
  runningMax: z.int(),
  queuedMax: z.int(),
  /** Tasks that are not assigned: ready, in back-off, or waiting for something. */
  waiting: z.int(),
  assigned: z.int(),
  jobs: z.int(),
});
export type QueueView = z.infer<typeof queueSchema>;

export const queueDetailSchema = queueSchema.extend({
  by: z.string(),
  namespace: z.string(),
  /** Amounts that its tasks hold now, in thousandths. */
  used: z.record(z.string(), z.number()),
  /** How its ready tasks fare, by what they need: since when none of them has been started. */
  ready: z.array(
    z.object({ needs: z.string(), priority: z.int(), tasks: z.int(), idleMs: z.number() }),
  ),
});
export type QueueDetailView = z.infer<typeof queueDetailSchema>;

export const bulkSchema = z.object({
  /** Jobs that fit the filter and can be changed. */
  matched: z.int(),
  done: z.int(),
  dryRun: z.boolean(),
  items: z.array(
    z.object({
      id: z.string(),
      ok: z.boolean(),
      /** Of a retry: the new job. */
      job: z.string().optional(),
      code: z.string().optional(),
      message: z.string().optional(),
    }),
  ),
});
export type BulkView = z.infer<typeof bulkSchema>;

export const masterSchema = z.object({
  id: z.string(),
  /** Of others only the leader knows whether they stand by; a standby says "unknown". */
  state: z.enum(["leading", "standing by", "away", "unknown"]),
  incarnation: z.string(),
  address: z.string(),
  version: z.string().nullable(),
  /** In which it leads, or that it has applied. */
  term: z.int().nullable(),
  /** The last batch that it has applied, and how many it is behind the leader. */
  applied: z.int().nullable(),
  lag: z.int().nullable(),
  /** Its archive is on disk up to here. */
  watermark: z.int().nullable(),
  /** Its newest verified snapshot; 0: none. */
  snapshot: z.int().nullable(),
  /** Its wall clock minus that of the master that answers. */
  clockMs: z.number().nullable(),
  /** When it was elected. */
  since: z.string().nullable(),
});
export type MasterView = z.infer<typeof masterSchema>;

export const mastersSchema = z.object({
  items: z.array(masterSchema),
  term: z.int(),
  /** What can be lost, in words. */
  survives: z.string(),
});
export type MastersView = z.infer<typeof mastersSchema>;

export const statusSchema = z.object({
  verdict: z.string(),
  journal: z.object({
    id: z.string(),
    engine: z.string(),
    index: z.int(),
    trimmed: z.int(),
    bytes: z.number(),
  }),
  master: z.object({
    id: z.string(),
    incarnation: z.string(),
    version: z.string(),
    node: z.string(),
    pid: z.int(),
    leads: z.boolean(),
    term: z.int(),
    address: z.string(),
    since: z.string(),
  }),
  /** Null while nobody is known to lead. */
  leader: z
    .object({ id: z.string(), term: z.int(), address: z.string(), since: z.string() })
    .nullable(),
  /** Ids of the others, as this master sees them. */
  masters: z.object({
    standingBy: z.array(z.string()),
    away: z.array(z.string()),
    unknown: z.array(z.string()),
  }),
  /** What can be lost, in words. */
  survives: z.string(),
  workers: z.object({ active: z.int(), suspect: z.int(), draining: z.int(), lost: z.int() }),
  slots: z.object({ cpu: z.number(), used: z.number() }),
  jobs: z.object({ unfinished: z.int(), finished: z.int() }),
  tasks: counts,
  stateBytes: z.number(),
  snapshot: z.object({ index: z.int() }).nullable(),
  archive: z.object({ watermark: z.int() }),
});
export type StatusView = z.infer<typeof statusSchema>;

export const versionSchema = z.object({ version: z.string(), protocol: z.int(), node: z.string() });

export const eventSchema = z.object({
  /** index.n: where it stands in the timeline. */
  id: z.string(),
  /** Wall clock of the batch that made it so, ISO 8601. */
  at: z.string(),
  kind: z.enum(eventKinds),
  level: z.enum(eventLevels),
  text: z.string(),
  job: z.string().optional(),
  worker: z.string().optional(),
  queue: z.string().optional(),
  master: z.string().optional(),
});
export type EventView = z.infer<typeof eventSchema>;

/** Of the stream, each second. */
export interface TickView {
  readonly index: number;
  readonly term: number;
  /** Of the master that leads, as far as this one knows. */
  readonly leader: string | null;
  readonly master: string;
  readonly leads: boolean;
  /** How old this master's news may be. */
  readonly ageMs: number;
  readonly journal: string;
}

/** What has changed of a list; `all`: more than can be named, or unknown. */
export interface ChangedView {
  readonly changed: readonly string[];
  readonly all: boolean;
  readonly index: number;
}

/** The position cannot be gone on from: ask the lists anew. */
export interface ResetView {
  readonly why: string;
  readonly index: number;
}
