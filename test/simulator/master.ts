// The master: the real loop, sessions, replay, snapshots' bytes and client watch, wired as wiring.ts and
// ground.ts do it, but synchronously and over the simulated journal. It dies and starts again.

import { createDigestMemory, digest } from "../../src/core/digest.ts";
import type { Effect } from "../../src/core/effect.ts";
import { createState } from "../../src/core/state.ts";
import type { State } from "../../src/core/state.ts";
import { zeroHash } from "../../src/journal/journal.ts";
import { silentLog } from "../../src/lib/log.ts";
import { ClientWatch } from "../../src/master/api/client-watch.ts";
import { feedArchive } from "../../src/master/feed.ts";
import { Loop } from "../../src/master/loop.ts";
import type { Durable, Grounded } from "../../src/master/loop-ports.ts";
import { createDigestCheck, foldBatch } from "../../src/master/replay.ts";
import { Sessions } from "../../src/master/sessions.ts";
import type { Connection } from "../../src/master/session-ports.ts";
import { decodeSnapshot, encodeSnapshot } from "../../src/master/snapshot-state.ts";
import type { WorkerMessage } from "../../src/protocol/messages.ts";
import { digestOf } from "./check-state.ts";
import { pingMs } from "./network.ts";
import type { Link } from "./network.ts";
import { Process } from "./process.ts";
import type { World } from "./world.ts";

interface SnapshotFile {
  readonly index: number;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** One life of the master's process. */
export interface MasterLife {
  readonly process: Process;
  readonly loop: Loop;
  readonly sessions: Sessions;
  readonly watch: ClientWatch;
  readonly links: Set<Link>;
}

export class SimMaster {
  life: MasterLife | null = null;
  lives = 0;
  readonly #world: World;
  #snapshots: SnapshotFile[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  start(): void {
    const world = this.#world;
    const name = `master#${++this.lives}`;
    const startedAt = world.random.clock.between(0, 1_000_000);
    const process = new Process(name, world.timeline, startedAt);
    const identity = { id: "m1", incarnation: world.random.ids.hex(16), addresses: ["http://m1"] };
    const grounded = this.#ground();
    const loop: Loop = new Loop(grounded, identity, {
      clock: process.clock,
      log: world.log(name),
      append: (expected, batch, done) => world.journal.append(process, expected, batch, done),
      read: (index, done) => world.journal.read(process, index, done),
      defer: (fire) => process.later(0, "turn", fire),
      newBatchId: () => world.random.ids.hex(32),
      perform: (durable) => this.#perform(life, durable),
      rebuild: (why) => {
        world.timeline.trace(`${name} builds its state again: ${why}`);
        process.later(world.random.disk.float() * 50, "rebuild", () => loop.adopt(this.#ground()));
      },
      halt: (why) => world.fail(`the master halts: ${why.message}`, why),
      // Bundles and stored inputs are always there.
      admit: (request) => request,
      dispatchMax: () => world.dispatchMax,
      recalling: () => life.sessions.recalling(),
    });
    const sessions = new Sessions({
      clock: process.clock,
      log: world.log(name),
      loop,
      journalId: world.journal.journalId,
      version: "0.0.0",
      identity,
      dial: ({ address }, done) => world.dialWorker(process, address, done),
      onLogChunk: () => {},
      onWorkerGone: () => {},
    });
    const watch = new ClientWatch({ master: { loop, log: silentLog }, clock: process.clock });
    const life: MasterLife = { process, loop, sessions, watch, links: new Set() };
    this.life = life;
    world.timeline.trace(`${name} starts at index ${grounded.state.index}`);
    loop.campaign();
  }

  crash(): void {
    const { life } = this;
    if (!life) return;
    this.#world.timeline.trace(`${life.process.name} is killed`);
    life.process.kill();
    this.life = null;
    this.#world.archive.crash();
    for (const link of life.links) link.dropMaster();
  }

  /** A worker's socket has come in. */
  accept(life: MasterLife, link: Link): MasterEnd {
    life.links.add(link);
    return new MasterEnd(life, link);
  }

  // ── what ground.ts does ────────────────────────────────────────────────────────────────

  #ground(): Grounded {
    const { journal, archive } = this.#world;
    const file = this.#snapshots.at(-1);
    const state = file ? decodeSnapshot(file) : createState(journal.journalId);
    const world = this.#world;
    world.check(archive.added >= state.index, "A4: a snapshot is ahead of the archive");
    let hash = zeroHash;
    const digests = this.#digests();
    for (const batch of journal.after(state.index)) {
      hash = batch.hash;
      foldBatch(state, batch, digests, (effects) => {
        if (batch.index <= archive.added) return;
        feedArchive(state, { index: batch.index, wall: batch.wall, effects }, archive);
      });
    }
    if (hash === zeroHash) hash = journal.head.hash;
    world.checker.sameState(state, "after a restart");
    return { state, hash };
  }

  #digests(): ReturnType<typeof createDigestCheck> {
    return createDigestCheck((index, own, recorded) =>
      this.#world.fail(`I4: replay gives ${own} before batch ${index}, recorded is ${recorded}`),
    );
  }

  // ── what wiring.ts does ────────────────────────────────────────────────────────────────

  #perform(life: MasterLife, durable: Durable): void {
    const world = this.#world;
    life.loop.peek((state) => {
      if (durable.elected) life.sessions.elected(state.term, state);
      world.checker.performed(state, durable);
      life.sessions.perform(state, durable.effects, durable.recalls);
      if (durable.bytes.length === 0) return;
      feedArchive(state, durable, world.archive);
    });
    for (const effect of durable.effects) this.#housekeep(effect);
  }

  #housekeep(effect: Effect): void {
    if (effect.kind === "trim") this.#world.journal.trim(effect.below);
  }

  // ── what snapshot-keeper.ts does ───────────────────────────────────────────────────────

  /** Folds a snapshot at some index that the archive has on disk, names it, and trims. */
  snapshot(): void {
    const { life } = this;
    const world = this.#world;
    if (!life || life.process.stopped || !life.loop.leads) return;
    const last = this.#snapshots.at(-1);
    const from = last?.index ?? 0;
    const { watermark } = world.archive;
    if (watermark <= from + (world.calm ? 20 : 0)) return;
    const upTo = world.random.disk.chance(0.5)
      ? watermark
      : world.random.disk.between(from + 1, watermark);
    const state = last ? decodeSnapshot(last) : createState(world.journal.journalId);
    const digests = this.#digests();
    for (const batch of world.journal.after(from)) {
      if (batch.index > upTo) break;
      foldBatch(state, batch, digests);
    }
    this.#keep(life, state);
  }

  #keep(life: MasterLife, state: State): void {
    const world = this.#world;
    const own = digestOf(state);
    const file = { index: state.index, digest: own, bytes: encodeSnapshot(state) };
    const loaded = decodeSnapshot(file);
    world.check(digest(loaded, createDigestMemory()) === own, "I4: a snapshot has another digest");
    world.checker.sound(loaded, "a loaded snapshot");
    this.#snapshots = [...this.#snapshots.slice(-1), file];
    world.timeline.trace(`snapshot at ${file.index}`);
    const request = { kind: "noteSnapshot", index: file.index, digest: own, file: "s" } as const;
    life.loop.request(request, 128, (answer) => {
      const older = this.#snapshots[0];
      if (!answer.ok || this.#snapshots.length < 2 || !older) return;
      life.loop.request({ kind: "trim", below: older.index + 1 }, 64, () => {});
    });
  }
}

/** The master's end of one worker's connection: what session-server.ts does. */
export class MasterEnd implements Connection {
  readonly remote = "worker";
  readonly #life: MasterLife;
  readonly #link: Link;
  #beat = () => {};

  constructor(life: MasterLife, link: Link) {
    this.#life = life;
    this.#link = link;
    life.sessions.opened(this);
    const ping = () => {
      this.#link.sendDown([]);
      this.#beat = life.process.clock.after(pingMs, ping);
    };
    this.#beat = life.process.clock.after(pingMs, ping);
  }

  send(messages: Parameters<Connection["send"]>[0]): void {
    if (messages.length > 0) this.#link.sendDown(messages);
  }

  close(): void {
    this.#link.closeMaster();
  }

  received(messages: readonly WorkerMessage[]): void {
    this.#life.sessions.heard(this);
    for (const message of messages) this.#life.sessions.received(this, message);
  }

  closed(reason: string): void {
    this.#beat();
    this.#life.links.delete(this.#link);
    this.#life.sessions.closed(this, reason);
  }
}
