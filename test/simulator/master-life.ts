// One life of a master's process: from the ground up to its end, and what comes in from the network.

import type { Grounded, LoopIdentity } from "../../src/master/loop-ports.ts";
import type { Connection } from "../../src/master/session-ports.ts";
import type { MasterMessage, WorkerMessage } from "../../src/protocol/messages.ts";
import { Ground } from "./ground.ts";
import { SimJournal } from "./journal.ts";
import type { SimMaster } from "./master.ts";
import { Framed, pingMs } from "./network.ts";
import type { Link, Side } from "./network.ts";
import { acceptPeer } from "./peer-links.ts";
import { Process } from "./process.ts";
import { wireMaster } from "./master-wiring.ts";
import type { Parts } from "./master-wiring.ts";
import type { World } from "./world.ts";

const handOverMs = 2_000;

export class MasterLife {
  readonly process: Process;
  readonly journal: SimJournal;
  readonly identity: LoopIdentity;
  readonly master: SimMaster;
  /** Undefined until it is grounded: it answers nobody before. */
  parts: Parts | undefined;
  readonly #world: World;
  readonly #links = new Map<Link, Side>();

  constructor(world: World, master: SimMaster, life: number) {
    this.#world = world;
    this.master = master;
    const { timeline, random } = world;
    const name = `${master.id}#${life}`;
    const startedAt = random.clock.between(0, 1_000_000);
    this.process = new Process(name, timeline, { startedAt, rate: master.clockRate });
    const { id, address } = master;
    const incarnation = random.ids.hex(16);
    const by = `${id} ${incarnation}`;
    this.journal = new SimJournal(world, master.engine, this.process, by);
    this.identity = { id, incarnation, addresses: [address], levels: [1, 1] };
    timeline.trace(`${name} starts`);
    this.ground((grounded) => {
      timeline.trace(`${name} stands at index ${grounded.state.index}`);
      this.parts = wireMaster(world, this, grounded);
      this.parts.begin();
    });
  }

  ground(done: (grounded: Grounded) => void): void {
    const { process, journal, master, identity } = this;
    const { incarnation } = identity;
    const halt = (why: Error) => master.halt(why);
    Ground.begin({ world: this.#world, master, incarnation, process, journal, done, halt });
  }

  /** SIGTERM: what hand-over.ts and the end of a master do. */
  leave(done: () => void): void {
    const { parts } = this;
    if (!parts) return done();
    const hasOthers = parts.loop.leads && parts.peers.live().length > 0;
    const until = this.process.clock.now() + handOverMs;
    parts.leadership.leave(() => this.#handedOver(parts, hasOthers ? until : 0, done));
  }

  #handedOver(parts: Parts, until: number, done: () => void): void {
    const { clock } = this.process;
    const another = !parts.loop.leads && parts.loop.peek(({ leader }) => leader !== null);
    if (clock.now() < until && !another) {
      return void clock.after(10, () => this.#handedOver(parts, until, done));
    }
    parts.peers.stop("the master ends");
    parts.sessions.stop();
    // What was said has a moment to go out.
    this.process.later(20, "exit", done);
  }

  /** The process is dead. */
  end(how: "drop" | "vanish"): void {
    for (const [link, side] of this.#links) link[how](side);
    this.#links.clear();
  }

  /** A connection ends with this process. */
  holds(link: Link, side: Side): void {
    this.#links.set(link, side);
  }

  acceptPeer(link: Link): void {
    this.holds(link, "listener");
    if (this.parts) acceptPeer(this.#world, link, this.parts.peers);
  }

  acceptWorker(link: Link): void {
    this.holds(link, "listener");
    const { parts } = this;
    if (!parts) return;
    const end = new WorkerEnd(this.#world, this, parts, link);
    link.listen("listener", end);
  }
}

/** The master's end of one worker's connection: what session-server.ts does. */
class WorkerEnd implements Connection {
  readonly remote = "worker";
  readonly #life: MasterLife;
  readonly #parts: Parts;
  readonly #link: Link;
  readonly #framed: Framed<MasterMessage, WorkerMessage>;
  #cancelPing = () => {};

  constructor(world: World, life: MasterLife, parts: Parts, link: Link) {
    this.#life = life;
    this.#parts = parts;
    this.#link = link;
    this.#framed = new Framed(world, link, "listener");
    parts.sessions.opened(this);
    this.#ping();
  }

  #ping(): void {
    this.#cancelPing = this.#life.process.clock.after(pingMs, () => {
      this.#framed.send([]);
      this.#ping();
    });
  }

  send(messages: readonly MasterMessage[]): void {
    if (messages.length > 0) this.#framed.send(messages);
  }

  close(): void {
    this.#link.close("listener");
  }

  receive(bytes: Uint8Array): void {
    const { sessions } = this.#parts;
    const messages = this.#framed.read(bytes);
    sessions.heard(this);
    for (const message of messages) sessions.received(this, message);
  }

  closed(reason: string): void {
    this.#cancelPing();
    this.#parts.sessions.closed(this, reason);
  }
}
