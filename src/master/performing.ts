// What becomes of a batch once it is durable: orders, workers, other masters, archive, readers, files, in this order
// (L1). The same on a leader and on a standby, but that only a leader has orders to give.

import type { Effect } from "../core/effect.ts";
import type { State } from "../core/state.ts";
import { EngineUnavailable } from "../journal/unavailable.ts";
import { asError } from "../lib/as-error.ts";
import type { Log } from "../lib/log.ts";
import { feedArchive, ringHub } from "./feed.ts";
import { addressesOf } from "./greeting.ts";
import type { Durable } from "./loop-ports.ts";
import type { Kept, Wired } from "./wiring.ts";

/** What of a master performs. */
export interface Performer {
  readonly kept: {
    readonly journal: Pick<Kept["journal"], "trim" | "notes">;
    readonly archive: Pick<Kept["archive"], "add">;
    readonly history: Pick<Kept["history"], "add">;
    readonly snapshots: Pick<Kept["snapshots"], "appended">;
  };
  readonly loop: Wired["loop"];
  readonly leadership: Wired["leadership"];
  readonly peers: Wired["peers"];
  readonly copies: Pick<Wired["copies"], "elected" | "freed">;
  readonly sessions: Wired["sessions"];
  readonly hub: Wired["hub"];
  readonly log: Log;
}

/** What batches would have told, had they not been folded apart: all of it follows from the state. */
export function adopted({ leadership, peers, sessions, hub }: Performer, state: State): void {
  leadership.rebuilt(state);
  peers.followed(state.leader);
  sessions.mastersChanged(addressesOf(state));
  hub.missed();
}

export function perform(wired: Performer, durable: Durable, halt: (why: Error) => void): void {
  const { kept, loop, leadership, peers, copies, sessions } = wired;
  // Gone through once for all that is rare: this is every batch's way.
  const rare = durable.effects.filter(isRare);
  loop.peek((state) => {
    leadership.applied(state, rare);
    if (durable.elected || rare.some(({ kind }) => kind === "elected" || kind === "resigned")) {
      peers.followed(state.leader);
    }
    if (durable.elected) {
      copies.elected();
      sessions.elected(state.term, state);
      // The leader before may have died between the entry and the deed.
      if (state.trimIndex > 0) trim(wired, state.trimIndex, halt);
    }
    if (loop.leads) sessions.perform(state, durable.effects, durable.recalls);
    if (rare.some(({ kind }) => kind === "masters")) sessions.mastersChanged(addressesOf(state));
    if (durable.bytes.length === 0) return; // nothing was appended: recalls only
    if (loop.leads) peers.appended(durable.index);
    feedArchive(state, durable, kept.archive);
    ringHub(state, durable, wired.hub);
    kept.history.add(durable.index, durable.wall, durable.bytes);
    kept.snapshots.appended(durable);
  });
  for (const effect of rare) housekeep(effect, durable, wired, halt);
}

/** What concerns masters and their files: a batch may hold many effects, and hardly ever one of these. */
type Rare = Extract<
  Effect,
  { readonly kind: "elected" | "resigned" | "masters" | "payloadsFreed" | "trim" }
>;

function isRare(effect: Effect): effect is Rare {
  switch (effect.kind) {
    case "elected":
    case "resigned":
    case "masters":
    case "payloadsFreed":
    case "trim":
      return true;
    default:
      return false;
  }
}

/** Files that an entry says are needed no more (A1, A5). */
function housekeep(
  effect: Rare,
  { index }: Durable,
  wired: Performer,
  halt: (why: Error) => void,
): void {
  const { loop, copies } = wired;
  if (effect.kind === "payloadsFreed") copies.freed(index, effect.hashes).catch(halt);
  else if (effect.kind === "trim" && loop.leads) trim(wired, effect.below, halt);
}

/** An engine that is away now trims with the next trim. What it says after this one only is news to who runs it. */
function trim({ kept, log }: Performer, below: number, halt: (why: Error) => void): void {
  const { journal } = kept;
  const known = journal.notes ?? [];
  const tell = () => {
    const news = journal.notes?.filter((note) => !known.includes(note)) ?? [];
    for (const note of news) log.warn("about the journal's engine", { note });
  };
  journal.trim(below).then(tell, (error: unknown) => {
    if (!(error instanceof EngineUnavailable)) halt(asError(error));
  });
}
