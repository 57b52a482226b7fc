/**
 * The part of graphile-worker and pg that the benchmark uses: local types, because the packages may
 * not be installed when this is type-checked, and the worker.
 */
import { EventEmitter } from "node:events";
import { loadPeer } from "./install.ts";

/** `GraphileConfig.WorkerOptions`, as far as a benchmark sets it. */
export interface GraphilePreset {
  readonly concurrentJobs?: number;
  readonly maxPoolSize?: number;
  readonly localQueue?: { readonly size: number };
  readonly completeJobBatchDelay?: number;
  readonly failJobBatchDelay?: number;
}

interface Options {
  readonly preset: {
    readonly extends: readonly unknown[];
    readonly worker: GraphilePreset & {
      readonly connectionString: string;
      readonly schema: string;
      readonly logger: unknown;
    };
  };
  readonly noHandleSignals: true;
  readonly parsedCronItems: readonly never[];
  readonly events?: EventEmitter;
  readonly taskList?: Readonly<Record<string, (payload: unknown) => Promise<void>>>;
}

interface JobSpec {
  readonly identifier: string;
  readonly payload: { readonly index: number };
}

export interface GraphileUtils {
  addJob(identifier: string, payload: JobSpec["payload"]): Promise<{ readonly id: string }>;
  addJobs(jobs: readonly JobSpec[]): Promise<unknown>;
  migrate(): Promise<void>;
  release(): Promise<void>;
}

interface Graphile {
  readonly run: (options: Options) => Promise<{ stop(): Promise<void> }>;
  readonly makeWorkerUtils: (options: Options) => Promise<GraphileUtils>;
  readonly Logger: new (factory: () => () => void) => unknown;
  readonly WorkerPreset: unknown;
  readonly parseCronItems: (items: readonly never[]) => readonly never[];
}

export interface SqlClient {
  connect(): Promise<unknown>;
  query(text: string): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
  end(): Promise<void>;
}

interface Pg {
  readonly Client: new (options: { readonly connectionString: string }) => SqlClient;
}

export interface GraphileWorkerSettings {
  readonly kind: "graphile-worker";
  readonly connectionString: string;
  readonly schema: string;
  readonly preset: GraphilePreset;
}

async function loadGraphile(): Promise<Graphile> {
  // Read when the package loads: without it every job builds a log line that nobody reads.
  process.env["NO_LOG_SUCCESS"] = "1";
  const members = ["run", "makeWorkerUtils", "Logger", "WorkerPreset", "parseCronItems"] as const;
  return loadPeer<Graphile>("graphile-worker", members);
}

function optionsOf(graphile: Graphile, settings: GraphileWorkerSettings): Options {
  const { connectionString, schema, preset } = settings;
  const logger = new graphile.Logger(() => () => undefined);
  const worker = { ...preset, connectionString, schema, logger };
  const parsedCronItems = graphile.parseCronItems([]);
  return {
    preset: { extends: [graphile.WorkerPreset], worker },
    noHandleSignals: true,
    parsedCronItems,
  };
}

export async function openGraphileUtils(settings: GraphileWorkerSettings): Promise<GraphileUtils> {
  const graphile = await loadGraphile();
  const utils = await graphile.makeWorkerUtils(optionsOf(graphile, settings));
  await utils.migrate();
  return utils;
}

/** `onDone` follows "job:success": the function has returned, its completion is on its way. */
export async function startGraphileWorker(
  settings: GraphileWorkerSettings,
  onDone: (index: number) => void,
): Promise<AsyncDisposable> {
  const graphile = await loadGraphile();
  const events = new EventEmitter();
  events.on("job:success", ({ job }: { job: { payload: JobSpec["payload"] } }) =>
    onDone(job.payload.index),
  );
  events.on("job:error", ({ error }: { error: unknown }) =>
    console.error("graphile-worker: a job failed", error),
  );
  const taskList = { noop: () => Promise.resolve() };
  const runner = await graphile.run({ ...optionsOf(graphile, settings), events, taskList });
  return { [Symbol.asyncDispose]: () => runner.stop() };
}

export async function openSql(connectionString: string): Promise<SqlClient> {
  const { Client } = await loadPeer<Pg>("pg", ["Client"]);
  const client = new Client({ connectionString });
  await client.connect();
  return client;
}
