// How a master hangs together with the others: what it says of itself, and who is told what they say.

import type { State } from "../core/state.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { PayloadCopies } from "./payload-copies.ts";
import { peerDial } from "./peer-link.ts";
import type { PeersPorts } from "./peer-ports.ts";
import { Peers } from "./peers.ts";
import type { Kept, Wired } from "./wiring.ts";

export interface PeersWiring extends Pick<
  PeersPorts,
  "identity" | "version" | "levels" | "heard" | "onLeaderGone" | "onBell" | "onHello" | "onRefused"
> {
  readonly clock: Clock;
  readonly log: Log;
  readonly token: string;
  readonly kept: Kept;
  readonly loop: Wired["loop"];
  /** L10: see `Standing`. */
  readonly doubts: () => number;
  /** Masters that are known beside those in the state. */
  readonly join: readonly string[];
}

export interface WiredPeers {
  readonly peers: Peers;
  readonly copies: PayloadCopies;
}

export function wirePeers(options: PeersWiring): WiredPeers {
  const { clock, log, token, kept, loop, identity, join } = options;
  const { journal, archive, payloads, snapshots } = kept;
  const leads = () => (loop.leads ? loop.peek((state) => state.term) : 0);
  const peers: Peers = new Peers({
    ...options,
    journalId: journal.journalId,
    leads,
    term: () => loop.peek((state) => state.term),
    standing: () => ({
      applied: loop.durableIndex,
      watermark: archive.watermark,
      snapshot: snapshots.newest,
      doubts: options.doubts(),
    }),
    dial: peerDial({ token, log }),
    onStanding: () => snapshots.standbysMoved(),
    onHave: (standby, hashes, applied) => copies.had(standby, hashes, applied),
    fetch: (hash, from, done) => copies.fetch(hash, from, done),
  });
  const addresses = () => loop.peek((state) => otherMasters(state, identity.id, join));
  const copies = new PayloadCopies({
    clock,
    log,
    payloads,
    token,
    peers,
    others: addresses,
    index: () => loop.durableIndex,
    named: () => loop.peek((state) => state.payloads.keys()),
  });
  snapshots.serve(loop, { live: () => peers.live(), addresses });
  return { peers, copies };
}

/** Where other masters listen: the leader first, then those of the state, then those that were named at the start. */
export function otherMasters(
  { leader, masters }: State,
  own: string,
  join: readonly string[],
): readonly string[] {
  const known = [...(leader ? [leader] : []), ...masters.values()].filter(({ id }) => id !== own);
  const addresses = new Set([...known.flatMap((master) => master.addresses), ...join]);
  for (const address of masters.get(own)?.addresses ?? []) addresses.delete(address);
  return [...addresses];
}
