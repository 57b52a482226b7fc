/**
 * The part of BullMQ and ioredis that the benchmark uses: local types, because the packages may not
 * be installed when this is type-checked, and the worker.
 */
import { loadPeer } from "./install.ts";
import type { PrivateServer } from "./launch.ts";

export interface BullmqConnection {
  readonly host: string;
  readonly port: number;
  readonly password: string;
  /** BullMQ's workers require null. */
  readonly maxRetriesPerRequest: null;
}

export interface BullmqJob {
  readonly data: { readonly index: number };
  waitUntilFinished(events: BullmqEvents, ttlMs: number): Promise<unknown>;
}

export interface BullmqQueue {
  add(name: string, data: BullmqJob["data"]): Promise<BullmqJob>;
  addBulk(jobs: readonly { name: string; data: BullmqJob["data"] }[]): Promise<unknown>;
  getJobCounts(...states: string[]): Promise<Readonly<Record<string, number>>>;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

export interface BullmqEvents {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

interface BullmqWorker {
  on(event: "completed", listener: (job: BullmqJob) => void): unknown;
  on(event: "failed" | "error", listener: (...values: unknown[]) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

type WithConnection = { readonly connection: BullmqConnection };

interface Bullmq {
  readonly Queue: new (name: string, options: WithConnection) => BullmqQueue;
  readonly QueueEvents: new (name: string, options: WithConnection) => BullmqEvents;
  readonly Worker: new (
    name: string,
    run: (job: BullmqJob) => Promise<number>,
    options: WithConnection & { readonly concurrency: number },
  ) => BullmqWorker;
}

interface Ioredis {
  readonly Redis: new (options: BullmqConnection) => {
    call(command: string, ...values: string[]): Promise<unknown>;
    disconnect(): void;
  };
}

export interface BullmqWorkerSettings {
  readonly kind: "bullmq";
  readonly connection: BullmqConnection;
  readonly queue: string;
  readonly concurrency: number;
}

export function loadBullmq(): Promise<Bullmq> {
  return loadPeer<Bullmq>("bullmq", ["Queue", "QueueEvents", "Worker"]);
}

export function connectionTo(server: PrivateServer): BullmqConnection {
  const { host, port, password } = server;
  return { host, port, password, maxRetriesPerRequest: null };
}

export async function startBullmqWorker(
  settings: BullmqWorkerSettings,
  onDone: (index: number) => void,
): Promise<AsyncDisposable> {
  const { Worker } = await loadBullmq();
  const { queue, connection, concurrency } = settings;
  const noop = (job: BullmqJob): Promise<number> => Promise.resolve(job.data.index);
  const worker = new Worker(queue, noop, { connection, concurrency });
  // "completed" comes after Redis has acknowledged the outcome.
  worker.on("completed", (job) => onDone(job.data.index));
  worker.on("failed", (...values) => console.error("bullmq: a job failed", values[1]));
  worker.on("error", (error) => console.error("bullmq:", error));
  await worker.waitUntilReady();
  return { [Symbol.asyncDispose]: () => worker.close() };
}

/** What the running server says of itself: version, and how it makes writes durable. */
export async function readRedisFacts(
  connection: BullmqConnection,
): Promise<{ readonly version: string; readonly fsync: string }> {
  const { Redis } = await loadPeer<Ioredis>("ioredis", ["Redis"]);
  const redis = new Redis(connection);
  try {
    const version = /redis_version:(\S+)/.exec(String(await redis.call("INFO", "server")))?.[1];
    const setting = async (name: string): Promise<string> => {
      const answer = await redis.call("CONFIG", "GET", name);
      return Array.isArray(answer) ? String(answer[1]) : "unknown";
    };
    const appends = (await setting("appendonly")) === "yes";
    return { version: version ?? "?", fsync: appends ? await setting("appendfsync") : "off" };
  } finally {
    redis.disconnect();
  }
}
