// Drives one slot and keeps what it says: for tests, which wait on conditions instead of on time.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../lib/log.ts";
import type { JobDescriptor } from "../../protocol/messages.ts";
import { endReason, type Code } from "../../protocol/model.ts";
import { decodeStored, storedBit, type OutcomeItem } from "../../protocol/outcome-block.ts";
import { createExecutor, type ExecutorOptions, type SlotExecutor } from "./executor.ts";
import type { ProcessSlot } from "./process-slot.ts";
import type { StoreSource } from "./slot-support.ts";

const waitMs = 20_000;

export interface TrialOptions {
  /** Source of a module that exports tasks; `task(name, run, more)` is at hand in it. */
  readonly module?: string;
  readonly command?: Omit<Extract<Code, { kind: "command" }>, "kind">;
  readonly job?: Partial<JobDescriptor>;
  readonly executor?: Partial<ExecutorOptions>;
}

/** How one attempt ended, readable. */
export interface TrialEnd {
  readonly task: number;
  readonly attempt: number;
  readonly reason: string;
  readonly micros: number;
  readonly logBytes: number;
  readonly stored: boolean;
  /** Stored payloads that the value names inside. */
  readonly payloads: readonly string[];
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON, looked into by assertions
  readonly value: any;
}

const prelude = `const task = (name, run, more = {}) =>
  ({ [Symbol.for("skein.task")]: true, name, run, ...more });\n`;

export class Trial {
  readonly dataDir = mkdtempSync(join(tmpdir(), "skein-slot-"));
  readonly executor: SlotExecutor;
  readonly job: JobDescriptor;
  readonly ends: TrialEnd[] = [];
  readonly dropped: { task: number; attempt: number }[] = [];
  readonly started: number[] = [];
  readonly progress: { task: number; percent: number; message: string | undefined }[] = [];
  /** What happened, in order. */
  readonly events: string[] = [];
  readonly payloads = new Map<string, Buffer>();
  exit: string | undefined;
  ready = false;
  slot: ProcessSlot;
  #given = 0;

  constructor(options: TrialOptions) {
    const bundle = join(this.dataDir, "bundle.mjs");
    writeFileSync(bundle, prelude + (options.module ?? ""));
    this.executor = createExecutor({
      dataDir: this.dataDir,
      workerId: "w1",
      bundlePath: () => Promise.resolve(bundle),
      storeResult: (source) => this.#store(source),
      log: silentLog,
      ...options.executor,
    });
    this.job = {
      number: 1,
      id: "0123456789abcdef",
      task: "t",
      code: options.command
        ? { kind: "command", ...options.command }
        : { kind: "function", bundle: "a".repeat(64) },
      needs: { amounts: { cpu: 1000 }, required: {}, preferred: {} },
      timeouts: { queuedMs: 0, runMs: 0, silenceMs: 0 },
      killGraceMs: 200,
      labels: { shot: "42" },
      attemptsMax: 1,
      finalErrors: ["Hopeless"],
      ...options.job,
    };
    this.slot = this.start();
  }

  start(): ProcessSlot {
    this.exit = undefined;
    this.slot = this.executor.start(this.job, 1, {
      onReady: () => (this.ready = true),
      onOutcomes: (items) => {
        for (const item of items) this.#ended(item);
      },
      onDropped: (attempts) => {
        this.dropped.push(...attempts);
        for (const { task } of attempts) this.events.push(`dropped ${task}`);
      },
      onStarted: (task) => this.started.push(task),
      onProgress: (task, _attempt, percent, message) =>
        this.progress.push({ task, percent, message }),
      onExit: (reason) => {
        this.exit = reason;
        this.events.push("exit");
      },
    }) as ProcessSlot;
    return this.slot;
  }

  /** Gives one attempt per input; tasks are numbered in the order given. */
  give(...inputs: unknown[]): void {
    this.slot.give(
      inputs.map((input) => ({
        task: this.#given++,
        attempt: 1,
        fence: 77,
        input: Buffer.from(JSON.stringify(input)),
      })),
    );
  }

  /** Gives them and waits until all that was given has ended. */
  async run(...inputs: unknown[]): Promise<TrialEnd[]> {
    const from = this.ends.length;
    this.give(...inputs);
    await this.until(() => this.ends.length - from >= inputs.length);
    return this.ends.slice(from).toSorted((a, b) => a.task - b.task);
  }

  async one(input: unknown = null): Promise<TrialEnd> {
    const [end] = await this.run(input);
    if (!end) throw new Error("no end");
    return end;
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + waitMs;
    while (!condition()) {
      if (performance.now() > deadline) {
        throw new Error(`waited in vain; ends ${JSON.stringify(this.ends)}, exit ${this.exit}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** What is in the log of a task's first attempt, once it has ended. */
  async output(task: number, stream: "stdout" | "stderr" = "stdout"): Promise<string> {
    const chunks: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      const query = { job: this.job.id, task, attempt: 1, stream, from: 0, follow: true };
      this.executor.readLog(query, (part) => {
        chunks.push(part.bytes);
        if (part.end) resolve();
      });
    });
    return withoutHeads(Buffer.concat(chunks));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.executor.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  #ended(item: OutcomeItem): void {
    const stored = (item.code & storedBit) !== 0;
    const bytes = stored ? this.payloads.get(decodeStored(item.value).hash) : item.value;
    const reason = endReason(item.code & ~storedBit).name;
    this.ends.push({
      task: item.task,
      attempt: item.attempt,
      reason,
      micros: item.micros,
      logBytes: item.logBytes,
      stored,
      payloads: item.payloads ?? [],
      value: JSON.parse(Buffer.from(bytes ?? "").toString("utf8")),
    });
    this.events.push(`${reason} ${item.task}`);
  }

  #store(source: StoreSource): Promise<{ hash: string; size: number }> {
    const bytes = "file" in source ? readFileSync(source.file) : Buffer.from(source.bytes);
    const hash = createHash("sha256").update(bytes).digest("hex");
    this.payloads.set(hash, bytes);
    return Promise.resolve({ hash, size: bytes.length });
  }
}

function withoutHeads(records: Buffer): string {
  let text = "";
  let offset = 0;
  while (offset < records.length) {
    const end = offset + 5 + records.readUInt32BE(offset + 1);
    text += records.subarray(offset + 5, end).toString("utf8");
    offset = end;
  }
  return text;
}

/** Whether there is a process that is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
