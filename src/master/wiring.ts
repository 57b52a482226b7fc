// How the parts of a master hang together: the loop decides or follows, and what is durable goes to workers,
// archive, followers and files, in this order (L1), on a leader and on a standby alike.

import type { Effect } from "../core/effect.ts";
import type { State } from "../core/state.ts";
import type { Journal } from "../journal/journal.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { networkId } from "../lib/network-id.ts";
import type { PayloadStore } from "../payloads/payload-store.ts";
import { admit } from "./admission.ts";
import type { Archive } from "./archive/archive.ts";
import { feedArchive, ringHub } from "./feed.ts";
import { addressesOf } from "./greeting.ts";
import type { History } from "./history/history.ts";
import { Hub } from "./hub.ts";
import { Leadership } from "./leadership.ts";
import { Loop } from "./loop.ts";
import { LogRelay } from "./log-relay.ts";
import type { Durable, Grounded, LoopIdentity } from "./loop-ports.ts";
import { exitDial, journalPorts } from "./ports.ts";
import { Sessions } from "./sessions.ts";
import type { SnapshotKeeper } from "./snapshot-keeper.ts";
import { PayloadCopies } from "./payload-copies.ts";
import { peerDial } from "./peer-link.ts";
import { Peers } from "./peers.ts";
import type { Standby } from "./peers.ts";
import { Tail } from "./tail.ts";
import type { UsageWatch } from "./usage-watch.ts";

/** What a master keeps on its disk. */
export interface Kept {
  readonly journal: Journal;
  readonly archive: Archive;
  readonly history: History;
  readonly payloads: PayloadStore;
  readonly snapshots: SnapshotKeeper;
}

export interface WiringOptions {
  readonly identity: LoopIdentity;
  readonly version: string;
  /** Of the cluster: what masters say to each other by it (D1). */
  readonly token: string;
  readonly kept: Kept;
  readonly usage: UsageWatch;
  readonly log: Log;
  readonly lostAfterMs?: number | undefined;
  /** `doubting`: a digest that differs only makes this master doubt itself (L10). */
  readonly ground: (doubting: boolean) => Promise<Grounded>;
  readonly halt: (why: Error) => void;
}

export interface Wired {
  readonly loop: Loop;
  readonly tail: Tail;
  readonly leadership: Leadership;
  readonly peers: Peers;
  readonly copies: PayloadCopies;
  readonly sessions: Sessions;
  readonly hub: Hub;
  readonly logs: LogRelay;
}

export async function wire(options: WiringOptions): Promise<Wired> {
  const { kept, usage, log, halt, identity } = options;
  const clock = systemClock;
  const hub = new Hub();
  const rebuild = (why: string) => {
    log.warn("the state is built again", { why });
    const doubting = loop.peek((state) => state.masters.size > 1) && !loop.leads;
    options.ground(doubting).then((grounded) => {
      loop.adopt(grounded);
      loop.peek((state) => adopted(wired, state));
    }, halt);
  };
  const loop: Loop = new Loop(await options.ground(false), identity, {
    clock,
    log,
    ...journalPorts(kept.journal, halt),
    look: (done) => tail.look(done),
    perform: (durable) => perform(wired, kept, durable, halt),
    rebuild,
    deposed: () => sessions.deposed(),
    leaderElsewhere: () => leadership.leaderElsewhere(),
    halt,
    admit: (request, turn) => admit(request, turn, (hash) => kept.payloads.has(hash)),
    dispatchMax: () => usage.dispatchMax(),
    recalling: () => sessions.recalling(),
  });
  const tail: Tail = new Tail({
    clock,
    log,
    loop,
    readAfter: (index, done) => void kept.journal.readAfter(index).then(done, done),
    head: (done) => void kept.journal.head().then(({ index }) => done(index), done),
    overtaken: (why) => loop.overtaken(why),
    halt,
  });
  const leadership: Leadership = new Leadership({
    clock,
    log,
    loop,
    identity,
    look: (done) => {
      const asked = clock.now();
      tail.look(() => done(tail.answeredAt >= asked));
    },
    headAt: () => tail.headAt,
    live: () => peers.live(),
  });
  const peers: Peers = new Peers({
    clock,
    log,
    identity,
    version: options.version,
    levels: identity.levels,
    journalId: kept.journal.journalId,
    leads: () => (loop.leads ? loop.peek(({ term }) => term) : 0),
    term: () => loop.peek(({ term }) => term),
    standing: () => ({
      applied: loop.durableIndex,
      watermark: kept.archive.watermark,
      snapshot: kept.snapshots.newest,
      doubts: loop.doubts,
    }),
    heard: (workers) => loop.peek((state) => sessions.hears(state, workers)),
    dial: peerDial({ token: options.token, log }),
    onLeaderGone: (term) => leadership.gone(term),
    onBell: (index) => {
      if (index > loop.appliedIndex) tail.look();
    },
    onHello: ({ id, incarnation, addresses, levels }) => {
      const master = { id, incarnation, addresses, levels };
      loop.request({ kind: "joinMaster", ...master }, 256, () => {});
    },
    onStanding: () => {
      halfDoubts(peers.live(), halt);
      kept.snapshots.standbysMoved();
    },
    onHave: (standby, hashes, applied) => copies.had(standby, hashes, applied),
    fetch: (hash, from, done) => copies.fetch(hash, from, done),
    onRefused: (code, why) => {
      log.error("the leader refuses this master", { code, why });
      leadership.refused();
    },
  });
  const copies = new PayloadCopies({
    clock,
    log,
    payloads: kept.payloads,
    token: options.token,
    peers,
    others: () => loop.peek((state) => othersOf(state, identity.id)),
    index: () => loop.durableIndex,
    named: () => loop.peek((state) => state.payloads.keys()),
  });
  const sessions: Sessions = new Sessions({
    clock,
    log,
    loop,
    journalId: kept.journal.journalId,
    version: options.version,
    identity,
    lostAfterMs: options.lostAfterMs,
    dial: exitDial(networkId()),
    onLogChunk: (worker, chunk) => logs.chunk(worker, chunk),
    onWorkerGone: (worker) => logs.gone(worker),
  });
  const logs = new LogRelay((worker, message) => sessions.sendTo(worker, message));
  const wired: Wired = { loop, tail, leadership, peers, copies, sessions, hub, logs };
  kept.journal.follow?.(() => tail.look());
  kept.snapshots.serve(loop, () => peers.live());
  return wired;
}

/** What batches would have told, had they not been folded apart: all of it follows from the state. */
function adopted({ leadership, peers, sessions }: Wired, state: State): void {
  leadership.rebuilt(state);
  peers.followed(state.leader);
  sessions.mastersChanged(addressesOf(state));
}

function perform(wired: Wired, kept: Kept, durable: Durable, halt: (why: Error) => void): void {
  const { loop, leadership, peers, copies, sessions } = wired;
  loop.peek((state) => {
    leadership.applied(state, durable.effects);
    if (
      durable.elected ||
      durable.effects.some(({ kind }) => kind === "elected" || kind === "resigned")
    ) {
      peers.followed(state.leader);
    }
    if (durable.elected) {
      copies.elected();
      sessions.elected(state.term, state);
      // The leader before may have died between the entry and the deed.
      if (state.trimIndex > 0) kept.journal.trim(state.trimIndex).catch(halt);
    }
    if (loop.leads) sessions.perform(state, durable.effects, durable.recalls);
    if (durable.effects.some(({ kind }) => kind === "masters")) {
      sessions.mastersChanged(addressesOf(state));
    }
    if (durable.bytes.length === 0) return; // nothing was appended: recalls only
    if (loop.leads) peers.appended(durable.index);
    feedArchive(state, durable, kept.archive);
    ringHub(state, durable, wired.hub);
    kept.history.add(durable.index, durable.wall, durable.bytes);
    kept.snapshots.appended(durable);
  });
  for (const effect of durable.effects) housekeep(effect, durable, wired, kept, halt);
}

/** Files that an entry says are needed no more (A1, A5). */
function housekeep(
  effect: Effect,
  { index }: Durable,
  { loop, copies }: Wired,
  kept: Kept,
  halt: (why: Error) => void,
): void {
  if (effect.kind === "payloadsFreed") copies.freed(index, effect.hashes).catch(halt);
  else if (effect.kind === "trim" && loop.leads) kept.journal.trim(effect.below).catch(halt);
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
