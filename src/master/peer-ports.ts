// What masters say of each other, and what their connections need of the world: the types of peers.ts and of its
// two sides, and the few words both sides say.

import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { peerProtocol } from "../protocol/peer-messages.ts";
import type { FromStandby, PeerIdentity, ToStandby } from "../protocol/peer-messages.ts";
import type { LoopIdentity } from "./loop-ports.ts";

/** What a standby has, true when said. */
export interface Standing {
  readonly applied: number;
  /** Index up to which its archive is on disk (A2). */
  readonly watermark: number;
  /** Newest snapshot that was loaded again and compared; 0: none. */
  readonly snapshot: number;
  /** The journal's digest in this batch is not this master's, twice computed (L10); 0: no doubt. */
  readonly doubts: number;
}

export interface Standby extends Standing {
  readonly id: string;
  readonly incarnation: string;
  readonly addresses: readonly string[];
  readonly version: string;
  /** Feature levels it can write and read (L11). */
  readonly levels: readonly [min: number, max: number];
  /** Its wall clock minus this one's, in ms (T1). */
  readonly clockMs: number;
}

/** Standby → workers that have a session with it. */
export type WorkersHeard = ReadonlyMap<string, readonly number[]>;

/** One end of a connection between masters. Frames, numbers and sockets are below it. */
export interface PeerConnection<Message> {
  readonly remote: string;
  /** No messages: a ping. What is sent after `close` is dropped. */
  send(messages: readonly Message[]): void;
  /** What was sent before still goes out. */
  close(reason: string): void;
}

/** How a connection that was dialled ended. */
export interface DialEnd {
  /**
   * `refused`: nothing listens at that address (ECONNREFUSED). `cut`: it had been open. `failed`: anything else, a
   * handshake that got no answer among it.
   */
  readonly how: "refused" | "cut" | "failed";
  readonly reason: string;
}

/** None is called from within `dial`; `ended` is the last, and comes once, except after `close`. */
export interface DialEvents {
  opened(): void;
  /** A frame: a ping has no messages. */
  received(messages: readonly ToStandby[]): void;
  ended(end: DialEnd): void;
}

export interface PeersPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** `addresses` may be filled in later: they are read when hello is said. */
  readonly identity: LoopIdentity;
  readonly version: string;
  readonly levels: readonly [min: number, max: number];
  readonly journalId: string;
  /** The term that this master leads in; 0: it does not lead. */
  leads(): number;
  /** The term of this master's state. */
  term(): number;
  standing(): Standing;
  /** Those of these workers that have a session with this master now (L8). */
  heard(workers: readonly number[]): readonly number[];
  dial(address: string, events: DialEvents): PeerConnection<FromStandby>;
  /** Rule 2 of the protocol: the process of the leader of this term does not lead (any more). Once a term. */
  onLeaderGone(term: number): void;
  /** Standby: the journal has grown to this index. */
  onBell(index: number): void;
  /** Leader: a standby said hello, or was here already when this master came to lead (L6). */
  onHello(standby: Standby): void;
  /** Leader: a standby said what it has. */
  onStanding(standby: Standby): void;
  /** Leader: payloads are fsynced on this standby, whose state was at this index then (A1). */
  onHave(standby: Standby, hashes: readonly string[], applied: number): void;
  /** Standby: copy a payload from the master at this address; `done(true)` if it is fsynced here at that moment. */
  fetch(hash: string, from: string, done: (ok: boolean) => void): void;
  /** Standby: the leader will have nothing to do with this master, and says why. Once for the same words. */
  onRefused(code: string, message: string): void;
}

export function identityOf(ports: PeersPorts): PeerIdentity {
  const { identity, version, levels, journalId, clock } = ports;
  const { id, incarnation } = identity;
  return { id, incarnation, version, levels, journalId, wall: Math.floor(clock.wall()) };
}

/** T1: its clock minus this one's; an alarm when they are apart. */
export function compareClocks(ports: PeersPorts, other: PeerIdentity): number {
  const clockMs = Math.round(other.wall - ports.clock.wall());
  if (Math.abs(clockMs) > limits.clockSkewMs) {
    const what = "the wall clocks of two masters differ: set them by NTP";
    ports.log.warn(what, { master: other.id, differenceMs: clockMs });
  }
  return clockMs;
}

/** The version that two masters speak; undefined when there is none. */
export function commonProtocol([min, max]: readonly [number, number]): number | undefined {
  const common = Math.min(max, peerProtocol.max);
  return common >= Math.max(min, peerProtocol.min) ? common : undefined;
}
