// Between masters: what goes over the WebSocket /v1/peer. A standby dials the leader of the last `elected` that
// it has applied; frames are those of worker sessions, [n, ack, messages], a ping has none.
//
// Nothing here decides anything: the journal does. A message rings, is evidence, or lets something go (a trim, a
// payload copy), and each may come late, twice, or not at all. docs/protocol-of-masters.md tells the story.

import type { Incarnation, PayloadHash, WorkerNumber } from "./ids.ts";

export const peerProtocol = { min: 1, max: 1 } as const;

/** Who speaks, and since when. */
export interface PeerIdentity {
  readonly id: string;
  readonly incarnation: Incarnation;
  readonly version: string;
  /** Feature levels that it can read and write (L11). */
  readonly levels: readonly [min: number, max: number];
  readonly journalId: string;
  /** Its wall clock as it says this (T1). */
  readonly wall: number;
}

// ── who dials says ───────────────────────────────────────────────────────────────────────

/** The first message on a connection. */
export interface PeerHello extends PeerIdentity {
  readonly kind: "hello";
  readonly protocol: readonly [min: number, max: number];
  readonly addresses: readonly string[];
}

/** What it has, true when said: right after hello, when it changes, and at least twice a second. */
export interface PeerStanding {
  readonly kind: "standing";
  readonly applied: number;
  /** Index up to which its archive is on disk (A2). */
  readonly watermark: number;
  /** Newest snapshot that was loaded again and compared; 0: none. */
  readonly snapshot: number;
  /** The journal's digest in this batch is not its own, twice computed (L10); 0: no doubt. */
  readonly doubts: number;
}

/** These payloads are fsynced here, at the state of `applied`. Answers `fetch`, one by one or together. */
export interface PeerHave {
  readonly kind: "have";
  readonly hashes: readonly PayloadHash[];
  readonly applied: number;
}

/** Of the workers asked for, those that have a session here (L8). */
export interface PeerHears {
  readonly kind: "hears";
  readonly ask: number;
  readonly workers: readonly WorkerNumber[];
}

/** This process ends, or follows another: as a cut connection. */
export interface PeerGoodbye {
  readonly kind: "goodbye";
  readonly reason: string;
}

export type FromStandby = PeerHello | PeerStanding | PeerHave | PeerHears | PeerGoodbye;

// ── who was dialled says ─────────────────────────────────────────────────────────────────

/** Answers hello, and comes again whenever `leads` changes. */
export interface PeerWelcome extends PeerIdentity {
  readonly kind: "welcome";
  /** The version of this connection. */
  readonly protocol: number;
  /** Whether it leads in `term`. */
  readonly leads: boolean;
  /** The term of its state: the last one whose `elected` it has applied. */
  readonly term: number;
}

/** Doorbell: the journal has grown to this index. Also said when it has not, twice a second. */
export interface PeerAppended {
  readonly kind: "appended";
  readonly index: number;
}

/**
 * Copy these payloads and say `have`, once `after` is applied: what an entry up to there has freed may be stored
 * anew, and would be deleted with the old one. Asked again when nothing is said.
 */
export interface PeerFetch {
  readonly kind: "fetch";
  readonly hashes: readonly PayloadHash[];
  readonly after: number;
}

/** Which of these silent workers have a session with you (L8)? */
export interface PeerWhoHears {
  readonly kind: "whoHears";
  readonly ask: number;
  readonly workers: readonly WorkerNumber[];
}

/** These two can never work together as they are; the connection is closed. */
export interface PeerRefuse {
  readonly kind: "refuse";
  /** A code of the error table. */
  readonly code: string;
  readonly message: string;
}

export type ToStandby =
  | PeerWelcome
  | PeerAppended
  | PeerFetch
  | PeerWhoHears
  | PeerRefuse
  | PeerGoodbye;

export type PeerMessage = FromStandby | ToStandby;
