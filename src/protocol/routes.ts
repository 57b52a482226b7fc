// The HTTP API, /v1: every route with its input and output, as the schemas that validate (zod). The
// server binds handlers to this table, OpenAPI is made from it, and the client is typed by it.

import { z } from "zod";
import { hashPattern, jobPrefixPattern, namePattern } from "./ids.ts";
import { limits } from "./limits.ts";

const name = z.string().regex(namePattern, "letters, digits and _ . : @ # -, at most 128");
const labels = z
  .record(name, z.string().max(limits.labelBytesMax))
  .refine(
    (all) => Object.keys(all).length <= limits.labelsMax,
    `at most ${limits.labelsMax} labels`,
  );
const milliseconds = z
  .int()
  .min(0)
  .max(10 ** 12);
const hash = z.string().regex(hashPattern, "64 lower-case hex digits");
const jobRef = z.string().regex(jobPrefixPattern, "a job id, or at least 4 digits of one");

export const needsSchema = z.strictObject({
  /** Thousandths: {cpu: 1000, memory: 512000 (MiB), gpu: 1000}. */
  amounts: z
    .record(
      name,
      z
        .int()
        .min(0)
        .max(10 ** 12),
    )
    .default({ cpu: 1000 }),
  required: labels.default({}),
  preferred: labels.default({}),
});

export const codeSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("function"), bundle: hash }),
  z.strictObject({
    kind: z.literal("command"),
    argv: z.array(z.string().max(65_536)).min(1).max(4_096),
    env: z.record(z.string(), z.string()).default({}),
    stdin: z.enum(["none", "input"]).default("none"),
  }),
]);

/** What a client says of a job; defaults are filled in. */
export const jobSpecSchema = z.strictObject({
  task: name,
  code: codeSchema,
  queue: name.default("default"),
  priority: z.int().min(-1000).max(1000).default(0),
  needs: needsSchema.default({ amounts: { cpu: 1000 }, required: {}, preferred: {} }),
  timeouts: z
    .strictObject({
      queuedMs: milliseconds.default(0),
      runMs: milliseconds.default(0),
      silenceMs: milliseconds.default(0),
    })
    .default({ queuedMs: 0, runMs: 0, silenceMs: 0 }),
  retry: z
    .strictObject({
      attempts: z.int().min(1).max(1000).default(1),
      backoffMs: milliseconds.default(1_000),
      backoffMaxMs: milliseconds.default(60_000),
      finalErrors: z.array(z.string().max(128)).max(64).default([]),
    })
    .default({ attempts: 1, backoffMs: 1_000, backoffMaxMs: 60_000, finalErrors: [] }),
  onFailure: z.enum(["continue", "stop"]).default("continue"),
  concurrency: z
    .strictObject({ key: name, limit: z.int().min(1).max(1_000_000) })
    .nullable()
    .default(null),
  fenced: z.boolean().default(false),
  delayMs: milliseconds.default(0),
  labels: labels.default({}),
  after: z
    .array(z.strictObject({ job: jobRef, mode: z.enum(["all", "each"]).default("all") }))
    .max(limits.dependenciesMax)
    .default([]),
  encoding: z.literal("json").default("json"),
  ifClientGone: z.enum(["close", "cancel"]).default("close"),
  namespace: name.default("default"),
  parent: z.string().nullable().default(null),
  group: name.nullable().default(null),
});

export type JobSpecInput = z.input<typeof jobSpecSchema>;

/**
 * POST /v1/jobs. As JSON: this object. As application/x-ndjson: its first line is this object without
 * `inputs`, every further line is one input, verbatim.
 */
export const submitSchema = z.strictObject({
  spec: jobSpecSchema,
  /** A user's own key: the same key and body give the same job for 24 hours (K8). */
  key: z.string().min(1).max(255).optional(),
  inputs: z.array(z.unknown()).optional(),
  /** Leave the job open for parts (K1). */
  open: z.boolean().default(false),
  /** Hashes of stored payloads that the inputs name. */
  payloads: z.array(hash).max(100_000).default([]),
});

export type SubmitInput = z.input<typeof submitSchema>;

const counts = z.object({
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
});
export type WhyView = z.infer<typeof whySchema>;

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

const page = <T extends z.ZodType>(items: T) =>
  z.object({
    items: z.array(items),
    /** Of everything that fits, not only of this page (P8). */
    total: z.int(),
    nextCursor: z.string().nullable(),
  });
const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().optional(),
};
const jobPath = z.object({ job: jobRef });
const taskPath = z.object({ job: jobRef, task: z.coerce.number().int().min(0) });

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  /** JSON body; other bodies are named by `takes`. */
  readonly body?: z.ZodType;
  readonly takes?: readonly string[];
  readonly answer?: z.ZodType;
  /** Content type of an answer that is not JSON. */
  readonly gives?: readonly string[];
  readonly status?: number;
}

/** Binary outcome records: see `outcome-stream.ts`. */
export const outcomeStreamType = "application/vnd.skein.outcomes";

export const routes = {
  version: { method: "GET", path: "/v1/version", summary: "Versions", answer: versionSchema },
  openapi: {
    method: "GET",
    path: "/v1/openapi.json",
    summary: "This API as OpenAPI 3.1",
    answer: z.unknown(),
  },
  status: {
    method: "GET",
    path: "/v1/status",
    summary: "The cluster in one answer",
    answer: statusSchema,
  },
  submit: {
    method: "POST",
    path: "/v1/jobs",
    status: 201,
    summary:
      "Submit a job: whole, or open for parts. With ?wait=MS the answer comes when it has ended.",
    query: z.object({ wait: z.coerce.number().int().min(0).max(300_000).optional() }),
    body: submitSchema,
    takes: ["application/json", "application/x-ndjson"],
    /** With wait: `outcomes` (base64 of an outcome stream) when there is one task. */
    answer: jobSchema.extend({ outcome: z.unknown().optional() }),
  },
  part: {
    method: "PUT",
    path: "/v1/jobs/:job/parts/:part",
    status: 200,
    summary:
      "Add part n of an open job's inputs: NDJSON, at most 256 KiB, the same bytes if sent again",
    params: z.object({ job: jobRef, part: z.coerce.number().int().min(0) }),
    /** Comma-separated hashes of stored payloads the lines name. */
    query: z.object({ payloads: z.string().optional() }),
    takes: ["application/x-ndjson"],
    answer: z.object({ tasks: z.int() }),
  },
  close: {
    method: "POST",
    path: "/v1/jobs/:job/close",
    summary: "No more parts",
    params: jobPath,
    body: z.strictObject({ parts: z.int().min(0).optional() }).default({}),
    answer: jobSchema,
  },
  jobs: {
    method: "GET",
    path: "/v1/jobs",
    summary: "Jobs, newest first",
    query: z.object({
      ...pageQuery,
      state: z.string().optional(),
      queue: z.string().optional(),
      label: z.string().optional(),
    }),
    answer: page(jobSchema),
  },
  job: {
    method: "GET",
    path: "/v1/jobs/:job",
    summary: "One job; ?wait=MS answers when it has ended or the wait is over",
    params: jobPath,
    query: z.object({ wait: z.coerce.number().int().min(0).max(300_000).optional() }),
    answer: jobSchema,
  },
  cancelJob: {
    method: "POST",
    path: "/v1/jobs/:job/cancel",
    summary: "Cancel what has not ended",
    params: jobPath,
    body: z.strictObject({ reason: z.string().max(200).optional() }).default({}),
    answer: jobSchema,
  },
  retryJob: {
    method: "POST",
    path: "/v1/jobs/:job/retry",
    status: 201,
    summary: "A new job of the inputs whose tasks did not succeed",
    params: jobPath,
    body: z.strictObject({}).default({}),
    answer: jobSchema,
  },
  /** One outcome a record, as they are recorded; `follow` goes on until the job has ended. */
  outcomes: {
    method: "GET",
    path: "/v1/jobs/:job/outcomes",
    summary: "Outcomes in the order recorded, from a position",
    params: jobPath,
    query: z.object({ after: z.string().optional(), follow: z.enum(["0", "1"]).default("0") }),
    gives: [outcomeStreamType, "application/x-ndjson"],
  },
  results: {
    method: "GET",
    path: "/v1/jobs/:job/results",
    params: jobPath,
    summary: "Results in the order of tasks, a line each; waits for each one in turn with follow=1",
    query: z.object({
      follow: z.enum(["0", "1"]).default("0"),
      from: z.coerce.number().int().min(0).default(0),
    }),
    gives: ["application/x-ndjson"],
  },
  tasks: {
    method: "GET",
    path: "/v1/jobs/:job/tasks",
    summary: "Tasks of a job",
    params: jobPath,
    query: z.object({ ...pageQuery, state: z.string().optional() }),
    answer: page(taskSchema),
  },
  task: {
    method: "GET",
    path: "/v1/jobs/:job/tasks/:task",
    summary: "One task with its attempts",
    params: taskPath,
    answer: taskDetailSchema,
  },
  cancelTask: {
    method: "POST",
    path: "/v1/jobs/:job/tasks/:task/cancel",
    summary: "Cancel one task",
    params: taskPath,
    body: z.strictObject({ reason: z.string().max(200).optional() }).default({}),
    answer: taskSchema,
  },
  why: {
    method: "GET",
    path: "/v1/jobs/:job/tasks/:task/why",
    summary: "Why a task is where it is",
    params: taskPath,
    answer: whySchema,
  },
  logs: {
    method: "GET",
    path: "/v1/jobs/:job/tasks/:task/logs",
    summary: "What an attempt printed",
    params: taskPath,
    query: z.object({
      attempt: z.coerce.number().int().min(1).optional(),
      stream: z.enum(["stdout", "stderr", "both"]).default("both"),
      from: z.coerce.number().int().min(0).default(0),
      follow: z.enum(["0", "1"]).default("0"),
    }),
    /** Log records: see `log-record.ts`. */
    gives: ["application/octet-stream"],
  },
  putPayload: {
    method: "PUT",
    path: "/v1/payloads/:hash",
    summary: "Store bytes by their SHA-256",
    status: 201,
    params: z.object({ hash }),
    takes: ["application/octet-stream"],
    answer: z.object({ hash, size: z.int() }),
  },
  payload: {
    method: "GET",
    path: "/v1/payloads/:hash",
    summary: "Stored bytes; Range works",
    params: z.object({ hash }),
    gives: ["application/octet-stream"],
  },
  workers: {
    method: "GET",
    path: "/v1/workers",
    summary: "Workers",
    query: z.object({ ...pageQuery }),
    answer: page(workerSchema),
  },
  drainWorker: {
    method: "POST",
    path: "/v1/workers/:worker/drain",
    summary: "Let a worker finish and take nothing new",
    params: z.object({ worker: name }),
    body: z
      .strictObject({
        deadlineMs: milliseconds.default(3_600_000),
        exit: z.boolean().default(true),
        undo: z.boolean().default(false),
      })
      .default({ deadlineMs: 3_600_000, exit: true, undo: false }),
    answer: workerSchema,
  },
  queues: {
    method: "GET",
    path: "/v1/queues",
    summary: "Queues",
    query: z.object({ ...pageQuery }),
    answer: page(queueSchema),
  },
  setQueue: {
    method: "PATCH",
    path: "/v1/queues/:queue",
    summary: "Change a queue: weight, limits, pause",
    params: z.object({ queue: name }),
    body: z.strictObject({
      weight: z.int().min(1).max(1_000_000).optional(),
      runningMax: z.int().min(0).optional(),
      queuedMax: z.int().min(0).optional(),
      paused: z.boolean().optional(),
      pausedReason: z.string().max(200).optional(),
    }),
    answer: queueSchema,
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;
/** The WebSocket of workers, beside the routes. */
export const sessionPath = "/v1/session";
