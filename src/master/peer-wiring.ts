// The ports of a master towards the others: what it says of itself, and what it makes of what they say.

import type { State } from "../core/state.ts";
import { systemClock } from "../lib/clock.ts";
import { Disputes } from "./disputes.ts";
import type { Loop } from "./loop.ts";
import { PayloadCopies } from "./payload-copies.ts";
import { peerDial } from "./peer-link.ts";
import { Peers } from "./peers.ts";
import type { The, WiringOptions } from "./wiring.ts";

export function wirePeers(options: WiringOptions, the: The): Peers {
  const { kept, log, identity, halt } = options;
  const disputes = new Disputes({
    log,
    halt,
    loop: () => the().loop,
    live: () => the().peers.live(),
    refold: (index, done) => void kept.snapshots.refold(index).then(done, done),
  });
  return new Peers({
    clock: systemClock,
    log,
    identity,
    version: options.version,
    levels: identity.levels,
    journalId: kept.journal.journalId,
    leads: () => (the().loop.leads ? the().loop.peek(({ term }) => term) : 0),
    term: () => the().loop.peek(({ term }) => term),
    standing: () => ({
      applied: the().loop.durableIndex,
      watermark: kept.archive.watermark,
      snapshot: kept.snapshots.newest,
      doubts: the().loop.doubts,
    }),
    heard: (workers) => the().loop.peek((state) => the().sessions.hears(state, workers)),
    dial: peerDial({ token: options.token, log }),
    onLeaderGone: (term) => the().leadership.gone(term),
    onBell: (index) => {
      if (index > the().loop.appliedIndex) the().tail.look();
    },
    onHello: ({ id, incarnation, addresses, levels }) => {
      const master = { id, incarnation, addresses, levels };
      the().loop.request({ kind: "joinMaster", ...master }, 256, () => {});
    },
    onStanding: () => {
      disputes.heard();
      kept.snapshots.standbysMoved();
    },
    onHave: (standby, hashes, applied) => the().copies.had(standby, hashes, applied),
    fetch: (hash, from, done) => the().copies.fetch(hash, from, done),
    onRefused: (code, why) => {
      log.error("the leader refuses this master", { code, why });
      the().leadership.refused();
    },
  });
}

export function wireCopies(options: WiringOptions, loop: Loop, peers: Peers): PayloadCopies {
  const { kept, log, identity } = options;
  return new PayloadCopies({
    clock: systemClock,
    log,
    payloads: kept.payloads,
    token: options.token,
    peers,
    others: () => loop.peek((state) => otherMasters(state, identity.id, options.others())),
    index: () => loop.durableIndex,
    named: () => loop.peek((state) => state.payloads.keys()),
  });
}

/** Where other masters listen: the leader first, then those of the state, then those that were named at the start. */
export function otherMasters(
  { leader, masters }: State,
  own: string,
  named: readonly string[],
): readonly string[] {
  const known = [...(leader ? [leader] : []), ...masters.values()].filter(({ id }) => id !== own);
  const addresses = new Set([...known.flatMap((master) => master.addresses), ...named]);
  for (const address of masters.get(own)?.addresses ?? []) addresses.delete(address);
  return [...addresses];
}
