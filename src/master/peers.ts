// The other masters, as this one sees them: a standby's connection to the leader, a leader's standbys.
// Synchronous, with ports, so that the simulator drives this very code. docs/protocol-of-masters.md tells the story.
//
// Owns: who is connected, who lives, what each said it has. Does not own: when to stand (leadership.ts), sockets
// (peer-server.ts, peer-link.ts), payload bytes (payload-spread.ts).
// Read next: leader-link.ts (who dials), standbys.ts (who is dialled).
//
//   P1. What passes here decides nothing: it rings, it is evidence, or it lets something go (a trim, a payload).
//   P2. A standby dials the leader of the last applied `elected`, and nobody else (L4).
//   P3. A standby is live while it has a session and was heard within `suspectAfterMs`.
//   P4. A stall of this process is added to what it waits for (L7).

import type { Leader } from "../core/state.ts";
import type { CancelTimer } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";
import type { FromStandby, ToStandby } from "../protocol/peer-messages.ts";
import { LeaderLink } from "./leader-link.ts";
import type { PeerConnection, PeersPorts, Standby, WorkersHeard } from "./peer-ports.ts";
import { Standbys } from "./standbys.ts";

export type { Standby, Standing } from "./peer-ports.ts";

/** What the rest of a master asks of its peers. */
export interface PeersView {
  /** The state names this leader now, or none: the standby's connection follows it (P2). Also when it is this master. */
  followed(leader: Leader | null): void;
  /** The journal has grown to this index: standbys are rung. */
  appended(index: number): void;
  /** Live standbys of this leader (P3), by id; empty on a standby. */
  live(): readonly Standby[];
}

export class Peers implements PeersView {
  readonly #ports: PeersPorts;
  readonly #link: LeaderLink;
  readonly #standbys: Standbys;
  #cancelTick: CancelTimer;
  #lastTick: number;

  constructor(ports: PeersPorts) {
    this.#ports = ports;
    this.#link = new LeaderLink(ports);
    this.#standbys = new Standbys(ports);
    this.#lastTick = ports.clock.now();
    this.#cancelTick = ports.clock.after(peerTickMs, () => this.#tick());
  }

  followed(leader: Leader | null): void {
    this.#link.followed(leader);
    this.#standbys.leadsAgain();
  }

  appended(index: number): void {
    this.#standbys.ring(index);
  }

  live(): readonly Standby[] {
    return this.#standbys.live();
  }

  /**
   * Asks a standby for copies, to be made when it has applied `after`; what it has it says by `onHave`. False when it
   * has no session.
   */
  fetch(standby: string, hashes: readonly string[], after: number): boolean {
    return this.#standbys.fetch(standby, hashes, after);
  }

  /** Leader: which standby hears which of these workers (L8). Within half a second, from whoever answers by then. */
  whoHears(workers: readonly number[], done: (heard: WorkersHeard) => void): void {
    this.#standbys.whoHears(workers, done);
  }

  /** Ms since the connection to the leader was cut, and has not been made anew; Infinity otherwise. */
  leaderCutMs(): number {
    return this.#link.cutMs();
  }

  /** Ms since the leader that this standby follows was heard; Infinity without a connection to it. */
  leaderHeardMs(): number {
    return this.#link.heardMs();
  }

  // ── who dials in ───────────────────────────────────────────────────────────────────────

  opened(connection: PeerConnection<ToStandby>): void {
    this.#standbys.opened(connection);
  }

  /** A frame: a ping has no messages. */
  received(connection: PeerConnection<ToStandby>, messages: readonly FromStandby[]): void {
    this.#standbys.received(connection, messages);
  }

  closed(connection: PeerConnection<ToStandby>): void {
    this.#standbys.closed(connection);
  }

  /** Says goodbye to all. */
  stop(reason: string): void {
    this.#cancelTick();
    this.#link.stop(reason);
    this.#standbys.stop(reason);
  }

  #tick(): void {
    const now = this.#ports.clock.now();
    const late = now - this.#lastTick - peerTickMs;
    this.#lastTick = now;
    const stall = late > peerTickMs ? late : 0; // P4
    this.#cancelTick = this.#ports.clock.after(peerTickMs, () => this.#tick());
    this.#link.tick(stall);
    this.#standbys.tick(stall);
  }
}

/** How often silence and news are looked at. */
const peerTickMs = limits.peerBeatMs / 2;
