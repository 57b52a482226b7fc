// Slots under virtual time. What a task does stands in its input, so that its result is a function of job,
// task and attempt alone: { run: ms, fail: attempts that fail, final, kill }.

import { endReasons } from "../../src/protocol/model.ts";
import type { JobDescriptor } from "../../src/protocol/messages.ts";
import type { OutcomeItem } from "../../src/protocol/outcome-block.ts";
import type { Executor, SlotAttempt, SlotHandlers } from "../../src/worker/executor.ts";
import type { ReusableSlot } from "../../src/worker/lane.ts";
import type { Process } from "./process.ts";
import type { WorkerPlan } from "./worker.ts";
import type { World } from "./world.ts";

export interface SimInput {
  readonly n: number;
  readonly run: number;
  /** So many attempts fail before one succeeds. */
  readonly fail?: number;
  readonly final?: boolean;
  /** Whoever runs it dies. */
  readonly kill?: boolean;
}

const text = new TextEncoder();

export function inputLine(input: SimInput): string {
  return `${JSON.stringify(input)}\n`;
}

/** What a client must find as the result. */
export function resultOf(job: string, task: number, input: SimInput): string {
  return JSON.stringify({ job, task, n: input.n, square: input.n * input.n });
}

export class SimExecutor implements Executor {
  readonly slots = new Set<SimSlot>();
  readonly world: World;
  readonly process: Process;
  readonly plan: WorkerPlan;

  constructor(world: World, process: Process, plan: WorkerPlan) {
    this.world = world;
    this.process = process;
    this.plan = plan;
  }

  start(job: JobDescriptor, id: number, handlers: SlotHandlers): SimSlot {
    const slot = new SimSlot(this, job, id, handlers);
    this.slots.add(slot);
    return slot;
  }

  kill(): void {
    for (const slot of this.slots) slot.vanish();
    this.slots.clear();
  }

  /** I14, by what really runs. */
  checkAmounts(): void {
    const used = new Map<string, number>();
    for (const slot of this.slots) {
      if (!slot.running) continue;
      for (const [name, amount] of Object.entries(slot.job.needs.amounts)) {
        used.set(name, (used.get(name) ?? 0) + amount);
      }
    }
    for (const [name, amount] of used) {
      const total = this.plan.amounts[name] ?? 0;
      this.world.check(amount <= total, `I14: ${this.plan.id} runs ${amount} of ${total} ${name}`);
    }
  }
}

interface Running extends SlotAttempt {
  readonly startedAt: number;
  cancelCode?: number;
}

export class SimSlot implements ReusableSlot {
  readonly id: number;
  readonly pid = undefined;
  job: JobDescriptor;
  running: Running | undefined;
  #queue: SlotAttempt[] = [];
  #done: OutcomeItem[] = [];
  #ready = false;
  #alive = true;
  #stopping = false;
  #noticedAt = Number.NEGATIVE_INFINITY;
  #cancelEnd = () => {};
  #flushing = false;
  readonly #executor: SimExecutor;
  readonly #handlers: SlotHandlers;

  constructor(executor: SimExecutor, job: JobDescriptor, id: number, handlers: SlotHandlers) {
    this.#executor = executor;
    this.job = job;
    this.id = id;
    this.#handlers = handlers;
    this.#soon(executor.world.random.slots.float() * 30, "ready", () => {
      if (this.#stopping) return;
      this.#ready = true;
      handlers.onReady();
    });
  }

  serve(job: JobDescriptor): void {
    this.#check(this.#queue.length === 0 && !this.running, "a busy slot is told to serve");
    this.job = job;
  }

  give(attempts: readonly SlotAttempt[]): void {
    this.#check(this.#alive && this.#ready, "a slot that is not ready is given work");
    this.#queue.push(...attempts);
    this.#soon(0, "begins", () => this.#begin());
  }

  drop(count: number): void {
    this.#soon(0.3, "drops", () => {
      const dropped = this.#queue.splice(Math.max(0, this.#queue.length - count));
      this.#flush();
      this.#handlers.onDropped(dropped);
    });
  }

  cancel(task: number, attempt: number, code: number, graceMs: number): void {
    this.#soon(0.3, "cancels", () => {
      const is = (one: SlotAttempt) => one.task === task && one.attempt === attempt;
      if (this.running && is(this.running)) {
        this.running.cancelCode = code;
        const obeys = this.#executor.world.random.slots.chance(0.7);
        const wait = obeys ? Math.min(graceMs, 5) : graceMs;
        this.#cancelEnd();
        this.#cancelEnd = this.#executor.process.clock.after(wait, () => this.#end(code));
        return;
      }
      const at = this.#queue.findIndex(is);
      if (at < 0) return;
      this.#queue.splice(at, 1);
      this.#report(task, attempt, code, 0, `"cancelled"`);
    });
  }

  stop(force: boolean): void {
    this.#stopping = true;
    this.#soon(0.3, "stops", () => {
      if (force || (!this.running && this.#queue.length === 0)) this.crash("stopped");
    });
  }

  /** The slot's process dies: what ran has crashed, the rest is handed back (X2). */
  crash(reason: string): void {
    if (!this.#alive) return;
    if (this.running) {
      const { task, attempt, cancelCode } = this.running;
      this.#report(task, attempt, cancelCode ?? endReasons.crashed.code, 1, `"crashed"`);
      this.running = undefined;
    }
    this.#flush();
    this.#cancelEnd();
    this.#alive = false;
    this.#executor.slots.delete(this);
    if (this.#queue.length > 0) this.#handlers.onDropped(this.#queue.splice(0));
    this.#handlers.onExit(reason);
  }

  /** The worker is dead: nobody is told. */
  vanish(): void {
    this.#alive = false;
  }

  #soon(ms: number, label: string, fire: () => void): void {
    this.#executor.process.later(ms, `slot ${label}`, () => {
      if (this.#alive) fire();
    });
  }

  #begin(): void {
    if (this.running || !this.#alive) return;
    const next = this.#queue.shift();
    if (!next) return;
    const { world, process, plan } = this.#executor;
    const input = JSON.parse(new TextDecoder().decode(next.input)) as SimInput;
    this.running = { ...next, startedAt: process.clock.now() };
    world.checker.began(plan.id, this.job, next, input);
    this.#executor.checkAmounts();
    if (process.clock.now() - this.#noticedAt >= 50) {
      this.#noticedAt = process.clock.now();
      this.#handlers.onStarted(next.task, next.attempt);
    }
    if (input.kill) {
      process.later(5, "killed by its task", () => world.killWorker(plan.id));
      return;
    }
    const { runMs } = this.job.timeouts;
    const late = runMs > 0 && input.run > runMs;
    const code = late ? endReasons.runTimeout.code : codeOf(input, next.attempt);
    this.#cancelEnd = process.clock.after(late ? runMs : input.run, () => this.#end(code));
  }

  #end(code: number): void {
    const { running } = this;
    if (!running || !this.#alive) return;
    const input = JSON.parse(new TextDecoder().decode(running.input)) as SimInput;
    const { clock } = this.#executor.process;
    const micros = Math.max(1, Math.round((clock.now() - running.startedAt) * 1_000));
    const value = code === 0 ? resultOf(this.job.id, running.task, input) : `"failed ${code}"`;
    this.running = undefined;
    this.#report(running.task, running.attempt, code, micros, value);
    this.#begin();
  }

  #report(task: number, attempt: number, code: number, micros: number, value: string): void {
    this.#executor.world.checker.ended(this.job.number, task, attempt, code);
    this.#done.push({ task, attempt, code, micros, logBytes: 0, value: text.encode(value) });
    if (this.#flushing) return;
    this.#flushing = true;
    this.#soon(this.#queue.length === 0 ? 0.1 : 3, "outcomes", () => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#done.length > 0) this.#handlers.onOutcomes(this.#done.splice(0));
  }

  #check(condition: boolean, what: string): void {
    this.#executor.world.check(condition, what);
  }
}

function codeOf(input: SimInput, attempt: number): number {
  if (attempt > (input.fail ?? 0)) return 0;
  return input.final ? endReasons.finalError.code : endReasons.error.code;
}
