// Starts slots and keeps what they share: code, logs, memory watch, folders.

import { copyFile, link, mkdir, rename } from "node:fs/promises";
import { extname, join } from "node:path";
import { systemClock, type Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { JobId, PayloadHash, TaskNumber } from "../../protocol/ids.ts";
import type { JobDescriptor } from "../../protocol/messages.ts";
import type { Executor, Slot, SlotHandlers } from "../executor.ts";
import { AttemptLogs } from "./attempt-logs.ts";
import { readLog, type LogPart, type LogQuery } from "./log-reader.ts";
import { removeOldLogs } from "./log-retention.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { ProcessSlot } from "./process-slot.ts";
import { killLeftovers } from "./slot-folder.ts";
import type { ForgetResults, SlotSupport, StoreResult } from "./slot-support.ts";
import type { SlotCode } from "./wire.ts";

const recycleAfterDefault = 100_000;
const retentionMs = 3_600_000;
const closeMs = 10_000;

export interface ExecutorOptions {
  readonly dataDir: string;
  readonly workerId: string;
  /** The file of a bundle, fetched if need be; rejects when it cannot be had now. */
  readonly bundlePath: (hash: PayloadHash) => Promise<string>;
  readonly storeResult: StoreResult;
  readonly forgetResults?: ForgetResults;
  readonly log: Log;
  readonly clock?: Clock;
  /** Attempts after which a slot is replaced. */
  readonly recycleAfter?: number;
}

type Waits = (job: JobId, task: TaskNumber, attempt: number) => boolean;

export interface SlotExecutor extends Executor {
  readonly logs: AttemptLogs;
  /** Kills what a predecessor in this data directory left; to be called before the first start. */
  killLeftovers(): number;
  /**
   * Hands over parts of a log, waiting for each; returns how to stop. `waits` says whether an attempt is still
   * to come to a slot.
   */
  readLog(
    query: LogQuery,
    onPart: (part: LogPart) => void | Promise<void>,
    waits?: Waits,
  ): () => void;
  /** Stops all slots by force and waits until they are gone and their output is written. */
  close(): Promise<void>;
}

export function createExecutor(options: ExecutorOptions): SlotExecutor {
  return new ProcessExecutor(options);
}

class ProcessExecutor implements SlotExecutor {
  readonly #options: ExecutorOptions;
  readonly #support: SlotSupport;
  readonly #slots = new Set<ProcessSlot>();
  readonly #files = new Map<PayloadHash, Promise<string>>();
  readonly #retention: NodeJS.Timeout;
  #onEmpty: (() => void) | undefined;

  constructor(options: ExecutorOptions) {
    const { dataDir, workerId, log, storeResult, forgetResults = () => {} } = options;
    const clock = options.clock ?? systemClock;
    this.#options = options;
    this.#support = {
      dataDir,
      workerId,
      clock,
      log,
      storeResult,
      forgetResults,
      logs: new AttemptLogs({ dataDir, log }),
      memory: new MemoryWatch(clock),
      recycleAfter: options.recycleAfter ?? recycleAfterDefault,
      codeOf: (job) => this.#codeOf(job),
    };
    this.#retention = setInterval(() => void this.#removeOldLogs(), retentionMs);
    this.#retention.unref();
    void this.#removeOldLogs();
  }

  get logs(): AttemptLogs {
    return this.#support.logs;
  }

  start(job: JobDescriptor, id: number, handlers: SlotHandlers): Slot {
    let slot: ProcessSlot | undefined;
    const onExit = (reason: string) => {
      if (slot) this.#slots.delete(slot);
      handlers.onExit(reason);
      if (this.#slots.size === 0) this.#onEmpty?.();
    };
    try {
      slot = new ProcessSlot(job, id, { ...handlers, onExit }, this.#support);
      this.#slots.add(slot);
      return slot;
    } catch (error) {
      // No folder, no process: nothing of it is left, and the agent learns it as it learns of any end.
      const reason = `the slot could not be started: ${(error as Error).message}`;
      this.#options.log.error("a slot could not be started; look at the data directory", { error });
      return deadSlot(id, handlers, reason);
    }
  }

  killLeftovers(): number {
    return killLeftovers(this.#options.dataDir, this.#options.log);
  }

  readLog(
    query: LogQuery,
    onPart: (part: LogPart) => void | Promise<void>,
    waits: Waits = () => false,
  ): () => void {
    const isHeld: Waits = (job, task, attempt) => {
      for (const slot of this.#slots) if (slot.has(job, task, attempt)) return true;
      return waits(job, task, attempt);
    };
    return readLog(query, onPart, { logs: this.#support.logs, isHeld });
  }

  async close(): Promise<void> {
    clearInterval(this.#retention);
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      setTimeout(resolve, closeMs).unref();
    });
    for (const slot of this.#slots) slot.stop(true);
    if (this.#slots.size > 0) await empty;
    await this.#support.logs.flushed();
  }

  async #codeOf({ code }: JobDescriptor): Promise<SlotCode> {
    if (code.kind === "command") return code;
    const { bundle } = code;
    let file = this.#files.get(bundle);
    if (!file) {
      file = this.#moduleFile(bundle);
      this.#files.set(bundle, file);
      // Only a success is worth remembering, and not for ever: the file may be evicted.
      file.then(
        () => this.#files.delete(bundle),
        () => this.#files.delete(bundle),
      );
    }
    return { kind: "function", file: await file };
  }

  /** Node decides by its extension what a file is, and a payload has none. */
  async #moduleFile(bundle: PayloadHash): Promise<string> {
    const file = await this.#options.bundlePath(bundle);
    if ([".js", ".mjs", ".cjs"].includes(extname(file))) return file;
    const folder = join(this.#options.dataDir, "modules");
    const module = join(folder, `${bundle}.mjs`);
    await mkdir(folder, { recursive: true });
    try {
      await link(file, module);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return module;
      // Another file system: a copy, that appears whole or not at all.
      const draft = `${module}.${process.pid}`;
      await copyFile(file, draft);
      await rename(draft, module);
    }
    return module;
  }

  async #removeOldLogs(): Promise<void> {
    const { logs, clock } = this.#support;
    try {
      const removed = await removeOldLogs({
        folder: logs.folder,
        now: clock.wall(),
        spare: logs.openJobs(),
      });
      if (removed.length > 0) this.#options.log.info("removed old logs", { jobs: removed.length });
    } catch (error) {
      this.#options.log.warn("old logs could not be removed; trying again in an hour", { error });
    }
  }
}

function deadSlot(id: number, handlers: SlotHandlers, reason: string): Slot {
  queueMicrotask(() => handlers.onExit(reason));
  return {
    id,
    pid: undefined,
    give: (attempts) => queueMicrotask(() => handlers.onDropped(attempts)),
    drop: () => {},
    cancel: () => {},
    stop: () => {},
  };
}
