// How the parts of a master hang together. Each is made with ports that find the others when they are called.
// What becomes of a durable batch is in performing.ts, the ports towards other masters are in peer-wiring.ts.

import type { Journal } from "../journal/journal.ts";
import { EngineUnavailable } from "../journal/unavailable.ts";
import { delay } from "../lib/abort.ts";
import { asError } from "../lib/as-error.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { hasEnded, stopOf } from "../lib/own-process.ts";
import { networkId } from "../lib/network-id.ts";
import type { PayloadStore } from "../payloads/payload-store.ts";
import { Absences } from "./absences.ts";
import { admit } from "./admission.ts";
import type { Archive } from "./archive/archive.ts";
import type { History } from "./history/history.ts";
import { Hub } from "./hub.ts";
import { Leadership } from "./leadership.ts";
import { LogRelay } from "./log-relay.ts";
import type { Grounded, LoopIdentity } from "./loop-ports.ts";
import { Loop } from "./loop.ts";
import { Metrics } from "./metrics/metrics.ts";
import type { PayloadCopies } from "./payload-copies.ts";
import { otherMasters, wireCopies, wirePeers } from "./peer-wiring.ts";
import type { Peers } from "./peers.ts";
import { handOverIfCutOff } from "./cut-off.ts";
import { adopted, perform } from "./performing.ts";
import { exitDial, journalPorts } from "./ports.ts";
import { traceQueued } from "./queued-spans.ts";
import { Series } from "./series.ts";
import { Sessions } from "./sessions.ts";
import type { SnapshotKeeper } from "./snapshot-keeper.ts";
import { StoppedWriters } from "./stopped-writer.ts";
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
  readonly ground: () => Promise<Grounded>;
  /** Where other masters were named when this one was started; the state knows more. */
  readonly others: () => readonly string[];
  readonly halt: (why: Error) => void;
}

export interface Wired {
  readonly kept: Kept;
  readonly loop: Loop;
  readonly tail: Tail;
  readonly leadership: Leadership;
  /** Where a lock is all that fences: SQLite. */
  readonly stoppedWriters: StoppedWriters | undefined;
  readonly peers: Peers;
  readonly copies: PayloadCopies;
  readonly sessions: Sessions;
  readonly absences: Absences;
  readonly hub: Hub;
  readonly logs: LogRelay;
  readonly log: Log;
  readonly series: Series;
  readonly metrics: Metrics;
}

/** The parts as they find each other: complete before any of them is called. */
export type The = () => Wired;

export async function wire(options: WiringOptions): Promise<Wired> {
  const { kept } = options;
  const the: The = () => wired;
  const metrics = new Metrics();
  const ports = loopPorts(options, the, metrics);
  const loop = new Loop(await options.ground(), options.identity, ports);
  const logs = new LogRelay((worker, message) => the().sessions.sendTo(worker, message));
  const peers = wirePeers(options, the);
  const wired: Wired = {
    kept,
    loop,
    tail: wireTail(options, loop),
    leadership: wireLeadership(options, loop, the),
    stoppedWriters: wireStoppedWriters(options, loop, the),
    peers,
    copies: wireCopies(options, loop, peers),
    sessions: wireSessions(options, loop, logs, the),
    absences: new Absences({
      clock: systemClock,
      loop,
      own: options.identity.id,
      live: () => peers.live(),
    }),
    hub: new Hub(),
    logs,
    log: options.log,
    series: new Series({ clock: systemClock, peek: (see) => loop.peek(see) }),
    metrics,
  };
  kept.journal.follow?.(() => wired.tail.look());
  kept.snapshots.serve(loop, {
    live: () => peers.live(),
    addresses: () =>
      loop.peek((state) => otherMasters(state, options.identity.id, options.others())),
  });
  return wired;
}

/** From here on this master may stand for election; what it knows already is told to all parts. */
export function start(wired: Wired): void {
  wired.leadership.start();
  wired.loop.peek((state) => adopted(wired, state));
}

function loopPorts(
  options: WiringOptions,
  the: The,
  metrics: Metrics,
): ConstructorParameters<typeof Loop>[2] {
  const { kept, usage, log, halt } = options;
  const ofJournal = journalPorts(kept.journal, halt);
  return {
    clock: systemClock,
    log,
    ...ofJournal,
    append: metrics.timed(ofJournal.append),
    look: (done) => the().tail.look(done),
    perform(durable) {
      const { loop } = the();
      perform(the(), durable, halt);
      loop.peek((state) => {
        metrics.performed(state, durable, loop.leads);
        if (loop.leads) traceQueued(state, durable);
      });
    },
    rebuild: (why) => void rebuild(options, the(), why),
    stuck: () => the().stoppedWriters?.stuck(),
    deposed: () => the().sessions.deposed(),
    leaderElsewhere: () => the().leadership.leaderElsewhere(),
    halt,
    admit: (request, turn) => admit(request, turn, (hash) => kept.payloads.has(hash)),
    dispatchMax: () => usage.dispatchMax(),
    recalling: () => the().sessions.recalls.recalling(),
    resting: () => the().sessions.recalls.resting(),
  };
}

/** An engine that is away is waited for; any other trouble with the journal is a halt (J5). */
async function rebuild(
  { ground, log, halt }: WiringOptions,
  wired: Wired,
  why: string,
): Promise<void> {
  const { loop } = wired;
  log.warn("the state is built again", { why });
  for (;;) {
    try {
      const grounded = await ground();
      loop.adopt(grounded);
      return loop.peek((state) => adopted(wired, state));
    } catch (error) {
      if (!(error instanceof EngineUnavailable)) return halt(asError(error));
      log.warn("the journal does not answer; trying again", { error });
      await delay(engineAwayMs);
    }
  }
}

function wireTail({ kept, log, halt }: WiringOptions, loop: Loop): Tail {
  const { journal } = kept;
  return new Tail({
    clock: systemClock,
    log,
    loop,
    readAfter: (index, done) => void journal.readAfter(index).then(done, done),
    head: (done) => void journal.head().then(({ index }) => done(index), done),
    overtaken: (why) => loop.overtaken(why),
    halt,
  });
}

function wireLeadership(options: WiringOptions, loop: Loop, the: The): Leadership {
  const { kept, log, identity } = options;
  return new Leadership({
    clock: systemClock,
    log,
    loop,
    identity,
    look: (done) => lookNow(the(), done),
    headAt: () => the().tail.headAt,
    live: () => the().peers.live(),
    leaderCutMs: () => the().peers.leaderCutMs(),
    hasEnded: ({ process }) => process !== null && hasEnded(process),
    halt: options.halt,
    standing: () => the().stoppedWriters?.standing(),
    survivesStopped: () => kept.journal.engine !== "sqlite" || identity.process !== undefined,
  });
}

function wireStoppedWriters(
  { kept, log, identity }: WiringOptions,
  loop: Loop,
  the: The,
): StoppedWriters | undefined {
  const { journal } = kept;
  if (journal.engine !== "sqlite") return undefined;
  return new StoppedWriters({
    clock: systemClock,
    log,
    stands: () => loop.stands,
    ready: () => !loop.leads && !loop.halted && !loop.rebuilding && loop.doubts === 0,
    silentMs: () => the().leadership.silentMs(),
    look: (done) => lookNow(the(), done),
    others: () =>
      loop.peek(({ masters }) =>
        [...masters.values()].flatMap(({ id, process: name }) =>
          id === identity.id || name === null ? [] : [{ id, process: name }],
        ),
      ),
    lockedBy: () => journal.lockedBy?.(),
    stopOf,
    kill: (pid) => void process.kill(pid, "SIGKILL"),
  });
}

/** `done(false)` when the journal did not answer since this was asked. */
function lookNow({ tail }: Wired, done: (answered: boolean) => void): void {
  const asked = systemClock.now();
  tail.look(() => done(tail.answeredAt >= asked));
}

function wireSessions(options: WiringOptions, loop: Loop, logs: LogRelay, the: The): Sessions {
  const { kept, log, version, identity, lostAfterMs } = options;
  return new Sessions({
    clock: systemClock,
    log,
    loop,
    journalId: kept.journal.journalId,
    version,
    identity,
    lostAfterMs,
    dial: exitDial(networkId()),
    onBraked: (silent) => handOverIfCutOff(the(), silent),
    onLogChunk: (worker, chunk) => logs.chunk(worker, chunk),
    onWorkerGone: (worker) => logs.gone(worker),
  });
}

const engineAwayMs = 1_000;
