// Sessions with all masters (W1): one connection each, dialled again for as long as the worker
// lives.
//
// The list starts with what the operator gave and grows by what masters say in their welcome. A
// master may be known by two addresses (localhost and a host name): by its id the second connection
// is recognised and kept back until the first is lost.

import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { MasterMessage, MasterWelcome, WorkerMessage } from "../protocol/messages.ts";
import {
  Connection,
  type ConnectionOutcome,
  type SessionNumber,
  type WorkerIdentity,
} from "./session.ts";

export interface SessionsOptions {
  /** http://host:port */
  readonly masters: readonly string[];
  readonly token: string | undefined;
  readonly identity: WorkerIdentity;
  readonly clock: Clock;
  readonly log: Log;
  readonly onMessages: (session: SessionNumber, messages: readonly MasterMessage[]) => void;
  readonly onClosed: (session: SessionNumber) => void;
  /** No master is left that would have this worker. */
  readonly onRefused: (refusal: Refusal) => void;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

type State = "waiting" | "dialling" | "open" | "kept back" | "refused";

interface Master {
  readonly url: string;
  state: State;
  session: SessionNumber;
  connection: Connection | undefined;
  welcome: MasterWelcome | undefined;
  /** Dials since the last welcome. */
  openedAt: number;
  tries: number;
}

const dialBackoff = { firstMs: 100, maxMs: 2_000 };
/** A connection that lived so long was a good one. */
const steadyMs = 1_000;
/** A worker follows no longer a list than this: more is a mistake of the one who sent it. */
const mastersMax = 64;

export class Sessions {
  readonly #o: SessionsOptions;
  readonly #masters = new Map<string, Master>();
  readonly #open = new Map<SessionNumber, Master>();
  #lastSession = 0;
  #stopped = false;

  constructor(options: SessionsOptions) {
    this.#o = options;
  }

  start(): void {
    for (const url of this.#o.masters) this.#add(url);
  }

  send(session: SessionNumber, messages: readonly WorkerMessage[]): void {
    this.#open.get(session)?.connection?.send(messages);
  }

  /** Ends one session and dials that master again. */
  close(session: SessionNumber, reason: string): void {
    this.#open.get(session)?.connection?.close({ kind: "lost", reason });
  }

  bufferedBytes(session: SessionNumber): number {
    return this.#open.get(session)?.connection?.bufferedBytes ?? 0;
  }

  /** The masters' addresses: that of `first` before the others that answer, then the rest. */
  urls(first: SessionNumber | undefined): string[] {
    const rank = ({ session, state }: Master): number => {
      if (state === "open") return session === first ? 0 : 1;
      return 2;
    };
    return [...this.#masters.values()]
      .filter((master) => master.state !== "refused" && master.state !== "kept back")
      .toSorted((a, b) => rank(a) - rank(b))
      .map((master) => master.url);
  }

  /** Addresses of the masters that answer: that of `first` before the others. */
  openUrls(first: SessionNumber | undefined): string[] {
    const others = [...this.#open].filter(([session]) => session !== first);
    const leader = this.urlOf(first);
    const urls = others.map(([, { url }]) => url);
    return leader === undefined ? urls : [leader, ...urls];
  }

  urlOf(session: SessionNumber | undefined): string | undefined {
    return session === undefined ? undefined : this.#open.get(session)?.url;
  }

  /** What ends from here on stays ended. */
  dialNoMore(): void {
    this.#stopped = true;
  }

  /** Closes all; nothing is dialled again. */
  stop(reason: string): void {
    this.#stopped = true;
    for (const { connection } of this.#masters.values())
      connection?.close({ kind: "closed", reason });
  }

  #add(address: string): void {
    const url = originOf(address);
    if (url === undefined) {
      this.#o.log.warn("ignored a master's address that is no URL", { address });
      return;
    }
    if (this.#masters.has(url) || this.#masters.size >= mastersMax) return;
    const master: Master = {
      url,
      state: "waiting",
      session: 0,
      connection: undefined,
      welcome: undefined,
      openedAt: 0,
      tries: 0,
    };
    this.#masters.set(url, master);
    this.#dial(master);
  }

  #dial(master: Master): void {
    if (this.#stopped) return;
    const session = ++this.#lastSession;
    const { token, identity, clock } = this.#o;
    master.state = "dialling";
    master.session = session;
    master.tries++;
    master.connection = new Connection({
      url: master.url,
      token,
      identity,
      clock,
      onWelcome: (welcome) => this.#welcomed(master, welcome),
      onMessages: (messages) => {
        for (const message of messages) {
          if (message.kind === "masters") for (const url of message.masters) this.#add(url);
        }
        this.#o.onMessages(session, messages);
      },
      onEnd: (outcome) => this.#ended(master, session, outcome),
    });
  }

  #welcomed(master: Master, welcome: MasterWelcome): ConnectionOutcome | undefined {
    for (const other of this.#open.values()) {
      if (other.welcome?.master.id !== welcome.master.id) continue;
      if (other.welcome.master.incarnation === welcome.master.incarnation) {
        return { kind: "closed", reason: `the same master as ${other.url}` };
      }
      // It has started anew: what is left of the old connection is a remnant.
      other.connection?.close({ kind: "lost", reason: "the master has started anew" });
    }
    master.state = "open";
    master.openedAt = this.#o.clock.now();
    master.welcome = welcome;
    this.#open.set(master.session, master);
    this.#o.log.info("connected to a master", { url: master.url, master: welcome.master.id });
    for (const address of welcome.masters) this.#add(address);
    return undefined;
  }

  #ended(master: Master, session: SessionNumber, outcome: ConnectionOutcome): void {
    const wasOpen = this.#open.delete(session);
    master.connection = undefined;
    if (wasOpen) this.#o.onClosed(session);
    if (this.#stopped) return;
    // One that is ended as soon as it is open is dialled more and more seldom.
    if (wasOpen && this.#o.clock.now() - master.openedAt > steadyMs) master.tries = 0;
    if (outcome.kind === "refused") return this.#refused(master, outcome);
    if (outcome.kind === "closed") master.state = "kept back";
    else {
      this.#tellLost(master, outcome.reason, wasOpen);
      this.#dialLater(master);
    }
    if (wasOpen) this.#release();
  }

  /** Dials that fail are told too, ever more seldom: who waits for this worker must see why it does nothing. */
  #tellLost({ url, tries }: Master, reason: string, wasOpen: boolean): void {
    const { log } = this.#o;
    const tell = tries > 1 && Number.isInteger(Math.log2(tries));
    if (wasOpen) log.warn("lost a master", { url, reason });
    else log[tell ? "warn" : "debug"]("a master does not answer", { url, reason, tries });
  }

  #dialLater(master: Master): void {
    master.state = "waiting";
    this.#o.clock.after(backoffMs(master.tries, dialBackoff), () => this.#dial(master));
  }

  /** With one connection gone, a second address of the same master may be all there is. */
  #release(): void {
    for (const master of this.#masters.values()) {
      if (master.state === "kept back") this.#dialLater(master);
    }
  }

  #refused(master: Master, { code, message }: Refusal): void {
    master.state = "refused";
    this.#o.log.error("a master refused this worker", { url: master.url, code, reason: message });
    // Whose id it is does not depend on the master one asks.
    const others = [...this.#masters.values()].some((other) => other.state !== "refused");
    if (others && code !== "worker_id_in_use") return;
    this.#o.onRefused({ code, message });
  }
}

/** http://host:port of a master's address; undefined when it is none. */
export function originOf(address: string): string | undefined {
  try {
    const { protocol, origin } = new URL(address);
    return protocol === "http:" || protocol === "https:" ? origin : undefined;
  } catch {
    // Not a URL: the caller says so.
    return undefined;
  }
}
