// The parts of a master, wired as wiring.ts does it, but synchronously and over the simulated journal and network:
// the real loop, tail, leadership, peers, sessions and client watch.

import { silentLog } from "../../src/lib/log.ts";
import type { Log } from "../../src/lib/log.ts";
import { ClientWatch } from "../../src/master/api/client-watch.ts";
import { Absences } from "../../src/master/absences.ts";
import { Disputes } from "../../src/master/disputes.ts";
import { handOverIfCutOff } from "../../src/master/cut-off.ts";
import { Hub } from "../../src/master/hub.ts";
import { Leadership } from "../../src/master/leadership.ts";
import { Loop } from "../../src/master/loop.ts";
import type { Durable, Grounded } from "../../src/master/loop-ports.ts";
import { Peers } from "../../src/master/peers.ts";
import { adopted, perform as performDurable } from "../../src/master/performing.ts";
import type { Performer } from "../../src/master/performing.ts";
import { ReadGate } from "../../src/master/read-gate.ts";
import { Sessions } from "../../src/master/sessions.ts";
import { Tail } from "../../src/master/tail.ts";
import type { MasterLife } from "./master-life.ts";
import { dialPeer } from "./peer-links.ts";
import type { World } from "./world.ts";

export interface Parts extends Performer {
  readonly tail: Tail;
  readonly watch: ClientWatch;
  readonly gate: ReadGate;
  begin(): void;
}

export function wireMaster(world: World, life: MasterLife, grounded: Grounded): Parts {
  const { process, identity, master } = life;
  const { clock } = process;
  const log = world.log(process.name);
  const loop = createLoop(world, life, grounded, () => parts);
  const tail = createTail(life, loop, log);
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
    leaderCutMs: () => peers.leaderCutMs(),
    // A machine runs one life of a master at a time.
    hasEnded: ({ incarnation }) => incarnation !== identity.incarnation,
    halt: (why) => master.halt(why),
    standing: () => {},
    survivesStopped: () => true,
  });
  const sessions: Sessions = new Sessions({
    clock,
    log,
    loop,
    journalId: world.store.journalId,
    version: "0.0.0",
    identity,
    dial: ({ address }, done) => world.dialWorker({ node: master.id, process }, address, done),
    onBraked: (silent) => handOverIfCutOff(parts, silent),
    onLogChunk: () => {},
    onWorkerGone: () => {},
  });
  const peers = createPeers(world, life, () => parts);
  void new Absences({ clock, loop, own: identity.id, live: () => peers.live() });
  const gate = new ReadGate({
    clock,
    loop,
    headTerm: (done) => life.journal.head((head) => done(head instanceof Error ? head : head.term)),
  });
  const watch = new ClientWatch({ master: { loop, log: silentLog }, clock });
  const begin = () => {
    life.journal.follow(() => tail.look());
    leadership.start();
    loop.peek((state) => adopted(parts, state));
  };
  const { kept, copies, hub } = whatIsKept(life);
  const parts: Parts = {
    kept,
    loop,
    tail,
    leadership,
    peers,
    sessions,
    watch,
    gate,
    begin,
    copies,
    hub,
    log,
  };
  return parts;
}

function createTail(life: MasterLife, loop: Loop, log: Log): Tail {
  const { process, journal, master } = life;
  return new Tail({
    clock: process.clock,
    log,
    loop,
    readAfter: (index, done) => journal.readAfter(index, done, true),
    head: (done) => journal.head((head) => done(head instanceof Error ? head : head.index)),
    overtaken: (why) => loop.overtaken(why),
    halt: (why) => master.halt(why),
  });
}

/** Payloads and history are not simulated; snapshots are made by the world (disk.ts). */
function whatIsKept({ journal, master }: MasterLife): Pick<Parts, "kept" | "copies" | "hub"> {
  return {
    kept: {
      journal: { trim: async (below) => journal.trim(below) },
      archive: master.disk.archive,
      history: { add: () => {} },
      snapshots: { appended: () => {} },
    },
    copies: { elected: () => {}, freed: () => Promise.resolve() },
    hub: new Hub(),
  };
}

function createLoop(world: World, life: MasterLife, grounded: Grounded, parts: () => Parts): Loop {
  const { process, identity, master, journal } = life;
  const halt = (why: Error) => master.halt(why);
  const loop: Loop = new Loop(grounded, identity, {
    clock: process.clock,
    log: world.log(process.name),
    append: (expected, batch, done) =>
      journal.append(expected, batch, (result) => {
        if (result instanceof Error) halt(result);
        else done(result);
      }),
    read: (index, done) => journal.read(index, done),
    look: (done) => parts().tail.look(done),
    defer: (fire) => process.later(0, "turn", fire),
    newBatchId: () => world.random.ids.hex(32),
    perform: (durable) => perform(world, life, parts(), durable),
    rebuild: (why) => {
      world.timeline.trace(`${process.name} builds its state again: ${why}`);
      life.ground((anew) => {
        world.corruption?.rebuilt(life);
        loop.adopt(anew);
        loop.peek((state) => adopted(parts(), state));
      });
    },
    stuck: () => {},
    deposed: () => {
      world.timeline.trace(`${process.name} leads no more`);
      parts().sessions.deposed();
    },
    leaderElsewhere: () => parts().leadership.leaderElsewhere(),
    halt,
    // Bundles and stored inputs are always there.
    admit: (request) => request,
    dispatchMax: () => world.dispatchMax,
    recalling: () => parts().sessions.recalls.recalling(),
    resting: () => parts().sessions.recalls.resting(),
  });
  return loop;
}

function createPeers(world: World, life: MasterLife, parts: () => Parts): Peers {
  const { process, identity, master } = life;
  const caller = { node: master.id, process };
  const disputes = new Disputes({
    log: world.log(process.name),
    loop: () => parts().loop,
    live: () => parts().peers.live(),
    refold: (index, done) => {
      const ms = world.random.disk.float() * 2_000;
      process.later(ms, "refold", () => done(master.disk.refold(index)));
    },
    halt: (why) => master.halt(why),
  });
  return new Peers({
    clock: process.clock,
    log: world.log(process.name),
    identity,
    version: "0.0.0",
    levels: identity.levels,
    journalId: world.store.journalId,
    leads: () => (parts().loop.leads ? parts().loop.peek(({ term }) => term) : 0),
    term: () => parts().loop.peek(({ term }) => term),
    standing: () => ({
      applied: parts().loop.durableIndex,
      watermark: master.disk.archive.watermark,
      snapshot: master.disk.newest?.index ?? 0,
      doubts: parts().loop.doubts,
    }),
    heard: (workers) => parts().loop.peek((state) => parts().sessions.hears(state, workers)),
    dial: (address, events) => {
      const target = world.masterAt(address);
      return dialPeer(world, {
        caller,
        target,
        events,
        made: (link) => life.holds(link, "dialler"),
      });
    },
    onLeaderGone: (term) => parts().leadership.gone(term),
    onBell: (index) => {
      if (index > parts().loop.appliedIndex) parts().tail.look();
    },
    onHello: ({ id, incarnation, addresses, levels }) => {
      const request = { kind: "joinMaster", id, incarnation, addresses, levels } as const;
      parts().loop.request(request, 256, () => {});
    },
    onStanding: () => disputes.heard(),
    onHave: () => {},
    fetch: (_hash, _from, done) => done(true),
    onRefused: (_code, message) => world.fail(`${process.name} was refused: ${message}`),
  });
}

function perform(world: World, life: MasterLife, parts: Parts, durable: Durable): void {
  parts.loop.peek((state) => world.replicas.performed(life, state, durable));
  performDurable(parts, durable, (why) => life.master.halt(why));
}
