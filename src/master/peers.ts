// The other masters, as this one sees them: a standby's connection to the leader, a leader's standbys.
// Synchronous, with ports, so that the simulator drives this very code. docs/protocol-of-masters.md tells the story.
//
// Owns: who is connected, who lives, what each said it has. Does not own: when to stand (leadership.ts), sockets
// (peer-server.ts), payload bytes (payload-spread.ts).
//
//   P1. What passes here decides nothing: it rings, it is evidence, or it lets something go (a trim, a payload).
//   P2. A standby dials the leader of the last applied `elected`, and nobody else (L4).
//   P3. A standby is live while it has a session and was heard within `suspectAfterMs`.

import type { Leader } from "../core/state.ts";

/** What a standby has, true when said. */
export interface Standing {
  readonly applied: number;
  /** Index up to which its archive is on disk (A2). */
  readonly watermark: number;
  /** Newest snapshot that was loaded again and compared; 0: none. */
  readonly snapshot: number;
  /** The journal's digest before this index is not this master's, twice computed (L10); 0: no doubt. */
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

/** What the rest of a master asks of its peers. */
export interface PeersView {
  /** The state names this leader now, or none: the standby's connection follows it (P2). */
  followed(leader: Leader | null): void;
  /** The journal has grown to this index: standbys are rung. */
  appended(index: number): void;
  /** Live standbys of this leader (P3); empty on a standby. */
  live(): readonly Standby[];
}
