// How the parts of a master hang together: the loop decides, and what is durable goes to workers, archive,
// followers and files, in this order (L1).

import type { Effect } from "../core/effect.ts";
import type { Journal } from "../journal/journal.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { networkId } from "../lib/network-id.ts";
import type { PayloadStore } from "../payloads/payload-store.ts";
import { admit } from "./admission.ts";
import type { Archive } from "./archive/archive.ts";
import { feedArchive, ringHub } from "./feed.ts";
import type { History } from "./history/history.ts";
import { Hub } from "./hub.ts";
import { LogRelay } from "./log-relay.ts";
import { Loop } from "./loop.ts";
import type { Durable, Grounded, LoopIdentity } from "./loop.ts";
import { exitDial, journalPorts } from "./ports.ts";
import { Sessions } from "./sessions.ts";
import type { SnapshotKeeper } from "./snapshot-keeper.ts";
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
  readonly kept: Kept;
  readonly usage: UsageWatch;
  readonly log: Log;
  readonly lostAfterMs?: number | undefined;
  readonly ground: () => Promise<Grounded>;
  readonly halt: (why: Error) => void;
}

export interface Wired {
  readonly loop: Loop;
  readonly sessions: Sessions;
  readonly hub: Hub;
  readonly logs: LogRelay;
}

export async function wire(options: WiringOptions): Promise<Wired> {
  const { kept, usage, log, halt } = options;
  const hub = new Hub();
  const loop: Loop = new Loop(await options.ground(), options.identity, {
    clock: systemClock,
    log,
    ...journalPorts(kept.journal, halt),
    perform: (durable) => perform(wired, kept, durable, halt),
    rebuild(why) {
      log.warn("the state is built again", { why });
      options.ground().then((grounded) => loop.adopt(grounded), halt);
    },
    halt,
    admit: (request, turn) => admit(request, turn, (hash) => kept.payloads.has(hash)),
    dispatchMax: () => usage.dispatchMax(),
    recalling: () => sessions.recalling(),
  });
  const sessions: Sessions = new Sessions({
    clock: systemClock,
    log,
    loop,
    journalId: kept.journal.journalId,
    version: options.version,
    identity: options.identity,
    lostAfterMs: options.lostAfterMs,
    dial: exitDial(networkId()),
    onLogChunk: (worker, chunk) => logs.chunk(worker, chunk),
    onWorkerGone: (worker) => logs.gone(worker),
  });
  const logs = new LogRelay((worker, message) => sessions.sendTo(worker, message));
  const wired: Wired = { loop, sessions, hub, logs };
  kept.snapshots.serve(loop);
  return wired;
}

function perform(wired: Wired, kept: Kept, durable: Durable, halt: (why: Error) => void): void {
  wired.loop.peek((state) => {
    if (durable.elected) wired.sessions.elected(state.term, state);
    wired.sessions.perform(state, durable.effects, durable.recalls);
    if (durable.bytes.length === 0) return; // nothing was appended: recalls only
    feedArchive(state, durable, kept.archive);
    ringHub(state, durable, wired.hub);
    kept.history.add(durable.index, durable.wall, durable.bytes);
    kept.snapshots.appended(durable);
  });
  for (const effect of durable.effects) housekeep(effect, kept, halt);
}

/** Files that an entry says are needed no more (A1, A5). */
function housekeep(effect: Effect, kept: Kept, halt: (why: Error) => void): void {
  if (effect.kind === "payloadsFreed") kept.payloads.delete(effect.hashes).catch(halt);
  else if (effect.kind === "trim") kept.journal.trim(effect.below).catch(halt);
}
