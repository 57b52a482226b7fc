// The client: a typed method for each route of /v1. It knows masters, keys and streams; it knows nothing
// of task definitions, bundles or processes: that is the SDK's.

import type { z } from "zod";
import type { FoundRecord } from "../protocol/log-record.ts";
import type { routes } from "../protocol/routes.ts";
import type { SubmitInput } from "../protocol/job-spec.ts";
import type {
  EventView,
  BulkView,
  JobView,
  ListedAttemptView,
  MastersView,
  QueueDetailView,
  QueueView,
  StatusView,
  JobLogsView,
  TaskDetailView,
  TaskView,
  versionSchema,
  WhyView,
  WorkerDetailView,
  WorkerView,
} from "../protocol/views.ts";
import { Caller } from "./calls.ts";
import type { CallOptions } from "./calls.ts";
import { IdempotencyKeys, newClientId } from "./keys.ts";
import { clusterEvents } from "./events.ts";
import type { ClusterEvent, EventsOptions } from "./events.ts";
import { addresses, eventsType, outcomesType, pathOf, text } from "./paths.ts";
import type { Values } from "./paths.ts";
import { lines, logRecords, outcomeEvents } from "./streams.ts";
import type { OutcomeEvent } from "./streams.ts";
import { fetchTransport } from "./transport.ts";
import { payloadCalls } from "./payload-calls.ts";
import { pictureCalls } from "./picture-calls.ts";
import type { PictureClient } from "./picture-calls.ts";
import type { Transport, TransportResponse } from "./transport.ts";
import { reasonOf } from "./wait.ts";

export interface ClientOptions {
  /** Addresses of masters: "http://127.0.0.1:7420". They are tried in turn. */
  readonly masters: readonly string[];
  /** Left out where the transport brings what opens the door: a page with its session. */
  readonly token?: string | undefined;
  /** How requests travel; the platform's fetch unless given. */
  readonly transport?: Transport | undefined;
  /**
   * Part of this client's idempotency keys: up to 64 letters, digits, _ and -; random unless given. Never use
   * one twice at a time.
   */
  readonly clientId?: string | undefined;
  /** How long a call tries again, in milliseconds; 30,000 unless given. */
  readonly retryMs?: number | undefined;
}

export type Query<Name extends keyof typeof routes> = (typeof routes)[Name] extends {
  readonly query: infer Schema extends z.ZodType;
}
  ? z.input<Schema>
  : never;
type Body<Name extends keyof typeof routes> = (typeof routes)[Name] extends {
  readonly body: infer Schema extends z.ZodType;
}
  ? z.input<Schema>
  : never;

/** One page of a list; `total` counts everything that fits the question. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly total: number;
  readonly nextCursor: string | null;
  /** Why this shows, or counts, only a part. */
  readonly partial?: string;
}
/** Of a list that has no counters. */
export type UncountedPage<Item> = Omit<Page<Item>, "total"> & { readonly total: number | null };
export type VersionView = z.output<typeof versionSchema>;
/** A job; from a submit that waited, with base64 of an outcome stream when it has one task. */
export type SubmittedView = JobView & { readonly outcome?: unknown };

export type LoginCode = z.output<(typeof routes)["loginCode"]["answer"]>;
export type SteppedDown = z.output<(typeof routes)["stepDown"]["answer"]>;

/** A submit as it travels: a head (`submitSchema` without `inputs`) and lines of inputs, verbatim. */
export interface LinesSubmit {
  readonly head: Omit<SubmitInput, "inputs">;
  /** NDJSON, each line ended by a newline. */
  readonly lines: Uint8Array | string;
}

export interface SubmitOptions extends CallOptions {
  /** Answer when the job has ended, or after this many milliseconds. */
  readonly waitMs?: number | undefined;
  /** When the signal is aborted, also cancel the job that may have come of it, before rejecting. */
  readonly cancelOnAbort?: boolean | undefined;
  /** W3C trace context, which goes with the job to every attempt. */
  readonly traceparent?: string | undefined;
}

export interface OutcomesOptions extends CallOptions {
  /** Position to go on from, "index.n". */
  readonly after?: string | undefined;
  /** Until the job has ended. */
  readonly follow?: boolean | undefined;
}

export interface LogsOptions extends CallOptions {
  /** The latest unless given. */
  readonly attempt?: number | undefined;
  readonly stream?: "stdout" | "stderr" | "both" | undefined;
  /** Byte of the stored records to begin at: the end of one record is the start of the next. */
  readonly from?: number | undefined;
  readonly follow?: boolean | undefined;
  /** Only lines that contain this text. */
  readonly grep?: string | undefined;
  /** Only the last lines. */
  readonly tail?: number | undefined;
  /** Only what was printed at this wall time of the worker, or later. */
  readonly since?: number | undefined;
}

/**
 * Calls a cluster. Every method tries masters in turn and tries again what can be tried again, within
 * `retryMs`; every method takes a signal. Failures are SkeinErrors with a `code` from the one table.
 */
export interface Client extends PictureClient {
  readonly clientId: string;
  version(options?: CallOptions): Promise<VersionView>;
  status(options?: CallOptions): Promise<StatusView>;
  openapi(options?: CallOptions): Promise<unknown>;
  /** Submits a job; one idempotency key over all tries. */
  submit(submit: SubmitInput | LinesSubmit, options?: SubmitOptions): Promise<SubmittedView>;
  /** Adds part n of an open job's inputs: NDJSON, at most 256 KiB. `payloads`: hashes its lines name. */
  part(
    job: string,
    part: number,
    lines: Uint8Array | string,
    options?: CallOptions & { readonly payloads?: readonly string[] | undefined },
  ): Promise<{ readonly tasks: number }>;
  close(job: string, body?: Body<"close">, options?: CallOptions): Promise<JobView>;
  jobs(query?: Partial<Query<"jobs">>, options?: CallOptions): Promise<Page<JobView>>;
  /** One job; with `waitMs` when it has ended, or after that time. */
  job(
    job: string,
    options?: CallOptions & { readonly waitMs?: number | undefined },
  ): Promise<JobView>;
  cancelJob(job: string, body?: Body<"cancelJob">, options?: CallOptions): Promise<JobView>;
  retryJob(job: string, options?: CallOptions): Promise<JobView>;
  /** Cancels what has not ended of all jobs that fit; with `dryRun` only says which. */
  cancelJobs(body: Body<"cancelJobs">, options?: CallOptions): Promise<BulkView>;
  /** Retries all jobs that fit and ended without success; one idempotency key over all tries. */
  retryJobs(body: Body<"retryJobs">, options?: CallOptions): Promise<BulkView>;
  /** Attempts under way, then those that ended, newest first. */
  jobAttempts(
    job: string,
    query?: Partial<Query<"jobAttempts">>,
    options?: CallOptions,
  ): Promise<UncountedPage<ListedAttemptView>>;
  /** Tasks of all jobs that the masters hold; the filter names a state or a worker. */
  findTasks(query: Query<"findTasks">, options?: CallOptions): Promise<Page<TaskView>>;
  /** Outcomes as they are recorded, each once, over any number of cut connections. */
  outcomes(job: string, options?: OutcomesOptions): AsyncGenerator<OutcomeEvent, void, undefined>;
  /** Lines of results in the order of tasks. */
  results(
    job: string,
    options?: CallOptions & { readonly from?: number; readonly follow?: boolean },
  ): AsyncGenerator<string, void, undefined>;
  tasks(
    job: string,
    query?: Partial<Query<"tasks">>,
    options?: CallOptions,
  ): Promise<Page<TaskView>>;
  task(job: string, task: number, options?: CallOptions): Promise<TaskDetailView>;
  cancelTask(
    job: string,
    task: number,
    body?: Body<"cancelTask">,
    options?: CallOptions,
  ): Promise<TaskView>;
  why(job: string, task: number, options?: CallOptions): Promise<WhyView>;
  logs(
    job: string,
    task: number,
    options?: LogsOptions,
  ): AsyncGenerator<FoundRecord, void, undefined>;
  /** Lines of all attempts of a job, merged by time: a page. */
  jobLogs(
    job: string,
    query?: Partial<Query<"jobLogs">>,
    options?: CallOptions,
  ): Promise<JobLogsView>;
  /** Stores bytes under their SHA-256 (64 lower-case hex digits). */
  putPayload(hash: string, bytes: Uint8Array, options?: CallOptions): Promise<void>;
  /** Stored bytes, all or a range of them. */
  payload(
    hash: string,
    options?: CallOptions & { readonly range?: { readonly from: number; readonly to?: number } },
  ): Promise<Uint8Array>;
  /** Rows of the timeline, newest first. */
  eventList(
    query?: Partial<Query<"events">>,
    options?: CallOptions,
  ): Promise<Page<EventView> & { readonly partial?: string }>;
  /** What happens, as it happens; until it is aborted or left. */
  events(options?: EventsOptions & CallOptions): AsyncGenerator<ClusterEvent, void, undefined>;
  /** A one-time code that opens the dashboard in a browser. */
  loginCode(options?: CallOptions): Promise<LoginCode>;
  workers(query?: Partial<Query<"workers">>, options?: CallOptions): Promise<Page<WorkerView>>;
  worker(worker: string, options?: CallOptions): Promise<WorkerDetailView>;
  workerAttempts(
    worker: string,
    query?: Partial<Query<"workerAttempts">>,
    options?: CallOptions,
  ): Promise<UncountedPage<ListedAttemptView>>;
  /** It takes nothing new and stays; `undo` lets it take work again. */
  cordonWorker(
    worker: string,
    body?: Body<"cordonWorker">,
    options?: CallOptions,
  ): Promise<WorkerView>;
  /** One that is lost or gone. */
  forgetWorker(worker: string, options?: CallOptions): Promise<void>;
  drainWorker(
    worker: string,
    body?: Body<"drainWorker">,
    options?: CallOptions,
  ): Promise<WorkerView>;
  /** Masters as the one that is asked sees them. Their addresses are then known to this client too. */
  masters(options?: CallOptions): Promise<MastersView>;
  /** The leader gives the lead to a master that stands by. Name the term, so that it happens once. */
  stepDown(body: Body<"stepDown">, options?: CallOptions): Promise<SteppedDown>;
  queues(query?: Partial<Query<"queues">>, options?: CallOptions): Promise<Page<QueueView>>;
  queue(queue: string, options?: CallOptions): Promise<QueueDetailView>;
  setQueue(queue: string, body: Body<"setQueue">, options?: CallOptions): Promise<QueueView>;
}

/**
 * A client of a cluster.
 *
 * @example
 * const client = createClient({ masters: ["http://127.0.0.1:7420"], token });
 * const { items } = await client.jobs({ filter: "state:failed created>2h" });
 */
export function createClient(options: ClientOptions): Client {
  const { masters, token, retryMs, clientId = newClientId() } = options;
  const caller = new Caller({
    masters,
    token,
    retryMs,
    transport: options.transport ?? fetchTransport,
  });
  const keys = new IdempotencyKeys(clientId);
  const ask = makeAsk(caller);
  return {
    clientId,
    ...readCalls(ask),
    ...pictureCalls(ask),
    ...masterCalls(ask, caller),
    ...changeCalls(ask, keys),
    ...streamCalls(caller),
    ...payloadCalls(caller),
  };
}

export type Ask = ReturnType<typeof makeAsk>;

interface AskRequest {
  readonly params?: Values;
  readonly query?: Values;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly lines?: Uint8Array | string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly waitMs?: number | undefined;
}

const jsonType = { "content-type": "application/json" };
const linesType = { "content-type": "application/x-ndjson" };
const silenceMs = 15_000;
/** Beyond it: what a change to many jobs may take. */
const bulkMs = 300_000;
/** A stream without even a pulse for this long is opened anew. */
const streamSilenceMs = 45_000;
/** Its pulse comes each second. */
const eventsSilenceMs = 10_000;

function makeAsk(caller: Caller) {
  return <T>(
    name: keyof typeof addresses,
    request: AskRequest,
    options: CallOptions = {},
  ): Promise<T> => {
    const { json, lines: ndjson, headers } = request;
    const typed = ndjson !== undefined ? linesType : json !== undefined ? jsonType : undefined;
    const body = ndjson ?? (json === undefined ? undefined : JSON.stringify(json));
    return caller.call(
      {
        method: addresses[name][0],
        path: pathOf(name, request.params, request.query),
        key: request.key,
        silenceMs: silenceMs + (request.waitMs ?? 0),
        ...(typed || headers ? { headers: { ...typed, ...headers } } : {}),
        ...(body === undefined ? {} : { body }),
      },
      options,
      // The master validates what it is told, and is trusted in what it answers.
      async (response) => JSON.parse(await response.text()) as T,
    );
  };
}

function readCalls(ask: Ask) {
  return {
    version: (options) => ask("version", {}, options),
    status: (options) => ask("status", {}, options),
    openapi: (options) => ask("openapi", {}, options),
    jobs: (query, options) => ask("jobs", { query: text(query) }, options),
    job: (job, options = {}) => {
      const { waitMs } = options;
      return ask("job", { params: { job }, query: { wait: waitMs }, waitMs }, options);
    },
    jobLogs: (job, query, options) =>
      ask("jobLogs", { params: { job }, query: text(query) }, options),
    tasks: (job, query, options) => ask("tasks", { params: { job }, query: text(query) }, options),
    task: (job, task, options) => ask("task", { params: { job, task } }, options),
    why: (job, task, options) => ask("why", { params: { job, task } }, options),
    eventList: (query, options) => ask("events", { query: text(query) }, options),
    workers: (query, options) => ask("workers", { query: text(query) }, options),
    worker: (worker, options) => ask("worker", { params: { worker } }, options),
    workerAttempts: (worker, query, options) =>
      ask("workerAttempts", { params: { worker }, query: text(query) }, options),
    jobAttempts: (job, query, options) =>
      ask("jobAttempts", { params: { job }, query: text(query) }, options),
    findTasks: (query, options) => ask("findTasks", { query: text(query) }, options),
    queue: (queue, options) => ask("queue", { params: { queue } }, options),
    queues: (query, options) => ask("queues", { query: text(query) }, options),
  } satisfies Partial<Client>;
}

function masterCalls(ask: Ask, caller: Caller) {
  return {
    masters: async (options) => {
      const view = await ask<MastersView>("masters", {}, options);
      caller.learn(
        view.items.filter(({ state }) => state !== "away").map(({ address }) => address),
      );
      return view;
    },
    loginCode: (options) => ask("loginCode", { json: {} }, options),
    stepDown: (body, options) => ask("stepDown", { json: body }, options),
  } satisfies Partial<Client>;
}

function changeCalls(ask: Ask, keys: IdempotencyKeys) {
  return {
    submit: async (submit, options = {}) => {
      const { waitMs } = options;
      if (options.signal?.aborted) throw reasonOf(options.signal);
      const { traceparent } = options;
      const headers = traceparent === undefined ? {} : { headers: { traceparent } };
      const request = { query: { wait: waitMs }, waitMs, ...headers, ...submitBody(submit) };
      const send = async (key?: string) => {
        const keyed = key === undefined ? request : { ...request, key };
        try {
          return await ask<SubmittedView>("submit", keyed, options);
        } catch (error) {
          if (options.cancelOnAbort && options.signal?.aborted) await revoke(ask, keyed);
          throw error;
        }
      };
      // A user's own key makes it safe to repeat by itself.
      const { key } = "head" in submit ? submit.head : submit;
      return key === undefined ? keys.use(options.signal, send) : send();
    },
    part: (job, part, body, options = {}) => {
      const query = options.payloads?.length ? { payloads: options.payloads.join(",") } : {};
      return ask("part", { params: { job, part }, query, lines: body }, options);
    },
    close: (job, body = {}, options) => ask("close", { params: { job }, json: body }, options),
    cancelJob: (job, body = {}, options) =>
      ask("cancelJob", { params: { job }, json: body }, options),
    retryJob: (job, options = {}) =>
      keys.use(options.signal, (key) =>
        ask<JobView>("retryJob", { params: { job }, json: {}, key }, options),
      ),
    cancelJobs: (body, options) => ask("cancelJobs", { json: body, waitMs: bulkMs }, options),
    retryJobs: (body, options = {}) =>
      keys.use(options.signal, (key) =>
        ask<BulkView>("retryJobs", { json: body, key, waitMs: bulkMs }, options),
      ),
    cordonWorker: (worker, body = {}, options) =>
      ask("cordonWorker", { params: { worker }, json: body }, options),
    forgetWorker: async (worker, options) => {
      await ask("forgetWorker", { params: { worker } }, options);
    },
    cancelTask: (job, task, body = {}, options) =>
      ask("cancelTask", { params: { job, task }, json: body }, options),
    drainWorker: (worker, body = {}, options) =>
      ask("drainWorker", { params: { worker }, json: body }, options),
    setQueue: (queue, body, options) => ask("setQueue", { params: { queue }, json: body }, options),
  } satisfies Partial<Client>;
}

/** Cancels the job of a submit whose answer was not awaited: the same key names it, or makes it now. */
async function revoke(ask: Ask, request: AskRequest): Promise<void> {
  const options = { retryMs: 5_000 };
  try {
    const job = await ask<JobView>("submit", { ...request, query: {}, waitMs: 0 }, options);
    const json = { reason: "its client aborted the submit" };
    await ask("cancelJob", { params: { job: job.id }, json }, options);
  } catch {
    // The caller hears of the abort; that the cluster could not be told as well changes nothing for it.
  }
}

function submitBody(submit: SubmitInput | LinesSubmit): AskRequest {
  if (!("head" in submit)) return { json: submit };
  const head = `${JSON.stringify(submit.head)}\n`;
  if (typeof submit.lines === "string") return { lines: head + submit.lines };
  const headBytes = new TextEncoder().encode(head);
  const all = new Uint8Array(headBytes.length + submit.lines.length);
  all.set(headBytes);
  all.set(submit.lines, headBytes.length);
  return { lines: all };
}

function streamCalls(caller: Caller) {
  const open = (path: string, options: CallOptions, headers: Readonly<Record<string, string>>) =>
    caller.call<TransportResponse>(
      { method: "GET", path, headers, silenceMs: streamSilenceMs, streams: true },
      options,
      async (response) => response,
    );
  return {
    outcomes: (job, options = {}) => {
      const follow = options.follow ?? false;
      const query = { follow: follow ? "1" : "0" };
      return outcomeEvents(
        (after) =>
          open(pathOf("outcomes", { job }, { after, ...query }), options, { accept: outcomesType }),
        { signal: options.signal, after: options.after, follow },
      );
    },
    events: (options = {}) => {
      const topics = options.topics?.join(",");
      return clusterEvents(
        (place) =>
          caller.call<TransportResponse>(
            {
              method: "GET",
              path: pathOf("events", {}, { ...place, topics }),
              headers: { accept: eventsType },
              silenceMs: eventsSilenceMs,
              streams: true,
            },
            options,
            async (response) => response,
          ),
        options,
      );
    },
    results: (job, options = {}) => {
      const follow = options.follow ? "1" : "0";
      return lines(
        (from) =>
          open(pathOf("results", { job }, { from, follow }), options, {
            accept: "application/x-ndjson",
          }),
        { signal: options.signal, from: options.from },
      );
    },
    logs: (job, task, options = {}) => {
      const { grep, since, tail: last } = options;
      // Positions count both streams. What is looked for has positions of its own.
      const searches = grep !== undefined || since !== undefined || last !== undefined;
      const stream = searches ? (options.stream ?? "both") : "both";
      const query = { stream, follow: options.follow ? "1" : "0", grep, since };
      return logRecords(
        (from, attempt, tail) =>
          open(pathOf("logs", { job, task }, { ...query, from, attempt, tail }), options, {
            accept: "application/octet-stream",
          }),
        options,
      );
    },
  } satisfies Partial<Client>;
}
