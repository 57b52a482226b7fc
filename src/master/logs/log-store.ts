// What attempts printed, as this master keeps it (docs/logs.md): segments on the disk, in a thread of their own.

import { statfs } from "node:fs/promises";
import type { Worker } from "node:worker_threads";
import { systemClock, type Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startThread } from "../../lib/thread.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type {
  FromLogThread,
  LinesPage,
  LinesQuery,
  LogAddress,
  LogBytes,
  LogCall,
  LogCalls,
  LogExtent,
  LogRead,
} from "./log-calls.ts";

export interface LogStore extends AsyncDisposable {
  /** Bytes that wait for the disk. */
  readonly waitingBytes: number;
  /** The body of a push; resolves when it is on the disk. @throws SkeinError `invalid`, `overloaded` */
  add(body: Uint8Array): Promise<{ readonly pieces: number }>;
  /** What follows a position; null when nothing does. */
  read(ask: LogRead): Promise<LogBytes | null>;
  extent(address: LogAddress): Promise<LogExtent>;
  lines(query: LinesQuery): Promise<LinesPage>;
  /** What is too old, or too much, goes. */
  prune(): Promise<{ readonly segments: number; readonly bytes: number }>;
  usage(): Promise<{ readonly segments: number; readonly bytes: number }>;
}

export interface LogStoreOptions {
  readonly dir: string;
  readonly log: Log;
  readonly segmentBytes?: number;
  readonly clock?: Pick<Clock, "wall">;
  readonly retain?: { readonly ms: number; readonly bytes: number };
}

export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  const thread = startThread(new URL("./log-thread.ts", import.meta.url), { name: "logs" });
  const store = new ThreadLogStore(thread, options);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Free bytes on the disk below which no log is taken: outcomes and the journal need them more. */
const diskReserve = 256 * 1024 * 1024;
const lookMs = 2_000;
const comeBackSeconds = 10;

class ThreadLogStore implements LogStore {
  readonly #thread: Worker;
  readonly #o: LogStoreOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #gone: Promise<void>;
  #ended: Error | undefined;
  #lastCall = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #hasRoom = true;
  #sinceLook = 0;
  waitingBytes = 0;

  constructor(thread: Worker, options: LogStoreOptions) {
    this.#thread = thread;
    this.#o = options;
    thread.unref();
    thread.on("message", (message: FromLogThread) => this.#hear(message));
    thread.on("error", (error) => this.#end(error));
    this.#gone = new Promise((resolve) => {
      thread.once("exit", () => {
        this.#end(new Error("the thread of the logs has ended"));
        resolve();
      });
    });
  }

  async open(): Promise<void> {
    const { dir, segmentBytes = limits.logSegmentBytes } = this.#o;
    const { damaged } = await this.#call("open", { dir, segmentBytes });
    for (const why of damaged) this.#o.log.error("a segment of logs is damaged", { why });
  }

  async add(body: Uint8Array): Promise<{ readonly pieces: number }> {
    if (!(await this.#room())) throw noRoom();
    this.waitingBytes += body.length;
    try {
      const added = await this.#call("add", { body, wall: this.#wall() });
      this.#sinceLook += body.length;
      if (this.#sinceLook > (this.#o.segmentBytes ?? limits.logSegmentBytes)) await this.prune();
      return added;
    } finally {
      this.waitingBytes -= body.length;
    }
  }

  read(ask: LogRead): Promise<LogBytes | null> {
    return this.#call("read", ask);
  }

  extent(address: LogAddress): Promise<LogExtent> {
    return this.#call("extent", address);
  }

  lines(query: LinesQuery): Promise<LinesPage> {
    return this.#call("lines", query);
  }

  async prune(): Promise<{ readonly segments: number; readonly bytes: number }> {
    this.#sinceLook = 0;
    const { ms, bytes } = this.#o.retain ?? { ms: limits.logsMs, bytes: limits.logsBytesMax };
    const pruned = await this.#call("prune", { before: this.#wall() - ms, bytesMax: bytes });
    if (pruned.segments > 0) this.#o.log.info("old logs were removed", pruned);
    return pruned;
  }

  usage(): Promise<{ readonly segments: number; readonly bytes: number }> {
    return this.#call("usage", null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#call("close", null).catch(() => {});
    await this.#thread.terminate();
    await this.#gone;
  }

  #wall(): number {
    return (this.#o.clock ?? systemClock).wall();
  }

  async #room(): Promise<boolean> {
    if (performance.now() - this.#lookedAt < lookMs) return this.#hasRoom;
    this.#lookedAt = performance.now();
    const disk = await statfs(this.#o.dir).catch(() => undefined);
    const had = this.#hasRoom;
    this.#hasRoom = disk === undefined || disk.bavail * disk.bsize > diskReserve;
    if (had && !this.#hasRoom) this.#o.log.warn("the disk is nearly full: no more logs are kept");
    return this.#hasRoom;
  }

  #call<K extends LogCall>(call: K, ask: LogCalls[K]["ask"]): Promise<LogCalls[K]["answer"]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      // The thread's handler of this kind is typed by the same table.
      this.#waiting.set(id, {
        resolve: (given) => resolve(given as LogCalls[K]["answer"]),
        reject,
      });
      this.#thread.postMessage({ id, call, ask });
    });
  }

  #hear(message: FromLogThread): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (!waiting) return;
    if ("answer" in message) waiting.resolve(message.answer);
    else if (message.code === "invalid") waiting.reject(new SkeinError("invalid", message.why));
    else if (message.code === "full") waiting.reject(noRoom());
    else waiting.reject(new Error(`the logs of this master: ${message.why}`));
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function noRoom(): SkeinError {
  return new SkeinError("overloaded", "This master has no room for logs.", {
    hint: "Free space on its disk. Workers keep what tasks print, and push it then.",
    retryAfter: comeBackSeconds,
  });
}
