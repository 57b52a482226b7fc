// The worker's brain: a synchronous state machine that listens to masters and drives slots.
//
// Owns: terms, which session is listened to, registration, orders, when to pump. Does not own:
// sockets (session.ts), which slot runs what (lanes.ts), numbered reports (reports.ts), when they go
// (outbox.ts), leaving (leaving.ts). It has no promises and no clock of its own, so that the simulator runs this very
// code.
//
//   B1. Orders are taken from one session only: that of the leader with the highest term seen, and
//       only stamped with exactly that term. When a term is taken, every other session stops being
//       an order stream before the registration is composed (W2).
//   B2. Known attempts = held (queued, or on a lane) + ended in a report that is not recorded. A
//       registration names exactly these, so a leader re-sends exactly what never arrived (W3).
//   B3. An attempt that is known is not taken again: it starts at most once here (jobs.ts says why
//       a recorded one cannot come back).
//   B4. Every attempt taken ends in exactly one place of one report: an outcome, or returned.
//       Reports are numbered without gaps and kept until recorded (W6).
//   B5. What is in use never exceeds the amounts; orders start strictly in the order sent
//       (lanes.ts).
//   B6. Nothing is killed or given back because masters are away.

import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { JobId, JobNumber } from "../protocol/ids.ts";
import type {
  AttemptRange,
  MasterDrain,
  MasterMessage,
  MasterStart,
  MasterVerdict,
  StartRange,
  WorkerLoad,
  WorkerMessage,
  WorkerRegister,
  WorkerReport,
} from "../protocol/messages.ts";
import { endReasons, type WorkerInfo } from "../protocol/model.ts";
import { Room } from "./amounts.ts";
import { type AttemptKey, endItem } from "./ends.ts";
import type { Executor } from "./executor.ts";
import { type Job, Jobs } from "./jobs.ts";
import { Lanes, type ResolveInput } from "./lanes.ts";
import { Leaving } from "./leaving.ts";
import { OrderQueue } from "./orders.ts";
import { Outbox } from "./outbox.ts";
import { ProgressHints } from "./progress.ts";
import { RangeList } from "./ranges.ts";
import { Reports, type Spool } from "./reports.ts";
import type { ResultKeeper } from "./results.ts";
import type { SessionNumber } from "./session.ts";

export interface AgentPorts {
  readonly clock: Clock;
  readonly executor: Executor;
  readonly spool: Spool;
  readonly results: ResultKeeper;
  readonly resolveInput: ResolveInput;
  readonly log: Log;
  readonly send: (session: SessionNumber, messages: readonly WorkerMessage[]) => void;
  /**
   * Ends a session whose master said what makes no sense; it is dialled again and registers anew.
   */
  readonly close: (session: SessionNumber, reason: string) => void;
  /** Calls back once, soon, after what waits now: reports of one turn travel together. */
  readonly defer: (fire: () => void) => void;
  readonly machine: () => Pick<WorkerLoad, "memoryFreeMiB" | "diskFreeBytes">;
  /** Nothing runs here any more and nothing will: the worker may end. */
  readonly onExit: (reason: string) => void;
}

export interface AgentOptions {
  readonly info: WorkerInfo;
  readonly slotsMax: number;
  /** Reports that an earlier incarnation left in the spool. */
  readonly predecessor: readonly WorkerReport[];
}

export class Agent {
  readonly #ports: AgentPorts;
  readonly #info: WorkerInfo;
  readonly #jobs = new Jobs();
  readonly #orders = new OrderQueue();
  readonly #room: Room;
  readonly #lanes: Lanes;
  readonly #reports: Reports;
  readonly #outbox: Outbox;
  readonly #hints: ProgressHints;
  #term = 0;
  #leader: SessionNumber | undefined;
  readonly #leaving: Leaving;
  #turning = false;
  #ended = false;
  #saidGoodbye = false;

  constructor({ info, slotsMax, predecessor }: AgentOptions, ports: AgentPorts) {
    this.#ports = ports;
    this.#info = info;
    this.#room = new Room(info.amounts);
    this.#reports = new Reports(ports.clock, ports.spool, predecessor);
    const { clock, executor, resolveInput, log } = ports;
    this.#lanes = new Lanes({
      clock,
      executor,
      resolveInput,
      log,
      slotsMax,
      room: this.#room,
      orders: this.#orders,
      events: {
        ended: (job, items) => {
          for (const { task, attempt } of items) this.#hints.ended(job.number, task, attempt);
          this.#reports.ended(job.number, items);
          this.#turnSoon();
        },
        returned: (job, attempt) => this.#return(job.number, attempt),
        started: (job, task, attempt) => this.#hints.started(job.number, task, attempt),
        progress: (job, at, percent, message) => {
          const { number } = job;
          const text = message === undefined ? {} : { message };
          this.#hints.progress({ job: number, ...at, percent, ...text });
        },
        changed: () => this.#turnSoon(),
      },
    });
    this.#leaving = new Leaving({
      clock,
      leftovers: () => ({
        held: this.held,
        pending: this.#reports.pending,
        unrecorded: this.#reports.unrecorded,
        keepsResults: this.#reports.namesPayloads,
        hasLeader: this.#leader !== undefined,
      }),
      giveBack: (on) => this.#giveBack(on),
      kill: () => this.#lanes.cancelAll(endReasons.drained.code, false),
      end: (reason) => this.#exit(reason),
    });
    this.#hints = new ProgressHints(
      clock,
      () => this.#load(),
      (message) => {
        if (this.#leader !== undefined) ports.send(this.#leader, [message]);
      },
    );
    this.#outbox = new Outbox({
      clock,
      reports: this.#reports,
      results: ports.results,
      send: ports.send,
      compose: (inside, behind) => this.#registration(inside, behind),
      registered: () => this.#hints.begin(),
    });
  }

  /** Whether an attempt is here and has not ended; it may wait for its turn, or for a slot that starts. */
  holds(job: JobId, task: number, attempt: number): boolean {
    const held = new RangeList();
    this.#orders.ranges(held);
    this.#lanes.ranges(held, new RangeList());
    return held.take().some((range) => {
      if (range.attempt !== attempt || task < range.first) return false;
      const { descriptor } = this.#jobs.get(range.job) ?? {};
      return task < range.first + range.count && descriptor?.id === job;
    });
  }

  // ── sessions and terms ─────────────────────────────────────────────────────────────────

  /** The connection is gone. Work goes on (B6). */
  closed(session: SessionNumber): void {
    if (session !== this.#leader) return;
    this.#leader = undefined;
    this.#outbox.end();
    this.#hints.end();
    this.#leaving.check();
  }

  /** One frame's messages, in order. */
  receive(session: SessionNumber, messages: readonly MasterMessage[]): void {
    if (this.#ended) return;
    try {
      for (const message of messages) this.#handle(session, message);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#ports.close(session, error.message);
    }
    this.#pump();
    this.#leaving.check();
  }

  #handle(session: SessionNumber, message: MasterMessage): void {
    switch (message.kind) {
      case "lead":
        return this.#lead(session, message.term);
      case "verdict":
      case "start":
      case "recall":
      case "cancel":
      case "recorded":
      case "drain":
        if (session === this.#leader && message.term === this.#term) return this.#obey(message);
        this.#ports.log.info("refused an order that is not of the leader's term", {
          kind: message.kind,
          term: message.term,
          ownTerm: this.#term,
          session,
        });
        return;
      case "welcome":
      case "masters":
      case "refuse":
      case "logRequest":
      case "logStop":
        return;
      default:
        message satisfies never;
    }
  }

  #lead(session: SessionNumber, term: number): void {
    if (term < this.#term) return;
    // One term has one leader, so in the same term a higher number is that master's newer
    // connection.
    if (term === this.#term && this.#leader !== undefined && session <= this.#leader) return;
    // The order matters (B1): after this line no other session's order is taken, so what the
    // registration names stays true until the new leader's answer.
    this.#leader = session;
    this.#term = term;
    this.#hints.end();
    this.#outbox.begin(session);
  }

  #registration(inside: readonly WorkerReport[], behind: readonly number[]): WorkerRegister {
    const held = new RangeList();
    const started = new RangeList();
    this.#orders.ranges(held);
    this.#lanes.ranges(held, started);
    // Named as held, or the leader would send them again; their ends follow.
    for (const n of behind) this.#reports.endsOf(n, held);
    return {
      kind: "register",
      term: this.#term,
      info: this.#info,
      held: held.take(),
      started: started.take(),
      recorded: this.#reports.recordedMax,
      reports: inside,
      ...(this.#leaving.own ? { leaving: this.#leaving.own } : {}),
    };
  }

  // ── orders ─────────────────────────────────────────────────────────────────────────────

  #obey(
    message: Exclude<
      MasterMessage,
      { kind: "lead" | "welcome" | "masters" | "refuse" | "logRequest" | "logStop" }
    >,
  ): void {
    switch (message.kind) {
      case "verdict":
        return this.#judge(message);
      case "start":
        return this.#start(message);
      case "recall":
        return this.#recall(message.job, message.count);
      case "cancel":
        for (const range of message.ranges) this.#cancel(range, message.reason, true);
        return;
      case "recorded":
        return this.#recorded(message.n);
      case "drain":
        return this.#ordered(message);
      default:
        message satisfies never;
    }
  }

  #judge({ kill, recorded }: MasterVerdict): void {
    this.#recorded(recorded);
    for (const range of kill) this.#cancel(range, endReasons.superseded.code, false);
  }

  #start({ jobs, ranges }: MasterStart): void {
    for (const descriptor of jobs) this.#jobs.describe(descriptor);
    for (const range of ranges) {
      const job = this.#jobs.get(range.job);
      // On a new session the leader says again what a worker must know of a job.
      if (!job) throw new RangeError(`job ${range.job} was ordered but never described`);
      const refusal = this.#refusal(job);
      const known = this.#jobs.known(job.number);
      if (refusal !== undefined) this.#decline(job, range, refusal);
      else this.#orders.push(job, range, (task) => known.add(range.attempt, task));
      this.#jobs.settle(job.number);
    }
  }

  /** Why nothing of this job is taken now. */
  #refusal(job: Job): string | undefined {
    if (this.#leaving.draining) return "draining";
    if (this.#reports.full) return "too many outcomes wait to be recorded";
    return this.#room.lacks(job.needs);
  }

  #decline(job: Job, range: StartRange, why: string): void {
    const known = this.#jobs.known(job.number);
    let declined = 0;
    for (let task = range.first; task < range.first + range.count; task++) {
      if (!known.add(range.attempt, task)) continue;
      this.#return(job.number, { task, attempt: range.attempt });
      declined++;
    }
    if (declined > 0) this.#ports.log.info("gave work back", { job: job.number, declined, why });
  }

  #recall(number: JobNumber, count: number): void {
    const job = this.#jobs.get(number);
    if (!job) return;
    const left = count - this.#orders.takeBack(job, count, this.#reports.returned);
    if (left > 0) this.#lanes.recall(job, left);
    this.#turnSoon();
  }

  /**
   * Ends what is held of a range. What has ended already is in a report on its way. What is not
   * known never came and never will, which an order to cancel wants to hear (K6), but a verdict
   * does not.
   */
  #cancel(range: AttemptRange, code: number, answerUnknown: boolean): void {
    const job = this.#jobs.get(range.job);
    const known = this.#jobs.known(range.job);
    const { first, count, attempt } = range;
    const unstarted: AttemptKey[] = [];
    for (let task = first; answerUnknown && task < first + count; task++) {
      if (known.add(attempt, task)) unstarted.push({ task, attempt });
    }
    this.#jobs.settle(range.job);
    if (job) {
      this.#orders.remove(job, range, (task) => unstarted.push({ task, attempt }));
      this.#lanes.cancel(job, range, code);
    }
    this.#endUnstarted(range.job, unstarted, code);
  }

  #endUnstarted(job: JobNumber, attempts: readonly AttemptKey[], code: number): void {
    if (attempts.length === 0) return;
    this.#reports.ended(
      job,
      attempts.map((attempt) => endItem(attempt, code)),
    );
    this.#turnSoon();
  }

  #return(job: JobNumber, { task, attempt }: AttemptKey): void {
    this.#reports.returned.add(job, attempt, task);
    this.#turnSoon();
  }

  #recorded(n: number): void {
    const touched = new Set<JobNumber>();
    const hashes = this.#reports.recorded(n, (job, attempt, task) => {
      this.#jobs.known(job).delete(attempt, task);
      touched.add(job);
    });
    for (const job of touched) this.#jobs.settle(job);
    this.#ports.results.forget(hashes);
    this.#outbox.flush();
  }

  // ── leaving ────────────────────────────────────────────────────────────────────────────

  /**
   * The worker's own wish to leave (a signal): like a leader's drain, and with masters away too.
   */
  leave(reason: string, deadlineMs: number): void {
    this.#leaving.begin({ exit: true, own: true, deadlineMs, reason });
    this.#sayLeaving();
    this.#turnSoon();
  }

  /** Before the report of what it gives back: decided later, that would be sent here again. */
  #sayLeaving(): void {
    const { own } = this.#leaving;
    const session = this.#outbox.registered; // else the registration says it
    if (own && session !== undefined) this.#ports.send(session, [{ kind: "leaving", ...own }]);
  }

  /** Ends everything soon: what runs is killed, reported as drained, and starts elsewhere. */
  stop(): void {
    this.leave("stopped", 0);
    this.#lanes.cancelAll(endReasons.drained.code, true);
  }

  /** Ends now: reports are spooled and `onExit` is called, whatever still runs. */
  end(): void {
    this.#leaving.end();
  }

  #ordered({ on, exit, deadlineMs }: MasterDrain): void {
    if (on) this.#leaving.begin({ exit, own: false, deadlineMs, reason: "drained" });
    else {
      this.#leaving.off();
      this.#sayLeaving(); // its own wish nobody takes back
    }
    this.#turnSoon();
  }

  #giveBack(on: boolean): void {
    this.#lanes.givingBack = on;
    if (!on) return;
    this.#orders.takeAll(this.#reports.returned);
    this.#lanes.recallAll();
  }

  #exit(reason: string): void {
    this.#ended = true;
    this.#reports.spoolAll();
    this.#lanes.stop();
    this.#hints.end();
    if (this.held === 0) this.goodbye(reason);
    this.#ports.onExit(reason);
  }

  /**
   * Tells the leader that nothing runs here any more; to be called late when slots had to be
   * killed.
   */
  goodbye(reason: string): void {
    if (this.#saidGoodbye || this.#leader === undefined) return;
    this.#saidGoodbye = true;
    this.#ports.send(this.#leader, [{ kind: "goodbye", reason }]);
  }

  // ── turns ──────────────────────────────────────────────────────────────────────────────

  #pump(): void {
    if (!this.#leaving.draining && !this.#outbox.full) this.#lanes.pump();
  }

  /**
   * What slots say is acted upon once a turn, not inside their callbacks: reports travel together,
   * and a slot that dies has said so before it could be given more.
   */
  #turnSoon(): void {
    // What is killed at the end did not fail: the goodbye says that it is lost.
    if (this.#turning || this.#ended) return;
    this.#turning = true;
    this.#ports.defer(() => {
      this.#turning = false;
      if (this.#ended) return;
      this.#pump();
      this.#reports.flush();
      this.#outbox.flush();
      this.#leaving.check();
    });
  }

  #load(): WorkerLoad {
    const { slots, busy } = this.#lanes.slots;
    return { slots, slotsBusy: busy, spoolBytes: this.#outbox.bytes, ...this.#ports.machine() };
  }

  // ── for tests, the simulator and the status of a worker ────────────────────────────────

  get term(): number {
    return this.#term;
  }

  /** The session that is listened to. */
  get leader(): SessionNumber | undefined {
    return this.#leader;
  }

  get draining(): boolean {
    return this.#leaving.draining;
  }

  /** Attempts here that have not ended. */
  get held(): number {
    return this.#orders.size + this.#lanes.count;
  }

  /** Attempts held, or ended and not recorded (B2). */
  get known(): number {
    return this.#jobs.count;
  }

  /** Reports that no leader has recorded. */
  get unrecorded(): readonly WorkerReport[] {
    return this.#reports.all();
  }

  get used(): ReadonlyMap<string, number> {
    return this.#room.used;
  }
}
