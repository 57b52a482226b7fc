// The HTTP API, /v1: every route with its input and output, as the schemas that validate (zod). The
// server binds handlers to this table, OpenAPI is made from it, and the client is typed by it.

import { z } from "zod";
import { hash, jobRef, milliseconds, name } from "./fields.ts";
import { submitSchema } from "./job-spec.ts";
import { limits } from "./limits.ts";
import { pictureRoutes } from "./picture-routes.ts";
import type { Route } from "./route.ts";
import {
  eventSchema,
  jobLogsSchema,
  bulkSchema,
  jobSchema,
  listedAttemptSchema,
  mastersSchema,
  queueDetailSchema,
  queueSchema,
  statusSchema,
  taskDetailSchema,
  taskSchema,
  versionSchema,
  whySchema,
  workerDetailSchema,
  workerSchema,
} from "./views.ts";

const page = <T extends z.ZodType>(items: T) =>
  z.object({
    items: z.array(items),
    /** Of everything that fits, not only of this page (P8). */
    total: z.int(),
    nextCursor: z.string().nullable(),
    /** Why this shows, or counts, only a part. */
    partial: z.string().optional(),
  });
/** Of a list that has no counters. */
const uncountedPage = <T extends z.ZodType>(items: T) =>
  page(items).extend({ total: z.int().nullable() });
const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().optional(),
  /** Terms with spaces between: see `filter.ts`. */
  filter: z.string().optional(),
  /** Names of an item's fields with commas between; all unless given. */
  fields: z.string().max(1_000).optional(),
};
/** What is misspelt must not show everything. */
const listQuery = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `there is no parameter ${issue.keys.join(", ")} here; there are ${Object.keys(shape).join(", ")}, ` +
          "and a list is narrowed by ?filter=NAME:VALUE"
        : undefined,
  });
/** What changes many jobs at once: those that fit, if they are as many as expected. */
const bulkBody = {
  filter: z.string().min(1),
  expectedCount: z.int().min(0).optional(),
  dryRun: z.boolean().default(false),
};
const workerPath = z.object({ worker: name });
const jobPath = z.object({ job: jobRef });
const taskPath = z.object({ job: jobRef, task: z.coerce.number().int().min(0) });

/** What every GET takes beside its own query (L5). */
export const readQuery = z.object({
  atLeast: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  strong: z
    .enum(["true", "false"])
    .transform((word) => word === "true")
    .optional(),
});
export type ReadQuery = z.output<typeof readQuery>;

/** Binary outcome records: see `outcome-stream.ts`. */
export const outcomeStreamType = "application/vnd.skein.outcomes";

/** Server-sent events: see docs/events.md. */
export const eventStreamType = "text/event-stream";

export const routes = {
  version: { method: "GET", path: "/v1/version", summary: "Versions", answer: versionSchema },
  openapi: {
    method: "GET",
    path: "/v1/openapi.json",
    summary: "This API as OpenAPI 3.1",
    answer: z.unknown(),
  },
  reference: {
    method: "GET",
    path: "/v1/reference",
    summary: "This API as a page for people",
    gives: ["text/html"],
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
    summary: "Jobs, newest first unless sort=created",
    query: listQuery({ ...pageQuery, sort: z.enum(["-created", "created"]).default("-created") }),
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
  cancelJobs: {
    method: "POST",
    path: "/v1/jobs:cancel",
    summary: "Cancel what has not ended of all jobs that fit a filter",
    body: z.strictObject({ ...bulkBody, reason: z.string().max(200).optional() }),
    answer: bulkSchema,
  },
  retryJobs: {
    method: "POST",
    path: "/v1/jobs:retry",
    summary: "Retry all jobs that fit a filter and ended without success",
    body: z.strictObject(bulkBody),
    answer: bulkSchema,
  },
  jobAttempts: {
    method: "GET",
    path: "/v1/jobs/:job/attempts",
    summary: "Attempts of a job: those under way, then those that ended, newest first",
    params: jobPath,
    query: listQuery(pageQuery),
    answer: uncountedPage(listedAttemptSchema),
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
    query: listQuery(pageQuery),
    answer: page(taskSchema),
  },
  findTasks: {
    method: "GET",
    path: "/v1/tasks",
    summary: "Tasks of all jobs that the masters hold, by state or worker",
    query: listQuery(pageQuery),
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
      /** Only lines that contain this text. */
      grep: z.string().min(1).max(1_000).optional(),
      /** Only the last lines. */
      tail: z.coerce.number().int().min(0).max(limits.logTailLinesMax).optional(),
      /** Only what was printed at this wall time (ms since 1970) of the worker, or later. */
      since: z.coerce.number().min(0).optional(),
    }),
    /** Log records: see `log-record.ts`. */
    gives: ["application/octet-stream"],
  },
  jobLogs: {
    method: "GET",
    path: "/v1/jobs/:job/logs",
    summary: "Lines that the attempts of a job printed, merged by time",
    params: jobPath,
    query: z.object({
      ...pageQuery,
      grep: z.string().min(1).max(1_000).optional(),
      since: z.coerce.number().min(0).optional(),
      stream: z.enum(["stdout", "stderr", "both"]).default("both"),
    }),
    answer: jobLogsSchema,
  },
  pushLogs: {
    method: "POST",
    path: "/v1/worker-logs",
    summary: "Workers keep here what attempts print: see log-push.ts",
    takes: ["application/octet-stream"],
    answer: z.object({
      pieces: z.int(),
      /** The next body not before this time. */
      afterMs: z.int(),
    }),
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
  loginCode: {
    method: "POST",
    path: "/v1/login-codes",
    status: 201,
    summary: "A one-time code that opens the dashboard in a browser",
    body: z.strictObject({}).default({}),
    answer: z.object({ code: z.string(), url: z.string(), expires: z.string() }),
  },
  workers: {
    method: "GET",
    path: "/v1/workers",
    summary: "Workers",
    query: listQuery(pageQuery),
    answer: page(workerSchema),
  },
  worker: {
    method: "GET",
    path: "/v1/workers/:worker",
    summary: "One worker",
    params: workerPath,
    answer: workerDetailSchema,
  },
  workerAttempts: {
    method: "GET",
    path: "/v1/workers/:worker/attempts",
    summary: "What a worker runs and ran: attempts under way, then those that ended, newest first",
    params: workerPath,
    query: listQuery(pageQuery),
    answer: uncountedPage(listedAttemptSchema),
  },
  cordonWorker: {
    method: "POST",
    path: "/v1/workers/:worker/cordon",
    summary: "Let a worker take nothing new, for as long as that is not undone",
    params: workerPath,
    body: z
      .strictObject({
        undo: z.boolean().default(false),
        /** Kept in the log of the master that leads. */
        reason: z.string().max(200).optional(),
      })
      .default({ undo: false }),
    answer: workerSchema,
  },
  forgetWorker: {
    method: "DELETE",
    path: "/v1/workers/:worker",
    summary: "Forget a worker that is lost or gone",
    params: workerPath,
    answer: z.object({ id: z.string(), done: z.literal(true) }),
  },
  drainWorker: {
    method: "POST",
    path: "/v1/workers/:worker/drain",
    summary: "Let a worker finish and take nothing new",
    params: workerPath,
    body: z
      .strictObject({
        deadlineMs: milliseconds.default(3_600_000),
        exit: z.boolean().default(true),
        undo: z.boolean().default(false),
      })
      .default({ deadlineMs: 3_600_000, exit: true, undo: false }),
    answer: workerSchema,
  },
  masters: {
    method: "GET",
    path: "/v1/masters",
    summary: "Masters as the one that is asked sees them; the leader knows most",
    answer: mastersSchema,
  },
  stepDown: {
    method: "POST",
    path: "/v1/masters/step-down",
    summary: "The leader gives the lead to a master that stands by",
    body: z
      .strictObject({
        /** To this one; else to whichever is soonest. */
        to: name.optional(),
        /** Only if it is still this term: so that a request that is sent again does nothing. */
        term: z.int().min(1).optional(),
      })
      .default({}),
    /** Who led in that term, and to whom it gave the lead: null, if to whoever stands first. */
    answer: z.object({
      id: z.string(),
      term: z.int(),
      to: z.string().nullable(),
      done: z.literal(true),
    }),
  },
  events: {
    method: "GET",
    path: "/v1/events",
    summary:
      "The timeline, newest first; with Accept: text/event-stream a stream of it and of other topics",
    query: listQuery({
      ...pageQuery,
      /** Of a stream: timeline, overview, jobs, job:ID, workers, queues, masters. */
      topics: z.string().max(4_096).default("timeline"),
      /** Of a stream: the position to go on from, unless Last-Event-ID says so. */
      after: z.string().optional(),
      /** Of a stream: the journal that the position is of, as `tick` names it. */
      journal: z.string().max(256).optional(),
    }),
    answer: page(eventSchema),
    gives: [eventStreamType],
  },
  queues: {
    method: "GET",
    path: "/v1/queues",
    summary: "Queues",
    query: listQuery(pageQuery),
    answer: page(queueSchema),
  },
  queue: {
    method: "GET",
    path: "/v1/queues/:queue",
    summary: "One queue",
    params: z.object({ queue: name }),
    answer: queueDetailSchema,
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
  ...pictureRoutes,
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;
/** The WebSocket of workers, beside the routes. */
export const sessionPath = "/v1/session";
/** The WebSocket between masters. */
export const peerPath = "/v1/peer";
