// The masters that have dialled this one: who they are, what they have, when they were heard.
//
//   Y1. A standby has one session: a newer one takes the place of the older.
//   Y2. Whoever is connected hears of it when this master begins or ceases to lead.
//   Y3. What a standby said is true when said; none of it is taken back but by an entry of the journal.

import type { CancelTimer } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";
import { peerProtocol } from "../protocol/peer-messages.ts";
import type {
  FromStandby,
  PeerHello,
  PeerRefuse,
  PeerStanding,
  ToStandby,
} from "../protocol/peer-messages.ts";
import { commonProtocol, compareClocks, identityOf } from "./peer-ports.ts";
import type { PeerConnection, PeersPorts, Standby, WorkersHeard } from "./peer-ports.ts";

interface Session {
  readonly connection: PeerConnection<ToStandby>;
  /** Null before hello. */
  standby: Standby | null;
  protocol: number;
  heardAt: number;
}

interface Ask {
  readonly answers: Map<string, readonly number[]>;
  readonly asked: Set<string>;
  readonly finish: () => void;
}

/** One bell for all batches within this time. */
const bellMs = 5;
/** Hashes in one message: a frame holds many such. */
const fetchMax = 1_024;

export class Standbys {
  readonly #ports: PeersPorts;
  readonly #sessions = new Map<PeerConnection<ToStandby>, Session>();
  readonly #byId = new Map<string, Session>();
  readonly #asks = new Map<number, Ask>();
  #lastAsk = 0;
  /** As the others were told. */
  #leads = 0;
  #index = 0;
  #rung = 0;
  #cancelBell: CancelTimer | null = null;
  #beatAt = 0;

  constructor(ports: PeersPorts) {
    this.#ports = ports;
  }

  live(): readonly Standby[] {
    if (this.#ports.leads() === 0) return [];
    const oldest = this.#ports.clock.now() - limits.suspectAfterMs;
    return [...this.#byId.values()]
      .flatMap(({ standby, heardAt }) => (standby && heardAt >= oldest ? [standby] : []))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  // ── what this master says ──────────────────────────────────────────────────────────────

  /** Y2. */
  leadsAgain(): void {
    const leads = this.#ports.leads();
    if (leads === this.#leads) return;
    this.#leads = leads;
    for (const session of [...this.#byId.values()]) this.#welcome(session);
  }

  ring(index: number): void {
    this.#index = Math.max(this.#index, index);
    if (this.#cancelBell || this.#byId.size === 0 || this.#ports.leads() === 0) return;
    this.#ringAll();
    this.#cancelBell = this.#ports.clock.after(bellMs, () => {
      this.#cancelBell = null;
      if (this.#index > this.#rung) this.ring(this.#index);
    });
  }

  fetch(id: string, hashes: readonly string[], after: number): boolean {
    const session = this.#byId.get(id);
    if (!session) return false;
    for (let at = 0; at < hashes.length; at += fetchMax) {
      session.connection.send([{ kind: "fetch", hashes: hashes.slice(at, at + fetchMax), after }]);
    }
    return true;
  }

  whoHears(workers: readonly number[], done: (heard: WorkersHeard) => void): void {
    const ask = ++this.#lastAsk;
    const answers = new Map<string, readonly number[]>();
    const asked = new Set(this.live().map(({ id }) => id));
    const finish = () => {
      if (!this.#asks.delete(ask)) return;
      cancel();
      done(answers);
    };
    const cancel = this.#ports.clock.after(limits.peerBeatMs, finish);
    this.#asks.set(ask, { answers, asked, finish });
    for (const id of asked) {
      this.#byId.get(id)?.connection.send([{ kind: "whoHears", ask, workers }]);
    }
    if (asked.size === 0) finish();
  }

  tick(stall: number): void {
    this.leadsAgain();
    const now = this.#ports.clock.now();
    for (const session of [...this.#sessions.values()]) {
      session.heardAt += stall;
      if (now - session.heardAt > limits.suspectAfterMs) this.#drop(session, "it was silent");
    }
    if (now - this.#beatAt < limits.peerBeatMs) return;
    this.#beatAt = now;
    if (this.#leads !== 0) return this.#ringAll();
    for (const { connection } of this.#byId.values()) connection.send([]);
  }

  stop(reason: string): void {
    this.#cancelBell?.();
    for (const session of [...this.#sessions.values()]) {
      session.connection.send([{ kind: "goodbye", reason }]);
      this.#drop(session, reason);
    }
  }

  #ringAll(): void {
    this.#rung = this.#index;
    const bell = { kind: "appended", index: this.#index } as const;
    for (const { connection } of this.#byId.values()) connection.send([bell]);
  }

  #welcome(session: Session): void {
    const leads = this.#ports.leads();
    const term = this.#ports.term();
    const { protocol, connection, standby } = session;
    const about = { protocol, ...identityOf(this.#ports), leads: leads !== 0, term };
    connection.send([{ kind: "welcome", ...about }]);
    if (leads === 0 || !standby) return;
    connection.send([{ kind: "appended", index: this.#index }]);
    this.#ports.onHello(standby);
  }

  // ── what standbys say ──────────────────────────────────────────────────────────────────

  opened(connection: PeerConnection<ToStandby>): void {
    const heardAt = this.#ports.clock.now();
    this.#sessions.set(connection, { connection, standby: null, protocol: 0, heardAt });
  }

  received(connection: PeerConnection<ToStandby>, messages: readonly FromStandby[]): void {
    const session = this.#sessions.get(connection);
    if (!session) return;
    session.heardAt = this.#ports.clock.now();
    for (const message of messages) {
      if (!this.#sessions.has(connection)) return; // a message before it ended this
      this.#take(session, message);
    }
  }

  closed(connection: PeerConnection<ToStandby>): void {
    const session = this.#sessions.get(connection);
    if (session) this.#forget(session);
  }

  #take(session: Session, message: FromStandby): void {
    if (message.kind === "hello") return this.#greet(session, message);
    const { standby } = session;
    if (!standby) {
      const words = "The first message must be hello.";
      return this.#refuse(session, { kind: "refuse", code: "bad_request", message: words });
    }
    switch (message.kind) {
      case "standing":
        return this.#stands(session, standby, message);
      case "have":
        return this.#ports.onHave(standby, message.hashes, message.applied);
      case "hears":
        return this.#hears(standby.id, message.ask, message.workers);
      case "goodbye":
        return this.#drop(session, message.reason);
      default:
        message satisfies never;
    }
  }

  #greet(session: Session, hello: PeerHello): void {
    const refusal = this.#refusalOf(hello);
    if (refusal) return this.#refuse(session, refusal);
    const { id, incarnation, addresses, version, levels } = hello;
    const older = this.#byId.get(id);
    if (older && older !== session) this.#drop(older, "a newer session of this master came"); // Y1
    const clockMs = compareClocks(this.#ports, hello);
    const nothing = { applied: 0, watermark: 0, snapshot: 0, doubts: 0 };
    session.standby = { id, incarnation, addresses, version, levels, clockMs, ...nothing };
    session.protocol = commonProtocol(hello.protocol) ?? 0;
    this.#byId.set(id, session);
    this.leadsAgain();
    this.#welcome(session);
  }

  /** Why these two masters cannot be of one cluster; undefined when they can. */
  #refusalOf(hello: PeerHello): PeerRefuse | undefined {
    const { identity, journalId, version } = this.#ports;
    const refuse = (code: string, message: string) => ({ kind: "refuse", code, message }) as const;
    if (commonProtocol(hello.protocol) === undefined) {
      const [min, max] = hello.protocol;
      const theirs = `Master ${hello.id} (${hello.version}) speaks ${min} to ${max}`;
      const own = `${identity.id} (${version}) ${peerProtocol.min} to ${peerProtocol.max}`;
      return refuse("protocol_version", `${theirs}, ${own}. Upgrade the older one.`);
    }
    if (hello.journalId !== journalId) {
      const what = `Master ${hello.id} works for cluster ${hello.journalId}, this is ${journalId}.`;
      return refuse("foreign_journal", `${what} Give it the journal of this cluster.`);
    }
    if (hello.id === identity.id) {
      const what = `Two masters have the id ${hello.id}.`;
      return refuse("conflict", `${what} Give each its own with --id.`);
    }
    return undefined;
  }

  #refuse(session: Session, refusal: PeerRefuse): void {
    const { remote } = session.connection;
    this.#ports.log.warn("a master was refused", { remote, why: refusal.message });
    session.connection.send([refusal]);
    this.#drop(session, refusal.message);
  }

  #stands(session: Session, standby: Standby, said: PeerStanding): void {
    const { applied, watermark, snapshot, doubts } = said;
    session.standby = { ...standby, applied, watermark, snapshot, doubts };
    this.#ports.onStanding(session.standby);
  }

  #hears(id: string, number: number, workers: readonly number[]): void {
    const ask = this.#asks.get(number);
    if (!ask?.asked.delete(id)) return;
    ask.answers.set(id, workers);
    if (ask.asked.size === 0) ask.finish();
  }

  #drop(session: Session, reason: string): void {
    this.#forget(session);
    session.connection.close(reason);
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.connection);
    const id = session.standby?.id;
    if (id === undefined || this.#byId.get(id) !== session) return;
    this.#byId.delete(id);
    for (const ask of [...this.#asks.values()]) {
      if (ask.asked.delete(id) && ask.asked.size === 0) ask.finish();
    }
  }
}
