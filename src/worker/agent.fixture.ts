// A clock, slots, a spool and a leader's pen, for tests of the agent. Nothing here knows a real
// process.

import { HandClock } from "../lib/hand-clock.fixture.ts";
import { silentLog } from "../lib/log.ts";
import type {
  AttemptRange,
  JobDescriptor,
  MasterMessage,
  StartRange,
  WorkerMessage,
  WorkerRegister,
  WorkerReport,
} from "../protocol/messages.ts";
import type { Amounts, WorkerInfo } from "../protocol/model.ts";
import { decodeOutcomes, outcomeItem, type OutcomeItem } from "../protocol/outcome-block.ts";
import { Agent, type AgentPorts } from "./agent.ts";
import type { Executor, SlotAttempt, SlotHandlers } from "./executor.ts";
import type { ReusableSlot } from "./lane.ts";
import type { ResolveInput } from "./lanes.ts";
import type { Spool } from "./reports.ts";
import type { ResultKeeper } from "./results.ts";

interface Queued extends SlotAttempt {
  cancelCode?: number;
}

/**
 * Does what it is told only when the test says so; asks are answered a moment later, as by a
 * process.
 */
export class FakeSlot implements ReusableSlot {
  readonly pid = undefined;
  readonly id: number;
  job: JobDescriptor;
  readonly queue: Queued[] = [];
  running: Queued | undefined;
  alive = true;
  isReady = false;
  readonly #handlers: SlotHandlers;
  readonly #world: World;

  constructor(world: World, job: JobDescriptor, id: number, handlers: SlotHandlers) {
    this.#world = world;
    this.job = job;
    this.id = id;
    this.#handlers = handlers;
  }

  ready(): void {
    if (!this.alive || this.isReady) return;
    this.isReady = true;
    this.#handlers.onReady();
  }

  serve(job: JobDescriptor): void {
    if (this.queue.length > 0 || this.running) throw new Error("a busy slot was told to serve");
    this.job = job;
  }

  give(attempts: readonly SlotAttempt[]): void {
    if (!this.alive || !this.isReady) throw new Error("a slot that is not ready was given work");
    this.queue.push(...attempts.map((attempt) => ({ ...attempt })));
  }

  /** Begins the next attempt, if it is idle. */
  begin(): void {
    if (this.running || !this.alive) return;
    this.running = this.queue.shift();
    if (!this.running) return;
    this.#world.starts.push(this.#name(this.running));
    this.#handlers.onStarted(this.running.task, this.running.attempt);
  }

  /** Ends up to `count` attempts in one batch. */
  finish(count = 1, code = 0, micros = 50_000): void {
    const items: OutcomeItem[] = [];
    for (let i = 0; i < count; i++) {
      this.begin();
      if (!this.running) break;
      const { task, attempt, cancelCode } = this.running;
      const end = cancelCode ?? code;
      const value = new TextEncoder().encode(String(task));
      items.push({ task, attempt, code: end, micros, logBytes: 0, value });
      this.running = undefined;
    }
    if (items.length > 0) this.#handlers.onOutcomes(items);
  }

  /** Ends what runs in just this way. */
  end(item: OutcomeItem): void {
    this.running = undefined;
    this.#handlers.onOutcomes([item]);
  }

  progress(percent: number): void {
    if (!this.running) return;
    this.#handlers.onProgress(this.running.task, this.running.attempt, percent);
  }

  drop(count: number): void {
    this.#world.later(() => {
      if (!this.alive) return;
      this.#handlers.onDropped(this.queue.splice(Math.max(0, this.queue.length - count)));
    });
  }

  cancel(task: number, attempt: number, code: number, graceMs: number): void {
    this.#world.cancels.push({ task, attempt, code, graceMs });
    this.#world.later(() => {
      if (!this.alive) return;
      const is = (other: SlotAttempt): boolean => other.task === task && other.attempt === attempt;
      if (this.running && is(this.running)) {
        this.running.cancelCode = code;
        if (graceMs === 0) this.finish();
        return;
      }
      const at = this.queue.findIndex(is);
      if (at < 0) return;
      this.queue.splice(at, 1);
      const value = new Uint8Array();
      this.#handlers.onOutcomes([{ task, attempt, code, micros: 0, logBytes: 0, value }]);
    });
  }

  stop(force: boolean): void {
    this.#world.later(() => {
      if (force || (!this.running && this.queue.length === 0)) this.die("stopped");
    });
  }

  die(reason: string): void {
    if (!this.alive) return;
    if (this.running) this.finish(1, 6);
    this.alive = false;
    if (this.queue.length > 0) this.#handlers.onDropped(this.queue.splice(0));
    this.#handlers.onExit(reason);
  }

  #name({ task, attempt }: SlotAttempt): string {
    return `${this.job.number}/${task}#${attempt}`;
  }
}

/** What the leader has is what the test says; it is asked at once and answers when told to. */
export class FakeResults implements ResultKeeper {
  bytes = 0;
  session: number | undefined;
  readonly had = new Set<string>();
  readonly forgotten: string[] = [];
  /** Asked for on this session, in order. */
  asked: string[] = [];
  #waiting: { hashes: readonly string[]; done: () => void }[] = [];

  begin(session: number): void {
    this.end();
    this.session = session;
  }

  end(): void {
    this.session = undefined;
    this.had.clear();
    this.asked = [];
    this.#waiting = [];
  }

  areHad(hashes: readonly string[]): boolean {
    return hashes.every((hash) => this.had.has(hash));
  }

  bring(hashes: readonly string[], done: () => void): void {
    this.asked.push(...hashes);
    this.#waiting.push({ hashes, done });
  }

  forget(hashes: readonly string[]): void {
    this.forgotten.push(...hashes);
  }

  /** The leader of this session has it now. */
  brought(hash: string): void {
    this.had.add(hash);
    const ready = this.#waiting.filter(({ hashes }) => this.areHad(hashes));
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { done } of ready) done();
  }
}

export interface WorldOptions {
  readonly amounts?: Amounts;
  readonly slotsMax?: number;
  readonly predecessor?: readonly WorkerReport[];
  readonly resolveInput?: ResolveInput;
}

/** An agent, its slots, and what it sent. */
export class World {
  readonly clock = new HandClock(1_700_000_000_000);
  readonly slots: FakeSlot[] = [];
  /** "job/task#attempt", in the order begun. */
  readonly starts: string[] = [];
  readonly cancels: { task: number; attempt: number; code: number; graceMs: number }[] = [];
  readonly sent: { session: number; message: WorkerMessage }[] = [];
  readonly closes: { session: number; reason: string }[] = [];
  readonly spooled: WorkerReport[] = [];
  spoolRecorded = 0;
  readonly spool: Spool & { problem: string | undefined } = {
    problem: undefined,
    append: (reports) => void this.spooled.push(...reports),
    recorded: (n) => {
      this.spoolRecorded = n;
    },
  };
  readonly results = new FakeResults();
  exit: string | undefined;
  readonly agent: Agent;

  constructor(options: WorldOptions = {}) {
    const executor: Executor = {
      start: (job, id, handlers) => {
        const slot = new FakeSlot(this, job, id, handlers);
        this.slots.push(slot);
        return slot;
      },
    };
    const ports: AgentPorts = {
      clock: this.clock,
      executor,
      spool: this.spool,
      results: this.results,
      resolveInput: options.resolveInput ?? (() => () => {}),
      log: silentLog,
      send: (session, messages) => {
        for (const message of messages) this.sent.push({ session, message });
      },
      close: (session, reason) => {
        this.closes.push({ session, reason });
        this.agent.closed(session);
      },
      defer: (fire) => void this.clock.after(0, fire),
      machine: () => ({ memoryFreeMiB: 1_000, diskFreeBytes: 10 ** 9 }),
      onExit: (reason) => {
        this.exit = reason;
      },
    };
    const info = infoOf(options.amounts ?? { cpu: 1_000 });
    const { slotsMax = 16, predecessor = [] } = options;
    this.agent = new Agent({ info, slotsMax, predecessor }, ports);
  }

  later(fire: () => void): void {
    this.clock.after(1, fire);
  }

  tell(session: number, ...messages: MasterMessage[]): void {
    this.agent.receive(session, messages);
  }

  /** Lets all that is due within a few milliseconds happen; slots become ready. */
  turn(): void {
    for (let i = 0; i < 3; i++) {
      this.clock.pass(2);
      for (const slot of this.slots) slot.ready();
    }
    this.clock.pass(2);
  }

  get alive(): FakeSlot[] {
    return this.slots.filter((slot) => slot.alive);
  }

  registrations(): WorkerRegister[] {
    return this.sent.flatMap(({ message }) => (message.kind === "register" ? [message] : []));
  }

  reports(): WorkerReport[] {
    return this.sent.flatMap(({ message }) => (message.kind === "report" ? [message] : []));
  }
}

/** Every end in reports, as "job/task#attempt code". */
export function endsIn(reports: readonly WorkerReport[]): string[] {
  return reports.flatMap(({ blocks }) =>
    blocks.flatMap(({ job, bytes }) => {
      const columns = decodeOutcomes(bytes);
      return Array.from({ length: columns.count }, (_, i) => {
        const { task, attempt, code } = outcomeItem(columns, i);
        return `${job}/${task}#${attempt} ${code}`;
      });
    }),
  );
}

/** Every attempt of ranges, as "job/task#attempt". */
export function namesIn(ranges: readonly AttemptRange[]): string[] {
  return ranges.flatMap(({ job, first, count, attempt }) =>
    Array.from({ length: count }, (_, i) => `${job}/${first + i}#${attempt}`),
  );
}

export function infoOf(amounts: Amounts): WorkerInfo {
  return {
    id: "w",
    incarnation: "00000000000000aa",
    version: "0.0.0",
    protocol: 1,
    hostname: "host",
    pid: 1,
    node: "v20",
    platform: "linux",
    address: "",
    amounts,
    labels: {},
    pool: "default",
    namespace: "default",
    by: "test",
  };
}

export function jobOf(number: number, amounts: Amounts = { cpu: 1_000 }): JobDescriptor {
  return {
    number,
    id: number.toString(16).padStart(16, "0"),
    task: "noop",
    code: { kind: "function", bundle: "a".repeat(64) },
    needs: { amounts, required: {}, preferred: {} },
    timeouts: { queuedMs: 0, runMs: 0, silenceMs: 0 },
    killGraceMs: 5_000,
    labels: {},
    attemptsMax: 1,
    finalErrors: [],
  };
}

export function rangeOf(job: number, first: number, count: number, attempt = 1): StartRange {
  const lines = Array.from({ length: count }, (_, i) => `${first + i}\n`).join("");
  return { job, first, count, attempt, fence: 1, inputs: new TextEncoder().encode(lines) };
}

export function startOf(
  term: number,
  jobs: readonly JobDescriptor[],
  ...ranges: readonly StartRange[]
): MasterMessage {
  return { kind: "start", term, jobs, ranges };
}
