// When this master stands for election, and when it hands over: the rules L3, L4 and L6 of a follower, and
// what the others are told of it. docs/protocol-of-masters.md has the whole story.
//
// Owns: the follower's clock, the evidence it has, candidacies and their end. Does not own: whether it leads (the
// journal says so, loop.ts), how masters reach each other (peers.ts).
//
//   D1. News is a batch that was applied, and nothing else: what a leader says without appending proves nothing.
//   D2. A stall of this process is no silence of the leader: it is added to every deadline (L7), and before a
//       candidacy out of silence the journal is looked at once more.
//   D3. The evidence that a leader's process has ended counts once a term, and not in a term that has only just
//       begun: listeners that flap must not make the cluster elect in a loop. One batch of the old term may still
//       land after it, since one append was on its way (J4); a second one proves that the leader lives.
//   D4. What is to be done follows from the state, not from having seen it change: a master that starts, or whose
//       state was built anew, comes to the same.
//   D5. A master that doubts (L10: twice folded, its state is not what the leader said) may be right or wrong. It stands
//       out of silence alone, and later than anybody who does not doubt.

import type { Effect } from "../core/effect.ts";
import { refuse } from "../core/refusal.ts";
import type { Refusal } from "../core/refusal.ts";
import type { Leader, State } from "../core/state.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import type { LoopIdentity } from "./loop-ports.ts";
import type { Loop } from "./loop.ts";
import type { Standby } from "./peers.ts";

export interface LeadershipPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly loop: Loop;
  readonly identity: LoopIdentity;
  /** Has the tail look; `done(false)` when the journal did not answer. */
  look(done: (answered: boolean) => void): void;
  /** When the tail last found nothing more in the journal. */
  headAt(): number;
  /** Ms since the connection to the leader was cut; Infinity while it stands, or never did. */
  leaderCutMs(): number;
  /** Live standbys of this leader. */
  live(): readonly Standby[];
  /** Proof that the process of this leader, which has this master's id, is gone. */
  readonly hasEnded: (leader: Leader) => boolean;
  readonly halt: (why: Error) => void;
  /** It stands: what keeps it from the journal is looked for. */
  standing(): void;
  /** Whether the others could take over from this process if it were stopped, but not dead. */
  survivesStopped(): boolean;
}

/** Why a master stands for election. Out of silence it gives up as soon as there is news. */
type Cause = "silence" | "gone" | "resigned" | "own" | "nobody";

const tickMs = 50;

export class Leadership {
  readonly #ports: LeadershipPorts;
  #newsAt: number;
  #tickAt: number;
  #cause: Cause | null = null;
  /** Term whose leader was found gone, and its batches that came after that (D3). */
  #goneIn = 0;
  #afterGone = 0;
  /** When the term began, by this process's clock. */
  #termAt: number;
  /** Somebody resigned: when, and how long this master waits. */
  #resigned: { readonly at: number; readonly waitMs: number } | null = null;
  #looking = false;
  #stopped = false;
  #refused = false;
  /** It hands over and ends: it does not stand again. */
  #leaving = false;

  constructor(ports: LeadershipPorts) {
    this.#ports = ports;
    this.#newsAt = ports.clock.now();
    this.#tickAt = ports.clock.now();
    this.#termAt = ports.clock.now();
  }

  /** The state stands at the head of the journal: from here on this master may stand. */
  start(): void {
    const { loop, identity } = this.#ports;
    loop.peek((state) => {
      // Whoever had this id before has ended, or this one would not have been let in (L4).
      if (state.leader?.id === identity.id) this.#stand("own");
      else this.rebuilt(state);
    });
    this.#tick();
  }

  stop(): void {
    this.#stopped = true;
  }

  // ── what happens ───────────────────────────────────────────────────────────────────────

  /** A batch was applied, this leader's own or another's (D1). */
  applied(state: State, effects: readonly Effect[]): void {
    this.#newsAt = this.#ports.clock.now();
    if (this.#cause === "silence") this.#giveUp("there is news");
    if (this.#cause === "gone" && ++this.#afterGone > 1) this.#giveUp("the leader lives");
    for (const effect of effects) {
      if (effect.kind === "elected") this.#elected(state);
      else if (effect.kind === "resigned") this.#hasResigned(state, effect);
    }
  }

  /** The state stands at the journal's head of now, however it came to (D4). */
  rebuilt(state: State): void {
    const { identity, clock } = this.#ports;
    this.#newsAt = clock.now();
    this.#termAt = clock.now();
    if (state.leader === null && state.term === 0) this.#stand("nobody");
    else if (state.leader === null) this.#wait(state, "");
    else if (state.leader.id === identity.id) this.#electedAsThis(state.leader);
  }

  /** The process that leads in this term has ended, or leads no more (L4). */
  gone(term: number): void {
    const { loop, log } = this.#ports;
    if (loop.leads || this.#goneIn >= term) return;
    if (loop.peek((state) => state.term) !== term) return;
    if (this.#ports.clock.now() - this.#termAt < limits.termMinMs) return;
    this.#goneIn = term;
    // Up to here batches prove nothing: they were in the journal when it went.
    this.#ports.look((answered) => {
      // One that has resigned has named its successor: the rule of that goes first.
      const leads = loop.peek((state) => state.term === term && state.leader !== null);
      if (!answered || !leads) return;
      log.warn("the leader is gone", { term });
      this.#afterGone = 0;
      this.#stand("gone");
    });
  }

  #elected({ term, leader, index }: State): void {
    this.#resigned = null;
    this.#termAt = this.#ports.clock.now();
    if (this.#cause !== null) this.#giveUp(`term ${term} has begun`);
    this.#ports.log.info("a leader is elected", { term, leader: leader?.id, index });
    if (leader?.id === this.#ports.identity.id) this.#electedAsThis(leader);
  }

  /**
   * Elected under this master's id. If it is not this process, it is an earlier life of it, whose append landed late;
   * or another process has this id, and the two would depose each other for ever.
   */
  #electedAsThis(leader: Leader): void {
    const { identity, halt, hasEnded } = this.#ports;
    if (leader.incarnation === identity.incarnation) return;
    if (hasEnded(leader)) return this.#stand("own");
    const where = leader.addresses.join(", ") || "an unknown address";
    const what = `another process runs as master ${identity.id}, at ${where}, and was elected`;
    halt(new Error(`${what}: start one of the two with another --id`));
  }

  #hasResigned(state: State, { from, to }: Extract<Effect, { kind: "resigned" }>): void {
    const { identity, log } = this.#ports;
    log.info("the leader has resigned", { from, to });
    if (to === identity.id) this.#stand("resigned");
    else if (from !== identity.id) this.#wait(state, from);
    // Who has resigned leads again only if nobody else would: out of silence.
  }

  #wait(state: State, from: string): void {
    const waitMs = limits.resignedMs * (this.#rank(state, from) + 1);
    this.#resigned = { at: this.#ports.clock.now(), waitMs };
  }

  #stand(cause: Cause): void {
    const { loop, log } = this.#ports;
    if (this.#cause !== null || this.#leaving || loop.leads) return;
    if (!this.#mayLead()) return;
    // D5: it comes back to that by silence.
    if (loop.doubts > 0 && cause !== "silence") return;
    this.#cause = cause;
    log.info("this master stands for election", { why: cause });
    loop.campaign();
    this.#ports.standing();
  }

  /** L11: a master that cannot read what may be written, or whom the leader refused, must not lead. */
  #mayLead(): boolean {
    if (this.#refused) return false;
    const [min, max] = this.#ports.identity.levels;
    const level = this.#ports.loop.peek(({ featureLevel }) => featureLevel);
    return min <= level && level <= max;
  }

  /** The leader will not have this master, by its version or its journal. */
  refused(): void {
    this.#refused = true;
  }

  #giveUp(why: string): void {
    this.#cause = null;
    if (!this.#ports.loop.stands) return;
    this.#ports.log.info("this master does not stand any more", { why });
    this.#ports.loop.withdraw();
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────

  #tick(): void {
    if (this.#stopped) return;
    const { clock, loop } = this.#ports;
    const now = clock.now();
    const stall = now - this.#tickAt - tickMs;
    this.#tickAt = now;
    if (stall > tickMs) this.#stalled(stall); // D2
    if (!loop.leads && !loop.rebuilding && this.#cause === null) this.#look(now);
    clock.after(tickMs, () => this.#tick());
  }

  #stalled(stall: number): void {
    this.#newsAt += stall;
    if (this.#resigned) this.#resigned = { ...this.#resigned, at: this.#resigned.at + stall };
  }

  #look(now: number): void {
    if (this.#resigned && now - this.#resigned.at >= this.#resigned.waitMs) {
      this.#resigned = null;
      return this.#stand("resigned");
    }
    const { loop } = this.#ports;
    const turnMs = loop.peek(
      (state) => limits.standAfterMs + limits.rankMs * this.#rank(state, state.leader?.id ?? ""),
    );
    const waitMs = loop.doubts > 0 ? turnMs + limits.doubtMs : turnMs; // D5
    if (now - this.#newsAt < waitMs || this.#looking) return;
    this.#looking = true;
    const newsAt = this.#newsAt;
    this.#ports.look((answered) => {
      this.#looking = false;
      if (answered && this.#newsAt === newsAt) this.#stand("silence");
    });
  }

  /** Place among the known masters, the one that led left out. */
  #rank(state: State, led: string): number {
    const { id } = this.#ports.identity;
    const ids = [...state.masters.keys()].filter((other) => other !== led && other !== id);
    return ids.filter((other) => other < id).length;
  }

  // ── handing over ───────────────────────────────────────────────────────────────────────

  /** Hands over to a live standby: the one named, or the one that is furthest (L6). */
  stepDown(to: string | null, done: (answer: { readonly ok: true } | Refusal) => void): void {
    const { loop } = this.#ports;
    if (!loop.leads) return done(refuse("not_leading", "This master does not lead."));
    const live = this.#ports.live().filter(({ doubts }) => doubts === 0);
    const best = live.toSorted((a, b) => b.applied - a.applied || (a.id < b.id ? -1 : 1));
    const found = to === null ? best[0] : live.find(({ id }) => id === to);
    if (!found) {
      const what = to === null ? "There is no standby" : `${to} is no standby`;
      const hint = "`skein master list` shows who stands by.";
      return done(refuse("conflict", `${what} that could lead now.`, { hint }));
    }
    loop.resign(found.id, (resigned) => {
      done(resigned ? { ok: true } : refuse("conflict", "This master could not resign now."));
    });
  }

  /** Before this process ends: it hands over if there is somebody, and does not stand again. */
  leave(done: () => void): void {
    this.#leaving = true;
    this.#ports.loop.withdraw();
    this.stepDown(null, () => done());
  }

  // ── what others are told ───────────────────────────────────────────────────────────────

  /** How old this master's state may be, in ms: since a read that found nothing more, or a good append (L5). */
  newsAgeMs(): number {
    const { clock, loop } = this.#ports;
    const asOf = loop.leads ? loop.goodAt : this.#ports.headAt();
    return Math.max(0, Math.floor(clock.now() - asOf));
  }

  /** Since the last batch, by this process's clock, its stalls left out (L7). */
  silentMs(): number {
    return this.#ports.clock.now() - this.#newsAt;
  }

  survivesStopped(): boolean {
    return this.#ports.survivesStopped();
  }

  /** Address of the leader, if there is one and its news are fresh; else nobody knows who leads. */
  leaderElsewhere(): string | undefined {
    const { loop, clock } = this.#ports;
    if (loop.leads || loop.rebuilding || this.#cause !== null) return undefined;
    if (clock.now() - this.#newsAt > limits.leaseMs) return undefined;
    // It may have died this moment: whoever asks is held for the little while until that is known (L9).
    if (this.#ports.leaderCutMs() < limits.peerDialMs) return undefined;
    return loop.peek(({ leader }) => leader?.addresses[0]);
  }
}
