// The master's loop. While it leads: decide and apply, append, and only then perform (L1). While another
// leads: fold what that one appended. Synchronous, with callbacks and without promises, so that the
// simulator drives this very code.
//
// Owns: the state, the order of requests, the one batch in flight, what is held until it is durable.
// Does not own: the state's rules (core/), when to stand for election (leadership.ts), how the journal is
// read (tail.ts), sockets (sessions.ts, api/), files.
//
//   M1. One append is in flight at a time; what arrives meanwhile makes the next batch (J4).
//   M2. The state is ahead of the journal by that one batch at most. Answers, effects, reads and digests
//       that saw it are held until it is durable.
//   M3. After `conflict` or `unknown` the contested index is read: our batch id → appended; absent → the
//       identical batch again; another's with a higher term → deposed (J3). Nobody is told "failed".
//   M4. A batch that is lost, or a decision that threw, makes the state worthless: it is rebuilt from
//       snapshot and journal before anything else. The request that threw is not decided again.
//   M5. This master leads iff its own `elected` is the last one applied (L2), however that came to be
//       applied. Before that nothing is decided: requests wait for a bounded time, or are sent to who leads.
//   M6. A candidate's `elected` is not applied before the journal has it (candidacy.ts): who loses an
//       election has lost nothing.

import type { Effect } from "../core/effect.ts";
import { decide, openTurn } from "../core/machine.ts";
import type { AnswerOf, Request } from "../core/machine.ts";
import { place } from "../core/placement/place.ts";
import type { Recall } from "../core/placement/recall.ts";
import { refuse } from "../core/refusal.ts";
import type { Refusal } from "../core/refusal.ts";
import type { State } from "../core/state.ts";
import { expire } from "../core/timeouts.ts";
import { nextTimerAt } from "../core/timers.ts";
import { emit } from "../core/turn.ts";
import type { Turn } from "../core/turn.ts";
import type { StoredBatch } from "../journal/journal.ts";
import { asError } from "../lib/as-error.ts";
import { limits } from "../protocol/limits.ts";
import { Appender } from "./appender.ts";
import { Candidacy } from "./candidacy.ts";
import type { Flight, Settle } from "./flight.ts";
import { Inbox } from "./inbox.ts";
import type { Waiting } from "./inbox.ts";
import { noBatch } from "./loop-ports.ts";
import type { Grounded, LoopIdentity, LoopPorts } from "./loop-ports.ts";
import { notLeading, refusalOf, stopped, unknownOutcome } from "./loop-refusals.ts";
import { Pump } from "./pump.ts";
import { Replica } from "./replica.ts";

interface Resigning {
  readonly to: string | null;
  readonly done: (resigned: boolean) => void;
}

export class Loop {
  readonly #replica: Replica;
  readonly #inbox: Inbox;
  readonly #appender: Appender;
  readonly #pump: Pump;
  #flight: Flight | null = null;
  #leads = false;
  #electedIndex = 0;
  #halted = false;
  #rebuilding = false;
  /** The wish to hand over, until its batch is made. */
  #resigning: Resigning | null = null;
  /** The journal's head is not its own: an append will tell (J3). */
  #suspects = false;
  /** When the last append began, and the last one that was good (L3). */
  #appendAt = 0;
  #goodAt = 0;
  readonly #candidacy: Candidacy;
  readonly #identity: LoopIdentity;
  readonly #ports: LoopPorts;

  constructor(grounded: Grounded, identity: LoopIdentity, ports: LoopPorts) {
    this.#identity = identity;
    this.#ports = ports;
    this.#replica = new Replica(grounded, ports.clock, ports.log);
    this.#appender = new Appender(ports);
    this.#pump = new Pump(
      ports.clock,
      (fire) => ports.defer(fire),
      () => this.#turn(),
    );
    this.#inbox = new Inbox(
      ports.clock,
      () => !this.#leads && !this.#halted,
      () => ports.leaderElsewhere(),
    );
    const { clock, log } = ports;
    this.#candidacy = new Candidacy({
      clock,
      log,
      append: (expected, batch, done) =>
        ports.append(expected, batch, (result) => (this.#halted ? undefined : done(result))),
      look: (done) => ports.look(done),
      next: () => this.#state.index + 1,
      ready: () => !this.#leads && !this.#halted && !this.#rebuilding,
      compose: () => this.#replica.elected(identity, this.#wall(), ports.newBatchId()),
      stuck: () => ports.stuck(),
      won: (batch) => {
        this.follow(batch);
        this.caughtUp();
      },
    });
  }

  get #state(): State {
    return this.#replica.state;
  }

  get leads(): boolean {
    return this.#leads;
  }

  get halted(): boolean {
    return this.#halted;
  }

  /** Bytes of requests that wait, for back-pressure. */
  get inboxBytes(): number {
    return this.#inbox.bytes;
  }

  /** Index of the last batch in the state; of a leader it may not be durable yet. */
  get appliedIndex(): number {
    return this.#state.index;
  }

  /** Index of the last durable batch. */
  get durableIndex(): number {
    return this.#flight === null ? this.#state.index : this.#flight.batch.index - 1;
  }

  /** When the last good append of this leader began; now, if no other master is there to lead (L3). */
  get goodAt(): number {
    return this.#renews ? this.#goodAt : this.#ports.clock.now();
  }

  /** Cluster time now, in ms. */
  time(): number {
    return this.#replica.time();
  }

  /** An `elected` of this master is wanted or on its way. */
  get stands(): boolean {
    return this.#candidacy.stands;
  }

  get rebuilding(): boolean {
    return this.#rebuilding;
  }

  /** Index of its last `elected`: digests from there on are its own, while it leads. */
  get electedIndex(): number {
    return this.#electedIndex;
  }

  /** In this batch the journal's digest is not this master's, twice computed (L10); 0: no doubt. */
  get doubts(): number {
    return this.#replica.doubts;
  }

  /** Stands for election: appends `elected` with the next term (L2), until it leads or `withdraw`s. */
  campaign(): void {
    this.#candidacy.stand();
  }

  withdraw(): void {
    this.#candidacy.withdraw();
  }

  /** Hands over as soon as what is in flight is durable (L6). `done(false)`: it does not lead, or could not. */
  resign(to: string | null, done: (done: boolean) => void): void {
    if (!this.#leads || this.#resigning !== null) return done(false);
    this.#resigning = { to, done };
    this.#pump.soon();
  }

  /** `done` is called once the decision is durable, or refused; `bytes` is what it weighs. */
  request<R extends Request>(request: R, bytes: number, done: (answer: AnswerOf<R>) => void): void {
    if (this.#halted) return done(stopped() as AnswerOf<R>);
    if (!this.#leads) {
      const refusal = this.#inbox.whyNotHeld(request, bytes, this.#ports.leaderElsewhere());
      if (refusal) return done(refusal as AnswerOf<R>);
    }
    const since = this.#ports.clock.now();
    this.#inbox.push({ request, bytes, since, done: done as (answer: object) => void });
    if (this.#leads) this.#pump.soon();
    else this.#inbox.expelOld();
  }

  /**
   * Looks at the state; what was seen is handed over once all of it is durable (M2). `look` must not keep
   * anything of the state, and may be called again if a batch was lost.
   */
  read<T>(look: (state: State, time: number) => T, done: (seen: T) => void): void {
    if (this.#rebuilding) {
      this.#afterRebuild.push(() => this.read(look, done));
      return;
    }
    const seen = look(this.#state, this.time());
    if (this.#flight === null) done(seen);
    else this.#flight.reads.push({ durable: () => done(seen), lost: () => this.read(look, done) });
  }

  /** Only for what is performed right after a batch: the state is durable then, up to this turn. */
  peek<T>(look: (state: State) => T): T {
    return look(this.#state);
  }

  /** Something outside changed (a timer, a worker): look whether there is anything to do. */
  poke(): void {
    this.#pump.soon();
  }

  stop(): void {
    this.#halted = true;
    this.#appender.letGo();
    this.#pump.stop();
  }

  /** The rebuilt state takes the place of the lost one; what waited goes on. */
  adopt(grounded: Grounded): void {
    if (this.#halted) return;
    this.#replica.adopt(grounded);
    this.#rebuilding = false;
    this.#candidacy.followed(grounded.state.index);
    if (this.#leads && !this.#replica.isLedBy(this.#identity)) this.#deposed();
    const held = this.#afterRebuild.splice(0);
    for (const look of held) look();
    this.#candidacy.go();
    this.#pump.soon();
  }

  readonly #afterRebuild: Settle[] = [];

  // ── following ──────────────────────────────────────────────────────────────────────────

  /** The next batch of the journal, from the tail; a leader is deaf to it (J4). */
  follow(batch: StoredBatch): void {
    if (this.#halted || this.#rebuilding || this.#leads) return;
    if (batch.index <= this.#state.index) return;
    let effects: readonly Effect[] = [];
    try {
      effects = this.#replica.fold(batch);
    } catch (error) {
      return this.#halt(asError(error));
    }
    const { index, wall, encoded: bytes } = batch;
    if (this.#replica.isLedBy(this.#identity))
      this.#appendAt = this.#goodAt = this.#candidacy.since;
    this.#candidacy.followed(index);
    this.#ports.perform({ index, wall, effects, recalls: [], bytes, elected: false });
    if (effects.some(({ kind }) => kind === "elected")) this.#sendElsewhere();
    if (this.#replica.differs) this.#lose("the journal's digest is not this state's");
  }

  /** All that was in the journal is followed: if an `elected` of its own is the last one, it leads (M5). */
  caughtUp(): void {
    if (this.#halted || this.#rebuilding || this.#leads) return;
    if (!this.#replica.isLedBy(this.#identity)) return;
    this.#leads = true;
    this.#candidacy.withdraw();
    this.#replica.goOn();
    const { index, wall } = this.#state;
    this.#electedIndex = index;
    this.#ports.perform({ ...noBatch, index, wall, elected: true });
    this.#pump.soon();
  }

  /** What the journal's head is, for a leader that hears nothing from it: another may have led long since. */
  headSeen(index: number): void {
    if (!this.#leads || this.#flight !== null || index <= this.#state.index) return;
    this.#suspects = true;
    this.#pump.soon();
  }

  /** Another master leads: what waits here is sent there. */
  #sendElsewhere(): void {
    if (this.#replica.isLedBy(this.#identity)) return;
    const { leader } = this.#state;
    for (const { done } of this.#inbox.drain()) done(notLeading(leader?.addresses[0]));
  }

  /** What comes next was trimmed away: the state is built again from a snapshot. */
  overtaken(why: string): void {
    if (!this.#rebuilding && !this.#leads && !this.#halted) this.#lose(why);
  }

  // ── a turn ─────────────────────────────────────────────────────────────────────────────

  #turn(): void {
    if (this.#flight !== null || this.#halted || this.#rebuilding) return;
    if (!this.#leads) return;
    const turn = openTurn(this.#state, this.#state.term, this.time(), this.#wall());
    if (this.#resigning !== null) return this.#resign(turn, this.#resigning);
    const taken = this.#inbox.take();
    const answers: Settle[] = [];
    let recalls: readonly Recall[] = [];
    let more = false;
    let at: Waiting | undefined;
    try {
      if (taken.length > 0) this.#stateDigest(turn);
      for (const waiting of taken) {
        at = waiting;
        const admitted = this.#ports.admit(waiting.request, turn);
        const answer = "ok" in admitted ? admitted : decide(turn, admitted);
        answers.push(() => waiting.done(answer));
      }
      at = undefined;
      more = expire(turn);
      const tasksMax = this.#lapsed() ? 0 : this.#inbox.share(this.#ports.dispatchMax());
      const [recalling, resting] = [this.#ports.recalling(), this.#ports.resting()];
      const placed = place(turn, { tasksMax, recalling, resting });
      recalls = placed.recalls;
      more ||= placed.more;
      const due = this.#suspects || this.#renewsIn() <= 0;
      if (turn.entries.length === 0 && due) emit(turn, { kind: "renewed", v: 1 });
    } catch (error) {
      this.#stumbled(error, at, taken);
      return;
    }
    if (turn.entries.length > 0) this.#launch(turn, taken, answers, recalls);
    else this.#nothingToAppend(answers, recalls);
    if (more || this.#inbox.length > 0) this.#pump.soon();
    else {
      const timerIn = nextTimerAt(this.#state.timers) - this.time();
      this.#pump.sleep(Math.min(timerIn, this.#renewsIn()));
    }
  }

  #nothingToAppend(answers: readonly Settle[], recalls: readonly Recall[]): void {
    for (const answer of answers) answer();
    if (recalls.length === 0) return;
    const { index, wall } = this.#state;
    this.#ports.perform({ ...noBatch, index, wall, recalls });
  }

  /** The last batch of this leadership; what waits is held for the next leader (L6). */
  #resign(turn: Turn, { to, done }: Resigning): void {
    this.#resigning = null;
    emit(turn, { kind: "resigned", v: 1, to, digest: this.#replica.digest() });
    this.#launch(turn, [], [], [], done);
  }

  /** Other masters are known: a sign of life is due this often (L3). */
  get #renews(): boolean {
    return this.#state.masters.size > 1;
  }

  #renewsIn(): number {
    if (!this.#renews) return Infinity;
    return this.#appendAt + limits.renewMs - this.#ports.clock.now();
  }

  /** L3: without news from the journal for a lease another may lead by now; nothing is dispatched. */
  #lapsed(): boolean {
    return this.#renews && this.#ports.clock.now() - this.#goodAt > limits.leaseMs;
  }

  #stateDigest(turn: Turn): void {
    this.#replica.digestAhead();
    if (!this.#replica.digestDue(turn)) return;
    emit(turn, { kind: "digest", v: 1, digest: this.#replica.digest() });
  }

  #wall(): number {
    return Math.floor(this.#ports.clock.wall());
  }

  /** M4: a decision threw. Its request is answered, everything else is decided again after the rebuild. */
  #stumbled(error: unknown, at: Waiting | undefined, taken: readonly Waiting[]): void {
    this.#ports.log.error("a decision failed", { error, request: at?.request.kind });
    if (at === undefined) {
      this.#halt(asError(error));
      return;
    }
    this.#inbox.putBack(taken.filter((waiting) => waiting !== at));
    at.done(
      refuse("internal", "The master could not decide this request; its log has the reason."),
    );
    this.#lose("a decision failed");
  }

  /** The state is worth nothing: it is built again, then this master goes on. */
  #lose(why: string): void {
    for (const read of this.#flight?.reads ?? []) this.#afterRebuild.push(read.lost);
    this.#flight = null;
    this.#appender.letGo();
    this.#rebuilding = true;
    this.#ports.rebuild(why);
  }

  // ── a batch ────────────────────────────────────────────────────────────────────────────

  #launch(
    turn: Turn,
    waiting: Waiting[],
    answers: Settle[],
    recalls: readonly Recall[],
    resigns: Flight["resigns"] = null,
  ): void {
    const batch = this.#replica.encode(turn, turn.entries, this.#ports.newBatchId());
    const since = this.#ports.clock.now();
    this.#appendAt = since;
    this.#suspects = false;
    const flight: Flight = { batch, turn, recalls, answers, waiting, resigns, reads: [], since };
    this.#flight = flight;
    this.#appender.send(batch, {
      durable: () => this.#durable(flight),
      refused: (code, why) => this.#refused(flight, code, why),
      deposed: (term) =>
        this.#lostTerm(flight, `another leads in term ${term}`, notLeading(undefined)),
      overrun: () => this.#lostTerm(flight, `batch ${batch.index} is trimmed`, unknownOutcome()),
      forked: (found) => {
        const what = `index ${found.index} holds another batch of term ${found.term}`;
        this.#halt(new Error(`the journal is forked: ${what}; keep all files and ask for help`));
      },
      unknown: () => this.#giveUpWaiting(flight),
    });
  }

  /** J3: another leads. With this batch the state is lost; clients ask the other master. */
  #lostTerm(flight: Flight, why: string, answer: Refusal): void {
    this.#ports.log.warn("this master leads no more, it follows", { why });
    this.#deposed();
    flight.resigns?.(false);
    for (const { done } of flight.waiting) done(answer);
    this.#lose(why);
  }

  #deposed(): void {
    this.#leads = false;
    this.#pump.wake();
    this.#resigning?.done(false);
    this.#resigning = null;
    for (const { done } of this.#inbox.drain()) done(notLeading(undefined));
    this.#ports.deposed();
  }

  /** J3: callers that have waited long are told that it is not known yet; the batch goes on. */
  #giveUpWaiting(flight: Flight): void {
    if (this.#ports.clock.now() - flight.since < limits.outcomeUnknownMs) return;
    flight.answers.length = 0;
    for (const { done } of flight.waiting.splice(0)) done(unknownOutcome());
  }

  /** Nothing was stored: what is asked is answered so, and the state goes back (M4). */
  #refused(flight: Flight, code: string, why: string): void {
    const answer = refusalOf(code, why);
    if (code === "too_large") this.#inbox.tooLarge();
    flight.resigns?.(false);
    const results = flight.waiting.filter(({ request }) => request.kind === "report");
    const rest = flight.waiting.filter(({ request }) => request.kind !== "report");
    this.#lose(`the journal refused batch ${flight.batch.index}: ${why}`);
    // Results are never refused (J7): they wait and are tried again.
    this.#inbox.putBack(results);
    for (const { done } of rest) done(answer);
    this.#pump.rest();
  }

  #durable(flight: Flight): void {
    this.#flight = null;
    this.#replica.appended(flight.batch);
    this.#pump.rested();
    this.#inbox.fitted();
    this.#goodAt = flight.since;
    const { index, wall, effects } = flight.turn;
    const { recalls, resigns } = flight;
    if (resigns !== null) {
      this.#leads = false;
      this.#pump.wake();
      // Only what clients asked is for whoever leads next: news of this term's sessions are not.
      for (const { done } of this.#inbox.dropOfTerm()) done(notLeading(undefined));
      this.#inbox.expelOld();
    }
    const { bytes } = flight.batch;
    this.#ports.perform({ index, wall, effects, recalls, elected: false, bytes });
    for (const answer of flight.answers) answer();
    for (const read of flight.reads) read.durable();
    resigns?.(true);
    if (resigns !== null) this.#ports.deposed();
    this.#pump.soon();
  }

  #halt(why: Error): void {
    this.#halted = true;
    this.#leads = false;
    this.#pump.stop();
    this.#resigning?.done(false);
    this.#appender.letGo();
    for (const { done } of this.#flight?.waiting ?? []) done(unknownOutcome());
    for (const { done } of this.#inbox.drain()) done(stopped(why));
    this.#ports.halt(why);
  }
}
