// A slot as the agent sees it (executor.ts): what it was given, what became of it, and its end.
//
//   PS1  An attempt is held, or with the process, or has ended; it leaves by onOutcomes or onDropped only,
//        and once (X1).
//   PS2  When the process is gone, the first one sent that had not ended is the one that ran: they run in
//        the order sent, and ends are told within milliseconds (rows.ts).
//   PS3  onExit comes after all outcomes and drops, those whose results are still being stored included (X2).

import { randomBytes } from "node:crypto";
import type { CancelTimer } from "../../lib/clock.ts";
import type { JobDescriptor } from "../../protocol/messages.ts";
import { endReason, endReasons } from "../../protocol/model.ts";
import type { OutcomeItem } from "../../protocol/outcome-block.ts";
import type { Slot, SlotAttempt, SlotHandlers } from "../executor.ts";
import { AttemptQueue, type Entry, type Verdict } from "./attempt-queue.ts";
import { AttemptTimers } from "./attempt-timers.ts";
import { Tail } from "./command-output.ts";
import { exitCause, exitText } from "./exit-cause.ts";
import type { Watched } from "./memory-watch.ts";
import { errorItem, outcomeItem, outputsItem, rowItem, storedItem } from "./outcome-items.ts";
import { killGroup, killStraysGently } from "./process-tree.ts";
import { readRows } from "./rows.ts";
import { SlotChild, type ChildExit } from "./slot-child.ts";
import { makeSlotFolder, recordGroup, removeSlotFolder } from "./slot-folder.ts";
import type { SlotSupport } from "./slot-support.ts";
import { StartedNotices } from "./started-notices.ts";
import { errorBytes } from "./task-errors.ts";
import type { FromSlot, SlotCode } from "./wire.ts";

const stopMs = 5_000;
/** A command's group is killed by its slot; the worker waits this much longer before it kills the slot. */
const commandGraceMs = 2_000;
/** Large results that wait to be stored; more would fill the disk while no master takes them. */
const storesMax = 4;
const stderrBytes = 16 * 1_024;
const stopReason = "it was stopped";

type Dropped = { task: number; attempt: number };

export class ProcessSlot implements Slot {
  readonly id: number;
  readonly #support: SlotSupport;
  readonly #handlers: SlotHandlers;
  readonly #folder: string;
  readonly #cookie = randomBytes(8).toString("hex");
  readonly #child: SlotChild;
  readonly #queue = new AttemptQueue();
  readonly #timers: AttemptTimers;
  readonly #started: StartedNotices;
  readonly #stderr = new Tail(stderrBytes);
  readonly #stores = new Set<Promise<void>>();
  readonly #heapMiB: number | undefined;
  #watched: Watched | undefined;
  #job: JobDescriptor;
  #code: SlotCode | undefined;
  #ready = false;
  #loading = false;
  /** Why it ends by itself; then nobody's attempt is to blame. */
  #leaving: string | undefined;
  #stopping = false;
  #forced = false;
  #gone = false;
  #commandGroup = 0;
  #cancelKill: CancelTimer | undefined;
  #items: OutcomeItem[] = [];

  constructor(job: JobDescriptor, id: number, handlers: SlotHandlers, support: SlotSupport) {
    this.id = id;
    this.#job = job;
    this.#handlers = handlers;
    this.#support = support;
    this.#timers = new AttemptTimers({
      clock: support.clock,
      onExpired: (entry, verdict) => this.#condemn(entry, verdict),
    });
    this.#started = new StartedNotices(support.clock, ({ given }) =>
      handlers.onStarted(given.task, given.attempt),
    );
    const memory = job.needs.amounts.memory;
    const memoryMiB = memory === undefined ? undefined : Math.max(1, Math.floor(memory / 1_000));
    this.#heapMiB = job.code.kind === "function" ? memoryMiB : undefined;
    this.#folder = makeSlotFolder(support.dataDir, id, this.#cookie);
    this.#child = new SlotChild(
      { folder: this.#folder, cookie: this.#cookie, heapMiB: this.#heapMiB },
      {
        onMessages: (messages) => this.#onMessages(messages),
        onRaw: (stream, bytes) => this.#onRaw(stream, bytes),
        onExit: (exit) => void this.#onExit(exit),
      },
    );
    if (this.pid === undefined) return;
    this.#record(this.pid);
    if (memoryMiB !== undefined) this.#watch(memoryMiB);
    void this.#prepare(job);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** A slot that the next worker could not find must not run. */
  #record(pid: number): void {
    try {
      recordGroup(this.#folder, pid, this.#cookie);
    } catch (error) {
      this.#leaving = "it could not be recorded";
      this.#kill();
      throw error;
    }
  }

  // ── what the agent asks ─────────────────────────────────────────────────────────────────

  give(attempts: readonly SlotAttempt[]): void {
    if (this.#gone || this.#stopping) {
      this.#drop(attempts);
      return;
    }
    this.#queue.give(attempts);
    this.#feed();
  }

  /** Attempts given from now on are of this job, whose code and needs are the same. Only while idle. */
  serve(job: JobDescriptor): void {
    if (job === this.#job) return;
    if (job.task !== this.#job.task) this.#queue.forgetPace();
    this.#job = job;
    if (job.code.kind === "command") this.#code = job.code;
    if (this.#code) this.#sendJob(this.#code);
  }

  drop(count: number): void {
    if (this.#gone) return;
    const held = this.#queue.takeHeld(count);
    const more = count - held.length;
    const ask = more > 0 && this.#queue.openCount > 1;
    if (ask) this.#child.send({ kind: "drop", count: more });
    // An empty answer is an answer: there is nothing to drop.
    if (held.length > 0 || !ask) queueMicrotask(() => this.#handlers.onDropped(held));
  }

  cancel(task: number, attempt: number, code: number, graceMs: number): void {
    const { text } = endReason(code);
    const held = this.#queue.takeOne(task, attempt);
    if (held) {
      const error = { name: endReason(code).name, message: `${text}; it had not started` };
      const value = errorBytes(error);
      queueMicrotask(() =>
        this.#handlers.onOutcomes([{ task, attempt, code, micros: 0, logBytes: 0, value }]),
      );
      return;
    }
    const entry = this.#queue.findSent(task, attempt);
    if (entry) this.#condemn(entry, { code, reason: text, graceMs, overSuccess: false });
  }

  stop(force: boolean): void {
    this.#stopping = true;
    if (force) {
      this.#forced = true;
      this.#leaving ??= "it was stopped by force";
      this.#kill();
    } else this.#leaveIfIdle();
  }

  /** Whether it has this attempt, started or not. */
  has(job: string, task: number, attempt: number): boolean {
    return this.#job.id === job && this.#queue.has(task, attempt);
  }

  // ── giving to the process ───────────────────────────────────────────────────────────────

  async #prepare(job: JobDescriptor): Promise<void> {
    try {
      const code = await this.#support.codeOf(job);
      // It may serve another job by now: of the same bundle, or with a command of its own.
      this.#code = this.#job.code.kind === "command" ? this.#job.code : code;
    } catch (error) {
      this.#leaving ??= `its code could not be had: ${(error as Error).message}`;
      this.#kill();
      return;
    }
    this.#sendJob(this.#code);
    this.#feed();
  }

  #sendJob(code: SlotCode): void {
    const { id, task, labels, finalErrors, traceparent } = this.#job;
    const worker = this.#support.workerId;
    const trace = traceparent === undefined ? {} : { traceparent };
    const job = { job: id, name: task, code, labels, finalErrors, worker, ...trace };
    this.#child.send({ kind: "job", ...job });
  }

  #feed(): void {
    if (this.#gone || this.#leaving !== undefined) return;
    if (this.#queue.endedCount >= this.#support.recycleAfter) this.#recycle();
    if (!this.#stopping) this.#sendNext();
    this.#leaveIfIdle();
  }

  #sendNext(): void {
    if (!this.#ready || !this.#code || this.#stores.size >= storesMax) return;
    const message = this.#queue.next(this.#job);
    if (message) this.#child.send(message);
  }

  /** It has run enough: what is held goes back, what was sent runs, then it exits. */
  #recycle(): void {
    this.#stopping = true;
    this.#drop(this.#queue.takeHeld(this.#queue.heldCount));
  }

  #leaveIfIdle(): void {
    if (!this.#stopping || this.#leaving !== undefined) return;
    if (this.#queue.openCount > 0) return;
    if (this.#queue.heldCount > 0) return this.#sendNext();
    this.#leaving = stopReason;
    this.#child.send({ kind: "stop" });
    this.#killAfter(stopMs);
  }

  // ── what the process says ───────────────────────────────────────────────────────────────

  #onMessages(messages: readonly FromSlot[]): void {
    for (const message of messages) this.#onMessage(message);
    this.#flushItems();
    this.#feed();
  }

  #onMessage(message: FromSlot): void {
    switch (message.kind) {
      case "ready":
        this.#ready = true;
        return this.#handlers.onReady();
      case "loading":
        this.#loading = message.on;
        return;
      case "running":
        return this.#onRunning(message.seq, message.phase, message.forMs);
      case "rows":
        for (const row of readRows(message.bytes)) {
          const entry = this.#end(row.seq, row.micros);
          if (entry) this.#items.push(rowItem(entry, row));
        }
        return;
      case "value":
      case "outputs":
        return this.#onStored(message);
      case "log":
        return this.#print(this.#queue.find(message.seq), message.stream, message.bytes);
      case "progress":
        return this.#onProgress(message.seq, message.percent, message.message);
      case "dropped":
        return this.#onDropped(message.seqs);
      case "group":
        this.#commandGroup = message.pid;
        return;
      case "leaving":
        this.#leaving ??= message.reason;
        return;
      default:
        message satisfies never;
    }
  }

  #onRunning(seq: number, phase: number, forMs: number): void {
    const entry = this.#queue.find(seq);
    if (!entry || entry.done) return;
    this.#timers.running(entry, phase, forMs);
    this.#started.running(entry);
  }

  #onProgress(seq: number, percent: number, text?: string): void {
    const entry = this.#queue.find(seq);
    if (!entry || entry.done) return;
    this.#timers.moved();
    this.#handlers.onProgress(entry.given.task, entry.given.attempt, percent, text);
  }

  #onStored(message: Extract<FromSlot, { kind: "value" | "outputs" }>): void {
    const entry = this.#end(message.seq, message.micros);
    if (!entry) return;
    const { verdict } = entry;
    if (verdict?.overSuccess) {
      const error = { name: endReason(verdict.code).name, message: verdict.reason };
      this.#items.push(errorItem(entry, verdict.code, error, message.micros));
      return;
    }
    const context = { ...this.#support, isForced: () => this.#forced };
    const item =
      message.kind === "value"
        ? storedItem(entry, message, context)
        : outputsItem(entry, message, context);
    const storing = item.then((done) => {
      this.#handlers.onOutcomes([done]);
      this.#stores.delete(storing);
      this.#feed();
    });
    this.#stores.add(storing);
  }

  #onDropped(seqs: readonly number[]): void {
    const dropped: Dropped[] = [];
    for (const seq of seqs) {
      const entry = this.#queue.find(seq);
      if (entry && this.#queue.end(entry)) dropped.push(entry.given);
    }
    this.#flushItems();
    this.#handlers.onDropped(dropped);
  }

  #end(seq: number, micros?: number): Entry | undefined {
    const entry = this.#queue.find(seq);
    if (!entry || !this.#queue.end(entry, micros)) return undefined;
    this.#timers.ended(entry);
    this.#started.ended(entry);
    this.#support.logs.ended(entry.job.id, entry.given.task, entry.given.attempt);
    this.#cancelKill?.();
    this.#cancelKill = undefined;
    this.#armKill();
    return entry;
  }

  #flushItems(): void {
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#handlers.onOutcomes(items);
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────

  /** Written past the capture: whoever runs, or ran last, is taken for its author. */
  #onRaw(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    if (stream === "stderr") this.#stderr.push(bytes);
    const entry = this.#queue.head ?? this.#queue.last;
    if (entry) return this.#print(entry, stream, bytes);
    const text = Buffer.from(bytes).toString("utf8").trimEnd();
    this.#support.log.debug("a slot printed before it had work", { slot: this.id, text });
  }

  #print(entry: Entry | undefined, stream: "stdout" | "stderr", bytes: Uint8Array): void {
    if (!entry) return;
    this.#timers.moved();
    if (bytes.length === 0) return;
    const { job, given } = entry;
    const logs = this.#support.logs;
    entry.logBytes += logs.append(job.id, given.task, given.attempt, { stream, bytes });
    if (entry.done) logs.ended(job.id, given.task, given.attempt);
    if (!logs.behind) return;
    this.#child.pause();
    logs.onceCaughtUp(() => this.#child.resume());
  }

  // ── ending attempts ─────────────────────────────────────────────────────────────────────

  /** It has to end: it is told so, and killed if it does not within its grace. */
  #condemn(entry: Entry, verdict: Verdict): void {
    if (entry.done || entry.verdict) return;
    entry.verdict = verdict;
    const { code, reason, graceMs } = verdict;
    this.#child.send({ kind: "abort", seq: entry.seq, code, reason, graceMs });
    this.#armKill();
  }

  /** Only the first one can be running; for the others the slot has an answer as soon as it looks. */
  #armKill(): void {
    const verdict = this.#queue.head?.verdict;
    if (!verdict || this.#cancelKill) return;
    const more = this.#job.code.kind === "command" ? commandGraceMs : 0;
    this.#killAfter(verdict.graceMs + more);
  }

  #killAfter(ms: number): void {
    this.#cancelKill?.();
    this.#cancelKill = this.#support.clock.after(Math.max(1, ms), () => this.#kill());
  }

  #kill(): void {
    killGroup(this.#commandGroup);
    this.#child.kill();
  }

  #watch(limitMiB: number): void {
    const command = this.#job.code.kind === "command";
    this.#watched = {
      limitMiB,
      // The slot's own 50 MiB are not a command's.
      groups: () => [command ? this.#commandGroup : (this.pid ?? 0)],
      onExceeded: (usedMiB) => {
        const entry = this.#queue.head;
        const reason = `it used ${usedMiB} MiB, more than its ${limitMiB} MiB (needs.memory)`;
        const code = endReasons.outOfMemory.code;
        if (entry) entry.verdict = { code, reason, graceMs: 0, overSuccess: true };
        else this.#leaving ??= `while idle ${reason}`;
        if (command) killGroup(this.#commandGroup);
        else this.#kill();
      },
    };
    this.#support.memory.add(this.#watched);
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────

  async #onExit(exit: ChildExit): Promise<void> {
    this.#gone = true;
    this.#timers.stop();
    this.#started.stop();
    this.#cancelKill?.();
    if (this.#watched) this.#support.memory.remove(this.#watched);
    killGroup(this.#commandGroup);
    const open = this.#queue.takeOpen();
    const ran = open[0] && this.#blame(open[0], exit);
    if (ran) this.#items.push(ran);
    const dropped: Dropped[] = (ran ? open.slice(1) : open).map(({ given }) => given);
    for (const given of this.#queue.takeHeld(this.#queue.heldCount)) dropped.push(given);
    this.#flushItems();
    if (dropped.length > 0) this.#handlers.onDropped(dropped);
    for (const { job, given } of open) {
      this.#support.logs.ended(job.id, given.task, given.attempt);
    }
    await Promise.all([killStraysGently(this.#cookie), ...this.#stores]);
    await removeSlotFolder(this.#folder, this.#support.log);
    const stderr = this.#stderr.toString().trim().slice(-500);
    const why = this.#leaving ?? `its process ${exitText(exit)}`;
    this.#handlers.onExit(this.#ready || stderr === "" ? why : `${why}: ${stderr}`);
  }

  /** The outcome of the attempt that ran when the process ended; undefined when none did. */
  #blame(entry: Entry, exit: ChildExit): OutcomeItem | undefined {
    const { verdict } = entry;
    if (verdict) {
      const error = { name: endReason(verdict.code).name, message: verdict.reason };
      return errorItem(entry, verdict.code, error);
    }
    if (this.#forced) {
      const error = { name: endReasons.drained.name, message: "its slot was stopped by force" };
      return outcomeItem(entry, endReasons.drained.code, 0, errorBytes(error));
    }
    if (this.#leaving !== undefined) return undefined;
    const view = { exit, loading: this.#loading, heapMiB: this.#heapMiB };
    const { reason, message } = exitCause({ ...view, stderr: this.#stderr.toString() });
    const tail = this.#stderr.toString().slice(-2_000);
    const error = { name: reason.name, message, ...(tail === "" ? {} : { tail }) };
    return errorItem(entry, reason.code, error);
  }

  #drop(attempts: readonly Dropped[]): void {
    if (attempts.length === 0) return;
    queueMicrotask(() => this.#handlers.onDropped(attempts));
  }
}
