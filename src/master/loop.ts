// The master's loop: decide and apply, append, and only then perform (L1). Synchronous, with callbacks and
// without promises, so that the simulator drives this very code.
//
// Owns: the order of requests, the one batch in flight, what is held until it is durable, elections of
// this master (L2). Does not own: the state's rules (core/), sockets (sessions.ts, api/), files.
//
//   M1. One append is in flight at a time; what arrives meanwhile makes the next batch (J4).
//   M2. The state is ahead of the journal by that one batch at most. Answers, effects, reads and digests
//       that saw it are held until it is durable.
//   M3. After `conflict` or `unknown` the contested index is read: our batch id → appended; absent → the
//       identical batch again; another's with a higher term → deposed (J3). Nobody is told "failed".
//   M4. A batch that is lost, or a decision that threw, makes the state worthless: it is rebuilt from
//       snapshot and journal before anything else. The request that threw is not decided again.
//   M5. This master leads iff its own `elected` is applied (L2); before that every request waits.

import { digest, digestAhead, renewDigestMemory } from "../core/digest.ts";
import type { DigestMemory } from "../core/digest.ts";
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
import { encodeBatch } from "../journal/batch.ts";
import type { EncodedBatch } from "../journal/batch.ts";
import type { AppendResult, StoredBatch } from "../journal/journal.ts";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { encodeEntries, entriesFormat } from "./codec.ts";
import { Inbox } from "./inbox.ts";
import type { Waiting } from "./inbox.ts";

export interface LoopIdentity {
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
}

/** What was durable and must be done about it, in order. */
export interface Durable {
  readonly index: number;
  readonly wall: number;
  readonly effects: readonly Effect[];
  readonly recalls: readonly Recall[];
  readonly bytes: Uint8Array;
  /** This batch made this master the leader. */
  readonly elected: boolean;
}

export interface LoopPorts {
  readonly clock: Clock;
  readonly log: Log;
  append(expected: number, batch: EncodedBatch, done: (result: AppendResult) => void): void;
  /** Reads one index, for M3; an error is tried again. */
  read(index: number, done: (batch: StoredBatch | undefined | Error) => void): void;
  /** Calls back once, soon, after what waits now. */
  defer(fire: () => void): void;
  newBatchId(): string;
  perform(durable: Durable): void;
  /** Rebuilds the state from snapshot and journal, then calls `adopt` (M4). */
  rebuild(why: string): void;
  /** Another leads, or the journal is broken: this master stops. */
  halt(why: Error): void;
  /** What only this process knows, asked right before a decision: the request, or a refusal (A1). */
  admit(request: Request, turn: Turn): Request | Refusal;
  /** Tasks that may be assigned in the next turn (J7). */
  dispatchMax(): number;
  recalling(): ReadonlySet<number>;
}

/** State that stands exactly at a durable batch. */
export interface Grounded {
  readonly state: State;
  readonly hash: string;
}

type Settle = () => void;

/** A look at the state that waits for the batch in flight; if that is lost it looks again (M2). */
interface HeldRead {
  readonly durable: Settle;
  readonly lost: Settle;
}

interface Flight {
  readonly batch: EncodedBatch;
  readonly turn: Turn;
  readonly recalls: readonly Recall[];
  readonly answers: Settle[];
  readonly reads: HeldRead[];
  readonly waiting: readonly Waiting[];
  readonly elected: boolean;
  readonly since: number;
  tries: number;
  /** The answer to an append of it was lost: it may be stored, or come to be so. */
  unsure: boolean;
}

export class Loop {
  #state: State;
  #hash: string;
  #memory: DigestMemory;
  readonly #inbox = new Inbox();
  #flight: Flight | null = null;
  #leads = false;
  #wantsToLead = false;
  #halted = false;
  #rebuilding = false;
  #cameSecond = false;
  /** Batches in a row that the journal refused: what is tried again is tried ever more slowly. */
  #refusals = 0;
  #resting = false;
  #pumping = false;
  #cancelTimer: CancelTimer = () => {};
  /** Cluster time goes on from here by the monotonic clock (T1). */
  #timeBase: { readonly time: number; readonly at: number };
  #digestIndex = 0;
  #digestTime = 0;
  readonly #identity: LoopIdentity;
  readonly #ports: LoopPorts;

  constructor(grounded: Grounded, identity: LoopIdentity, ports: LoopPorts) {
    this.#state = grounded.state;
    this.#hash = grounded.hash;
    this.#memory = renewDigestMemory(grounded.state);
    this.#identity = identity;
    this.#ports = ports;
    this.#timeBase = { time: grounded.state.time, at: ports.clock.now() };
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

  /** Index of the last durable batch. */
  get durableIndex(): number {
    return this.#flight === null ? this.#state.index : this.#flight.batch.index - 1;
  }

  /** Cluster time now, in ms. */
  time(): number {
    const passed = Math.floor(this.#ports.clock.now() - this.#timeBase.at);
    return Math.max(this.#state.time, this.#timeBase.time + passed);
  }

  /** Stands for election: appends `elected` with the next term (L2). */
  campaign(): void {
    this.#wantsToLead = true;
    this.#soon();
  }

  /** `done` is called once the decision is durable, or refused; `bytes` is what it weighs. */
  request<R extends Request>(request: R, bytes: number, done: (answer: AnswerOf<R>) => void): void {
    if (this.#halted) {
      done(refuse("not_leading", "This master has stopped.") as AnswerOf<R>);
      return;
    }
    this.#inbox.push({ request, bytes, done: done as (answer: object) => void });
    this.#soon();
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
    this.#soon();
  }

  stop(): void {
    this.#halted = true;
    this.#cancelTimer();
  }

  /** The rebuilt state takes the place of the lost one; what waited goes on. */
  adopt(grounded: Grounded): void {
    this.#state = grounded.state;
    this.#hash = grounded.hash;
    this.#memory = renewDigestMemory(grounded.state);
    this.#rebuilding = false;
    const { leader } = grounded.state;
    if (this.#cameSecond && leader !== null && leader.id !== this.#identity.id) {
      this.#deposed(leader.term);
      return;
    }
    this.#cameSecond = false;
    const held = this.#afterRebuild.splice(0);
    for (const look of held) look();
    this.#soon();
  }

  readonly #afterRebuild: Settle[] = [];

  // ── a turn ─────────────────────────────────────────────────────────────────────────────

  #soon(): void {
    if (this.#pumping || this.#halted) return;
    this.#pumping = true;
    this.#ports.defer(() => {
      this.#pumping = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#flight !== null || this.#halted || this.#rebuilding || this.#resting) return;
    if (!this.#leads) {
      if (this.#wantsToLead) this.#elect();
      return;
    }
    const turn = openTurn(this.#state, this.#state.term, this.time(), this.#wall());
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
      const tasksMax = this.#inbox.share(this.#ports.dispatchMax());
      const options = { tasksMax, recalling: this.#ports.recalling() };
      const placed = place(turn, options);
      recalls = placed.recalls;
      more ||= placed.more;
    } catch (error) {
      this.#stumbled(error, at, taken);
      return;
    }
    if (turn.entries.length > 0) this.#launch(turn, taken, answers, recalls, false);
    else this.#nothingToAppend(answers, recalls);
    if (more || this.#inbox.length > 0) this.#soon();
    else this.#sleep();
  }

  #nothingToAppend(answers: readonly Settle[], recalls: readonly Recall[]): void {
    for (const answer of answers) answer();
    if (recalls.length === 0) return;
    const { index, wall } = this.#state;
    const bytes = new Uint8Array(0);
    this.#ports.perform({ index, wall, effects: [], recalls, bytes, elected: false });
  }

  #elect(): void {
    const term = this.#state.term + 1;
    const turn = openTurn(this.#state, term, this.time(), this.#wall());
    const before = this.#digest();
    emit(turn, { kind: "elected", v: 1, term, ...this.#identity, digest: before });
    this.#launch(turn, [], [], [], true);
  }

  #stateDigest(turn: Turn): void {
    digestAhead(this.#state, this.#memory);
    const batches = turn.index - this.#digestIndex;
    const quiet = turn.time - this.#digestTime < limits.digestMs;
    if (batches < limits.digestBatches && (quiet || batches < 2)) return;
    this.#digestIndex = turn.index;
    this.#digestTime = turn.time;
    emit(turn, { kind: "digest", v: 1, digest: this.#digest() });
  }

  #digest(): string {
    return digest(this.#state, this.#memory);
  }

  #wall(): number {
    return Math.floor(this.#ports.clock.wall());
  }

  /** M4: a decision threw. Its request is answered, everything else is decided again after the rebuild. */
  #stumbled(error: unknown, at: Waiting | undefined, taken: readonly Waiting[]): void {
    this.#ports.log.error("a decision failed", { error, request: at?.request.kind });
    if (at === undefined) {
      this.#halt(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#inbox.putBack(taken.filter((waiting) => waiting !== at));
    at.done(
      refuse("internal", "The master could not decide this request; its log has the reason."),
    );
    this.#lose("a decision failed");
  }

  #lose(why: string): void {
    for (const read of this.#flight?.reads ?? []) this.#afterRebuild.push(read.lost);
    this.#flight = null;
    this.#rebuilding = true;
    this.#ports.rebuild(why);
  }

  // ── a batch ────────────────────────────────────────────────────────────────────────────

  #launch(
    turn: Turn,
    waiting: readonly Waiting[],
    answers: Settle[],
    recalls: readonly Recall[],
    elected: boolean,
  ): void {
    const batch = encodeBatch({
      journalId: this.#state.journalId,
      index: turn.index,
      term: turn.term,
      batchId: this.#ports.newBatchId(),
      previousHash: this.#hash,
      format: entriesFormat,
      time: turn.time,
      wall: turn.wall,
      bytes: encodeEntries(turn.entries),
    });
    const since = this.#ports.clock.now();
    this.#flight = {
      batch,
      turn,
      recalls,
      answers,
      reads: [],
      waiting,
      elected,
      since,
      tries: 0,
      unsure: false,
    };
    this.#append(this.#flight);
  }

  #append(flight: Flight): void {
    flight.tries++;
    this.#ports.append(flight.batch.index - 1, flight.batch, (result) => {
      if (this.#flight !== flight || this.#halted) return;
      if (result.kind === "appended") this.#durable(flight);
      else if (result.kind !== "refused") {
        flight.unsure ||= result.kind === "unknown";
        this.#resolve(flight);
      } else if (flight.unsure) {
        // This call stored nothing, but the one whose answer was lost still may: the batch stays the same (J3).
        this.#resolve(flight);
      } else this.#refused(flight, result.code, result.why);
    });
  }

  /** M3. */
  #resolve(flight: Flight): void {
    this.#ports.read(flight.batch.index, (found) => {
      if (this.#flight !== flight || this.#halted) return;
      if (found instanceof Error || found === undefined) {
        this.#giveUpWaiting(flight);
        const again =
          found === undefined ? () => this.#append(flight) : () => this.#resolve(flight);
        this.#ports.clock.after(Math.min(1_000, 10 * 2 ** Math.min(flight.tries, 7)), again);
      } else if (found.batchId === flight.batch.batchId) this.#durable(flight);
      else if (flight.elected) this.#lostRace(found);
      else if (found.term > flight.batch.term) this.#deposed(found.term);
      else {
        const what = `index ${found.index} holds another batch of term ${found.term}`;
        this.#halt(new Error(`the journal is forked: ${what}; keep all files and ask for help`));
      }
    });
  }

  /** J3: a candidate that came second reads on and stands again, unless another master leads by then. */
  #lostRace(found: StoredBatch): void {
    this.#cameSecond = true;
    this.#lose(`batch ${found.index} of term ${found.term} came before the election`);
  }

  #deposed(term: number): void {
    this.#leads = false;
    this.#wantsToLead = false;
    this.#halt(new Error(`another master leads in term ${term}: this one stops`));
  }

  /** J3: callers that have waited long are told that it is not known yet; the batch goes on. */
  #giveUpWaiting(flight: Flight): void {
    if (this.#ports.clock.now() - flight.since < limits.outcomeUnknownMs) return;
    if (flight.answers.length === 0) return;
    flight.answers.length = 0;
    for (const { done } of flight.waiting) {
      done(refuse("outcome_unknown", "The journal has not answered for 5 seconds."));
    }
  }

  /** Nothing was stored: what is asked is answered so, and the state goes back (M4). */
  #refused(flight: Flight, code: string, why: string): void {
    const answer = refusalOf(code, why);
    if (code === "too_large") this.#inbox.tooLarge();
    const [results, rest] = split(flight.waiting, ({ request }) => request.kind === "report");
    this.#lose(`the journal refused batch ${flight.batch.index}: ${why}`);
    // Results are never refused (J7): they wait and are tried again.
    this.#inbox.putBack(results);
    for (const { done } of rest) done(answer);
    this.#rest();
  }

  #rest(): void {
    this.#resting = true;
    const restMs = Math.min(restMsMax, 10 * 2 ** this.#refusals++);
    this.#ports.clock.after(restMs, () => {
      this.#resting = false;
      this.#soon();
    });
  }

  #durable(flight: Flight): void {
    this.#flight = null;
    this.#hash = flight.batch.hash;
    this.#refusals = 0;
    this.#inbox.fitted();
    if (flight.elected) this.#leads = true;
    const { index, wall, effects } = flight.turn;
    const { recalls, elected } = flight;
    this.#ports.perform({ index, wall, effects, recalls, elected, bytes: flight.batch.bytes });
    for (const answer of flight.answers) answer();
    for (const read of flight.reads) read.durable();
    this.#soon();
  }

  /** Wakes for the next timer of the state. */
  #sleep(): void {
    this.#cancelTimer();
    const at = nextTimerAt(this.#state.timers);
    // At least once a minute: retirement and retention have no timers of their own.
    const delay = Math.max(1, at - this.time());
    this.#cancelTimer = this.#ports.clock.after(Math.min(delay, 60_000), () => this.#soon());
  }

  #halt(why: Error): void {
    this.#halted = true;
    this.#leads = false;
    this.#cancelTimer();
    const answer = refuse("not_leading", `This master has stopped: ${why.message}`);
    for (const { done } of [...(this.#flight?.waiting ?? []), ...this.#inbox.drain()]) done(answer);
    this.#ports.halt(why);
  }
}

/** A journal that is full is looked at this often. */
const restMsMax = 2_000;

function refusalOf(code: string, why: string): Refusal {
  if (code === "no_space") {
    return refuse("journal_full", `The journal takes nothing more: ${why}`, { retryAfter: 10 });
  }
  if (code === "forbidden") return refuse("stalled", `The journal may not be written: ${why}`);
  return refuse("too_large", `The journal refused the batch: ${why}`);
}

function split<T>(items: readonly T[], first: (item: T) => boolean): [T[], T[]] {
  return [items.filter(first), items.filter((item) => !first(item))];
}
