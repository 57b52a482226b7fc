// The ports of a master towards the others: what it says of itself, and what it makes of what they say.

import type { State } from "../core/state.ts";
import { systemClock } from "../lib/clock.ts";
import type { Loop } from "./loop.ts";
import { PayloadCopies } from "./payload-copies.ts";
import { peerDial } from "./peer-link.ts";
import { Peers } from "./peers.ts";
import type { Standby } from "./peers.ts";
import type { The, WiringOptions } from "./wiring.ts";

export function wirePeers(options: WiringOptions, the: The): Peers {
  const { kept, log, identity, halt, clock = systemClock } = options;
  return new Peers({
    clock,
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
      halfDoubts(the().peers.live(), halt);
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
  const { kept, log, identity, clock = systemClock } = options;
  return new PayloadCopies({
    clock,
    log,
    payloads: kept.payloads,
    token: options.token,
    peers,
    others: () => loop.peek((state) => othersOf(state, identity.id)),
    index: () => loop.durableIndex,
    named: () => loop.peek((state) => state.payloads.keys()),
  });
}

/** L10: a leader whose state half of its standbys dispute is the one that is wrong. */
function halfDoubts(live: readonly Standby[], halt: (why: Error) => void): void {
  const doubting = live.filter(({ doubts }) => doubts > 0);
  if (doubting.length === 0 || doubting.length * 2 < live.length) return;
  const who = doubting.map(({ id, doubts }) => `${id} since batch ${doubts}`).join(", ");
  halt(new Error(`half of the standbys have another state (${who}): this leader stops`));
}

/** Addresses of the other masters, the leader's first. */
function othersOf(state: State, own: string): string[] {
  const others = [...state.masters.values()].filter(({ id }) => id !== own);
  const leaderFirst = others.toSorted(
    (a, b) => Number(b.id === state.leader?.id) - Number(a.id === state.leader?.id),
  );
  return leaderFirst.flatMap(({ addresses }) => addresses);
}
