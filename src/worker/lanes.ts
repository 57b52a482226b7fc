// Which attempt goes to which slot, and which slots are kept warm.
//
// Owns: lanes (slots with what they were given) and the amounts they hold. Does not own: whether
// work may start at all, terms, reports (agent.ts).
//   L-1. Attempts are assigned strictly in the order sent: when the next one does not fit, nothing
//        behind it starts, so a large need is never starved by small ones (W8).
//   L-2. A lane holds its job's amounts while it has an attempt, also a cancelled one (K6); what is
//        held never exceeds the capacity. Attempts ahead of a busy lane hold nothing of their own.
//   L-3. An attempt is on exactly one lane or in the queue. Dropped unstarted, it is queued again
//        in front, unless the leader asked for it: then it is returned.
//   L-4. What waits behind a run that turns out long is taken back, so that it can start elsewhere.

import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isReferenceLine } from "../protocol/lines.ts";
import type { AttemptRange, JobDescriptor } from "../protocol/messages.ts";
import { endReasons } from "../protocol/model.ts";
import type { OutcomeItem } from "../protocol/outcome-block.ts";
import type { Room } from "./amounts.ts";
import { type AttemptKey, endItem } from "./ends.ts";
import { type Assigned, assigned } from "./assigned.ts";
import type { Executor } from "./executor.ts";
import type { Job } from "./jobs.ts";
import { Lane } from "./lane.ts";
import type { OrderQueue } from "./orders.ts";
import type { RangeList } from "./ranges.ts";

export type ResolvedInput =
  | { readonly kind: "input"; readonly input: Uint8Array }
  /** What it refers to is gone for good: the attempt ends payload_gone. */
  | { readonly kind: "gone"; readonly message: string };

/**
 * Resolves a reference line (see protocol/lines.ts); returns what stops it. `done` may be called at
 * once.
 */
export type ResolveInput = (
  job: JobDescriptor,
  line: Uint8Array,
  done: (resolved: ResolvedInput) => void,
) => () => void;

export interface LaneEvents {
  ended(job: Job, items: readonly OutcomeItem[]): void;
  /** It never started and never will here. */
  returned(job: Job, attempt: AttemptKey): void;
  started(job: Job, task: number, attempt: number): void;
  progress(job: Job, at: AttemptKey, percent: number, message?: string): void;
  /** Room may have come free. */
  changed(): void;
}

export interface LanesOptions {
  readonly clock: Clock;
  readonly executor: Executor;
  readonly resolveInput: ResolveInput;
  readonly log: Log;
  readonly room: Room;
  readonly orders: OrderQueue;
  /** Processes at once, however little they need. */
  readonly slotsMax: number;
  readonly events: LaneEvents;
}

interface Cancel {
  readonly code: number;
  readonly now?: boolean;
}

/** A run is long when it takes this; what waits behind it is taken back (L-4). */
const stuckMs = 50;
const idleStopMs = 300_000;
/** After this many slots in a row that ended without running anything, attempts are given back. */
const failuresMax = 5;
const startRetryMs = 100;

export class Lanes {
  readonly #o: LanesOptions;
  readonly #lanes = new Map<number, Lane>();
  /** Ready lanes without attempts, the longest idle first. */
  readonly #idle = new Set<Lane>();
  #pumping = false;
  #lastId = 0;
  #failures = 0;
  #startAfter = Number.NEGATIVE_INFINITY;
  #watchTimer: CancelTimer | undefined;
  #idleTimer: CancelTimer | undefined;
  #startTimer: CancelTimer | undefined;
  /** Dropped attempts are returned to the leader instead of queued again (a drain). */
  givingBack = false;

  constructor(options: LanesOptions) {
    this.#o = options;
  }

  get slots(): { readonly slots: number; readonly busy: number } {
    return { slots: this.#lanes.size, busy: this.#lanes.size - this.#idle.size };
  }

  /** Attempts on lanes. */
  get count(): number {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.waiting.length + lane.givenCount;
    return count;
  }

  /** Assigns what waits, in order, until the next one does not fit (L-1). */
  pump(): void {
    // A slot may call back at once, from inside: the loop sees what that changed.
    if (this.#pumping) return;
    this.#pumping = true;
    const { orders } = this.#o;
    for (let job = orders.nextJob; job && this.#place(job); job = orders.nextJob);
    this.#pumping = false;
  }

  #place(job: Job): boolean {
    const { orders, room } = this.#o;
    const reference = isReferenceLine(orders.nextInput ?? new Uint8Array());
    if (room.fits(job.needs)) {
      const idle = this.#idleLane(job);
      const lane = idle ?? this.#startLane(job);
      if (lane) {
        const share = Math.ceil(job.queued / room.copies(job.needs, this.#o.slotsMax));
        const count = reference || !idle ? 1 : Math.min(job.profile.depth, share);
        this.#assign(lane, job, count, reference);
        return true;
      }
    }
    const fed = reference ? undefined : this.#laneWithRoom(job);
    if (!fed) return false;
    this.#assign(fed, job, job.profile.depth - fed.givenCount, false);
    return true;
  }

  #assign(lane: Lane, job: Job, count: number, reference: boolean): void {
    const { orders, room, clock } = this.#o;
    const attempts = orders.take(count, isReferenceLine);
    if (!lane.holds) {
      if (this.#idle.delete(lane)) room.cool(lane.job.needs);
      room.take(job.needs);
      lane.holds = job.needs;
      lane.movedAt = clock.now();
    }
    if (lane.job !== job) {
      lane.job = job;
      lane.slot?.serve?.(job.descriptor);
    }
    lane.waiting.push(...attempts);
    if (reference) this.#resolve(lane);
    this.#pass(lane);
  }

  #pass(lane: Lane): void {
    if (lane.state !== "ready" || !lane.slot || lane.cancelInput) return;
    if (lane.waiting.length === 0) return;
    lane.pass();
    if (lane.givenCount > 1) this.#watch();
  }

  /** Fetches what the lane's one waiting attempt refers to; it holds its amounts meanwhile. */
  #resolve(lane: Lane): void {
    const attempt = lane.waiting[0];
    if (!attempt) return;
    let settled = false;
    const done = (resolved: ResolvedInput): void => {
      if (settled) return;
      settled = true;
      lane.cancelInput = undefined;
      if (lane.waiting[0] !== attempt) return;
      if (resolved.kind === "input") {
        const { task, attempt: number, fence } = attempt;
        lane.waiting = [assigned(task, number, fence, resolved.input)];
        this.#pass(lane);
        return;
      }
      lane.waiting = [];
      this.#o.events.ended(lane.job, [
        endItem(attempt, endReasons.payloadGone.code, resolved.message),
      ]);
      this.#settle(lane);
    };
    const cancel = this.#o.resolveInput(lane.job.descriptor, attempt.input, done);
    if (settled) return;
    lane.cancelInput = () => {
      settled = true;
      cancel();
    };
  }

  /** The lane idle for the shortest time that serves this job. */
  #idleLane(job: Job): Lane | undefined {
    let found: Lane | undefined;
    for (const lane of this.#idle) {
      if (lane.job === job) found = lane;
      else if (found?.job === job) continue;
      else if (lane.job.slotKey === job.slotKey && lane.slot?.serve) found = lane;
    }
    return found;
  }

  /** The busy lane of this job with the least ahead, if it is worth a hand-over. */
  #laneWithRoom(job: Job): Lane | undefined {
    const { depth } = job.profile;
    let found: Lane | undefined;
    for (const lane of this.#lanes.values()) {
      if (lane.job !== job || !lane.holds) continue;
      if (lane.state !== "ready" || lane.dropping) continue;
      if (lane.waiting.length > 0 || lane.givenCount > depth / 2) continue;
      if (!found || lane.givenCount < found.givenCount) found = lane;
    }
    return depth > 1 ? found : undefined;
  }

  #startLane(job: Job): Lane | undefined {
    const { room, clock, executor, slotsMax } = this.#o;
    if (clock.now() < this.#startAfter) {
      this.#tryLater();
      return undefined;
    }
    while (this.#idle.size > 0) {
      if (room.fitsBesideWarm(job.needs) && this.#lanes.size < slotsMax) break;
      this.#stopLongestIdle();
    }
    if (this.#lanes.size >= slotsMax) return undefined;
    const lane = new Lane(++this.#lastId, job);
    this.#lanes.set(lane.id, lane);
    lane.slot = executor.start(job.descriptor, lane.id, {
      onReady: () => this.#ready(lane),
      onOutcomes: (items) => this.#outcomes(lane, items),
      onDropped: (attempts) => this.#dropped(lane, attempts),
      onStarted: (task, attempt) => this.#started(lane, task, attempt),
      onProgress: (task, attempt, percent, message) =>
        this.#o.events.progress(lane.job, { task, attempt }, percent, message),
      onExit: (reason) => this.#exited(lane, reason),
    });
    return this.#lanes.has(lane.id) ? lane : undefined;
  }

  /** Asked again whenever it is too early: a timer may fire a little before its time. */
  #tryLater(): void {
    const { clock, events } = this.#o;
    this.#startTimer ??= clock.after(Math.max(1, this.#startAfter - clock.now()), () => {
      this.#startTimer = undefined;
      events.changed();
    });
  }

  #stopLongestIdle(): void {
    for (const lane of this.#idle) {
      this.#idle.delete(lane);
      this.#o.room.cool(lane.job.needs);
      // It has no attempts and gets none: for the accounts it is gone; the process follows.
      this.#lanes.delete(lane.id);
      lane.state = "stopping";
      lane.slot?.stop(false);
      return;
    }
  }

  // ── what slots say ─────────────────────────────────────────────────────────────────────

  #ready(lane: Lane): void {
    if (lane.state !== "starting") return;
    lane.state = "ready";
    this.#pass(lane);
    if (!lane.busy) this.#settle(lane);
    this.#o.events.changed();
  }

  #started(lane: Lane, task: number, attempt: number): void {
    const found = lane.find(task, attempt);
    if (!found || found.started) return;
    found.started = true;
    this.#o.events.started(lane.job, task, attempt);
  }

  #outcomes(lane: Lane, items: readonly OutcomeItem[]): void {
    const own = items.filter((item) => lane.end(item.task, item.attempt));
    if (own.length < items.length) {
      // An end that is told twice, or of an attempt that was dropped, must never be reported (B4).
      this.#o.log.error("a slot ended attempts it did not have", { slot: lane.id });
    }
    if (own.length === 0) return;
    lane.movedAt = this.#o.clock.now();
    lane.proven = true;
    this.#failures = 0;
    const ran = own.every((item) => item.code === 0) ? own : own.filter((item) => item.micros > 0);
    lane.job.profile.measured(ran);
    this.#o.events.ended(lane.job, own);
    this.#settle(lane);
    this.#o.events.changed();
  }

  #dropped(lane: Lane, attempts: readonly AttemptKey[]): void {
    lane.dropping = false;
    if (!lane.askedToDrop && attempts.length > 0 && lane.state === "ready") {
      // It is about to end by itself (recycled, crashed): given more, it would only hand it back.
      lane.state = "stopping";
      lane.gaveUp = true;
      lane.slot?.stop(false);
    }
    const found = attempts.flatMap(({ task, attempt }) => lane.end(task, attempt) ?? []);
    if (lane.gaveUp && this.#failures >= failuresMax)
      for (const attempt of found) attempt.recalled = true;
    this.#backToQueue(lane.job, found);
    this.#settle(lane);
    this.#o.events.changed();
  }

  #exited(lane: Lane, reason: string): void {
    if (lane.state === "gone") return;
    const { room, events, log, clock } = this.#o;
    const known = this.#lanes.delete(lane.id);
    if (this.#idle.delete(lane)) room.cool(lane.job.needs);
    const starting = lane.state === "starting";
    lane.state = "gone";
    if (!known) return;
    const unstarted = lane.takeWaiting();
    // The slot owes an end for each of these (X1). They may have run, so they cannot start again.
    const silent = lane.takeGiven();
    const failed = !lane.proven && (starting || lane.gaveUp || lane.holds !== undefined);
    if (silent.length > 0) {
      const text = `its slot ended: ${reason}`;
      events.ended(
        lane.job,
        silent.map((attempt) => endItem(attempt, endReasons.crashed.code, text)),
      );
    }
    if (failed) {
      this.#failures++;
      const waitMs = Math.min(5_000, startRetryMs * 2 ** this.#failures);
      this.#startAfter = clock.now() + waitMs;
      log.warn("a slot ended before it ran anything", { slot: lane.id, reason, waitMs });
      if (this.#failures >= failuresMax) for (const attempt of unstarted) attempt.recalled = true;
    }
    this.#backToQueue(lane.job, unstarted);
    this.#settle(lane);
    events.changed();
  }

  /** Unstarted attempts go back to the front of the queue, or to the leader (L-3). */
  #backToQueue(job: Job, attempts: readonly Assigned[]): void {
    const again = attempts.filter((attempt) => {
      if (attempt.cancelCode !== undefined) {
        this.#o.events.ended(job, [endItem(attempt, attempt.cancelCode)]);
        return false;
      }
      if (!this.givingBack && !attempt.recalled) return true;
      this.#o.events.returned(job, attempt);
      return false;
    });
    if (again.length > 0) this.#o.orders.pushFront(job, again);
  }

  /** Releases the amounts of a lane that has nothing left (L-2). */
  #settle(lane: Lane): void {
    if (lane.busy) return;
    const { room, clock } = this.#o;
    if (lane.holds) {
      room.release(lane.holds);
      lane.holds = undefined;
    }
    if (lane.state !== "ready" || this.#idle.has(lane)) return;
    lane.movedAt = clock.now();
    this.#idle.add(lane);
    room.warm(lane.job.needs);
    this.#idleTimer ??= clock.after(idleStopMs, () => this.#stopIdle());
  }

  #stopIdle(): void {
    this.#idleTimer = undefined;
    const { clock } = this.#o;
    for (const lane of this.#idle) {
      const leftMs = lane.movedAt + idleStopMs - clock.now();
      if (leftMs > 0) {
        this.#idleTimer = clock.after(leftMs, () => this.#stopIdle());
        return;
      }
      this.#stopLongestIdle();
    }
  }

  /** Looks now and then whether short attempts wait behind a long one (L-4). */
  #watch(): void {
    this.#watchTimer ??= this.#o.clock.after(stuckMs, () => {
      this.#watchTimer = undefined;
      const now = this.#o.clock.now();
      for (const lane of this.#lanes.values()) {
        if (lane.givenCount < 2) continue;
        this.#watch();
        const ranMs = now - lane.movedAt;
        if (ranMs < stuckMs || lane.dropping || lane.state !== "ready") continue;
        lane.job.profile.slow(ranMs * 1_000);
        lane.drop(lane.givenCount - 1);
      }
    });
  }

  // ── what the leader asks ───────────────────────────────────────────────────────────────

  /** Asks back up to `count` unstarted attempts of a job. */
  recall(job: Job, count: number): void {
    let left = count;
    for (const lane of [...this.#lanes.values()].toReversed()) {
      if (left === 0) return;
      if (lane.job === job) left -= this.#recallFrom(lane, left);
    }
  }

  /** Asks back everything unstarted. */
  recallAll(): void {
    for (const lane of this.#lanes.values()) this.#recallFrom(lane, Number.POSITIVE_INFINITY);
  }

  #recallFrom(lane: Lane, count: number): number {
    const { events } = this.#o;
    if (lane.waiting.length > 0) {
      const unstarted = lane.takeWaiting();
      const kept = unstarted.slice(0, Math.max(0, unstarted.length - count));
      for (const attempt of unstarted.slice(kept.length)) events.returned(lane.job, attempt);
      lane.waiting = kept;
      this.#settle(lane);
      return unstarted.length - kept.length;
    }
    const behind = lane.given
      .slice(1)
      .filter((attempt) => !attempt.recalled && attempt.cancelCode === undefined);
    const asked = behind.slice(Math.max(0, behind.length - count));
    if (asked.length === 0) return 0;
    for (const attempt of asked) attempt.recalled = true;
    lane.drop(asked.length);
    return asked.length;
  }

  /** Ends those of the named attempts that are on lanes. */
  cancel(job: Job, range: AttemptRange, code: number): void {
    for (const lane of this.#lanes.values()) {
      if (lane.job === job) this.#cancelOn(lane, range, { code });
    }
  }

  /** Kills whatever runs; `now` leaves no grace, also to what was cancelled before. */
  cancelAll(code: number, now: boolean): void {
    for (const lane of this.#lanes.values()) this.#cancelOn(lane, undefined, { code, now });
  }

  #cancelOn(lane: Lane, range: AttemptRange | undefined, { code, now }: Cancel): void {
    const hit = ({ task, attempt }: AttemptKey): boolean =>
      range === undefined ||
      (attempt === range.attempt && task >= range.first && task < range.first + range.count);
    const unstarted = lane.waiting.filter(hit);
    if (unstarted.length > 0) {
      lane.waiting = lane.takeWaiting().filter((attempt) => !hit(attempt));
      this.#o.events.ended(
        lane.job,
        unstarted.map((attempt) => endItem(attempt, code)),
      );
      this.#settle(lane);
    }
    const graceMs = now ? 0 : lane.job.descriptor.killGraceMs;
    for (const attempt of lane.given.filter(hit)) {
      if (attempt.cancelCode !== undefined && !now) continue;
      attempt.cancelCode ??= code;
      lane.slot?.cancel(attempt.task, attempt.attempt, attempt.cancelCode, graceMs);
    }
  }

  /** What is on lanes, and what of it may have started. */
  ranges(held: RangeList, started: RangeList): void {
    for (const { job, waiting, given } of this.#lanes.values()) {
      for (const { attempt, task } of waiting) held.add(job.number, attempt, task);
      given.forEach((assignment, i) => {
        held.add(job.number, assignment.attempt, assignment.task);
        // Notices are rare (X: one in 50 ms), so the first with the slot counts as started.
        if (i > 0 && !assignment.started) return;
        started.add(job.number, assignment.attempt, assignment.task);
      });
    }
  }

  /** Ends all slots: those with work are killed. */
  stop(): void {
    this.#watchTimer?.();
    this.#idleTimer?.();
    this.#startTimer?.();
    for (const lane of this.#lanes.values()) lane.slot?.stop(true);
  }
}
