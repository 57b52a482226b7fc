// Masters in memory for tests of Peers: a clock that is moved by hand, addresses that listen, refuse or say
// nothing, and connections that can be cut.

import { HandClock } from "../lib/hand-clock.fixture.ts";
import { createLog } from "../lib/log.ts";
import type { FromStandby, ToStandby } from "../protocol/peer-messages.ts";
import type { DialEvents, PeerConnection, PeersPorts, Standby, Standing } from "./peer-ports.ts";
import { Peers } from "./peers.ts";

const latencyMs = 1;

/** Both ends of one connection. */
class Link {
  readonly #net: Net;
  readonly #peers: Peers;
  readonly #events: DialEvents;
  #isOpen = false;
  /** Frames arrive no more, and nobody is told. */
  isSilent = false;
  readonly up: PeerConnection<FromStandby>;
  readonly down: PeerConnection<ToStandby>;

  constructor(net: Net, peers: Peers, events: DialEvents) {
    this.#net = net;
    this.#peers = peers;
    this.#events = events;
    const close = (reason: string) => this.#later(() => this.cut(reason));
    this.up = { remote: "up", send: (messages) => this.#up(messages), close };
    this.down = { remote: "down", send: (messages) => this.#down(messages), close };
    this.#later(() => {
      this.#isOpen = true;
      peers.opened(this.down);
      events.opened();
    });
  }

  cut(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#peers.closed(this.down);
    this.#events.ended({ how: "cut", reason });
  }

  #up(messages: readonly FromStandby[]): void {
    this.#carry(() => this.#peers.received(this.down, messages));
  }

  #down(messages: readonly ToStandby[]): void {
    this.#carry(() => this.#events.received(messages));
  }

  #carry(arrive: () => void): void {
    this.#later(() => {
      if (this.#isOpen && !this.isSilent) arrive();
    });
  }

  #later(act: () => void): void {
    this.#net.clock.after(latencyMs, act);
  }
}

export class Net {
  readonly clock = new HandClock();
  readonly links: Link[] = [];
  /** What answers at an address; "mute" takes a dial and says nothing; absent refuses. */
  readonly listeners = new Map<string, Peers | "mute">();
  dials = 0;

  dial(address: string, events: DialEvents): PeerConnection<FromStandby> {
    this.dials++;
    const listener = this.listeners.get(address);
    if (listener !== undefined && listener !== "mute") {
      const link = new Link(this, listener, events);
      this.links.push(link);
      return link.up;
    }
    let isOver = listener === "mute";
    this.clock.after(latencyMs, () => {
      if (!isOver) events.ended({ how: "refused", reason: "ECONNREFUSED" });
    });
    return { remote: address, send() {}, close: () => (isOver = true) };
  }

  cutAll(): void {
    for (const link of this.links.splice(0)) link.cut("reset");
  }
}

/** A master that is nothing but its peers. */
export class Fellow {
  readonly address: string;
  readonly incarnation: string;
  readonly id: string;
  readonly peers: Peers;
  readonly warnings: string[] = [];
  readonly gone: number[] = [];
  readonly bells: number[] = [];
  readonly hellos: string[] = [];
  readonly refusals: string[] = [];
  readonly had: string[] = [];
  readonly fetched: string[] = [];
  readonly standings: Standby[] = [];
  hears: readonly number[] = [];
  leads = 0;
  term = 1;
  standing: Standing = { applied: 1, watermark: 1, snapshot: 0, doubts: 0 };

  constructor(net: Net, id: string, changes: Partial<PeersPorts> = {}, incarnation = `${id}1`) {
    this.id = id;
    this.incarnation = incarnation;
    this.address = `http://${id}`;
    this.peers = new Peers({
      clock: net.clock,
      log: createLog({ level: "warn", write: (line) => void this.warnings.push(line) }),
      identity: { id, incarnation, addresses: [this.address], levels: [1, 1] },
      version: "1.0.0",
      levels: [1, 1],
      journalId: "journal",
      leads: () => this.leads,
      term: () => this.term,
      standing: () => this.standing,
      heard: (workers) => workers.filter((worker) => this.hears.includes(worker)),
      dial: (address, events) => net.dial(address, events),
      onLeaderGone: (term) => void this.gone.push(term),
      onBell: (index) => void this.bells.push(index),
      onHello: (standby) => void this.hellos.push(standby.id),
      onStanding: (standby) => void this.standings.push(standby),
      onHave: (standby, hashes, applied) => {
        this.had.push(...hashes.map((hash) => `${standby.id} ${hash} at ${applied}`));
      },
      fetch: (hash, from, done) => {
        this.fetched.push(`${hash} from ${from}`);
        done(hash !== "lost");
      },
      onRefused: (code, message) => void this.refusals.push(`${code}: ${message}`),
      ...changes,
    });
    net.listeners.set(this.address, this.peers);
  }

  /** It leads in this term, as it and `others` have applied. */
  elect(term: number, ...others: readonly Fellow[]): void {
    this.leads = this.term = term;
    this.peers.followed(this.#leader(term));
    for (const other of others) other.follow(this, term);
  }

  follow(leader: Fellow, term: number): void {
    this.term = term;
    this.leads = 0;
    this.peers.followed(leader.#leader(term));
  }

  #leader(term: number) {
    const { id, incarnation, address } = this;
    return {
      id,
      incarnation,
      addresses: [address],
      term,
      electedAt: 0,
      electedWall: 0,
      process: null,
    };
  }
}
