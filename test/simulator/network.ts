// Connections between one worker's process and the master's: two ordered streams of frames, each with latency,
// which can be cut (frames wait, as in TCP, until the cut heals or somebody gives up), cut one way, or reset.
// Frames are real MessagePack bytes, and both ends do what session.ts and session-server.ts do around them.

import { decode, encode } from "@msgpack/msgpack";
import { limits } from "../../src/protocol/limits.ts";
import type { MasterMessage, WorkerMessage } from "../../src/protocol/messages.ts";
import { decodeFrame, encodeFrame } from "../../src/worker/frames.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

export type Direction = "up" | "down";

/** How the network to one worker is just now. */
export class Wire {
  readonly #blockedUntil = { up: 0, down: 0 };
  readonly #world: World;
  readonly links = new Set<Link>();

  constructor(world: World) {
    this.#world = world;
  }

  block(direction: Direction, ms: number): void {
    const until = this.#world.timeline.now + ms;
    this.#blockedUntil[direction] = Math.max(this.#blockedUntil[direction], until);
  }

  heal(): void {
    this.#blockedUntil.up = 0;
    this.#blockedUntil.down = 0;
  }

  /** Ms until something sent now would arrive. */
  delay(direction: Direction): number {
    const { timeline, random, knobs } = this.#world;
    const blocked = Math.max(0, this.#blockedUntil[direction] - timeline.now);
    return blocked + knobs.latencyMs * (0.5 + random.network.float());
  }

  isBlocked(direction: Direction): boolean {
    return this.#blockedUntil[direction] > this.#world.timeline.now;
  }

  reset(): void {
    for (const link of this.links) link.reset();
  }
}

export interface LinkEnds {
  readonly worker: Process;
  readonly master: Process;
  readonly onMaster: (messages: readonly WorkerMessage[]) => void;
  readonly onWorker: (messages: readonly MasterMessage[]) => void;
  readonly onMasterClosed: (reason: string) => void;
  readonly onWorkerClosed: (reason: string) => void;
}

/** One TCP connection. */
export class Link {
  readonly #world: World;
  readonly #wire: Wire;
  readonly #ends: LinkEnds;
  readonly #sent = { up: 0, down: 0 };
  readonly #received = { up: 0, down: 0 };
  readonly #queues: { readonly [d in Direction]: (Uint8Array | "end")[] } = { up: [], down: [] };
  readonly #moving = { up: false, down: false };
  /** May send; and still listens. */
  readonly #sends = { master: true, worker: true };
  readonly #listens = { master: true, worker: true };

  constructor(world: World, wire: Wire, ends: LinkEnds) {
    this.#world = world;
    this.#wire = wire;
    this.#ends = ends;
    wire.links.add(this);
  }

  sendUp(messages: readonly WorkerMessage[]): void {
    if (!this.#sends.worker) return;
    this.#push("up", encodeFrame([++this.#sent.up, this.#received.down, messages]));
  }

  sendDown(messages: readonly MasterMessage[]): void {
    if (!this.#sends.master) return;
    this.#push("down", encode([++this.#sent.down, this.#received.up, messages]));
  }

  /** The worker's end is gone at once; what it sent before still goes out. */
  closeWorker(): void {
    this.#listens.worker = false;
    if (!this.#sends.worker) return;
    this.#sends.worker = false;
    this.#push("up", "end");
  }

  /** The master closes: it still hears what comes in until the close is answered, or a second has passed. */
  closeMaster(): void {
    if (!this.#sends.master) return;
    this.#sends.master = false;
    this.#push("down", "end");
    const ms = this.#world.random.network.float() * 1_000;
    this.#ends.master.later(ms, "socket close", () => this.#ended("master"));
  }

  /** The master's process died. */
  dropMaster(): void {
    this.#listens.master = false;
    if (!this.#sends.master) return;
    this.#sends.master = false;
    this.#push("down", "end");
  }

  /** The worker's machine died: nobody says anything any more. */
  vanish(): void {
    this.#listens.worker = false;
    this.#sends.worker = false;
  }

  /** What is on its way is lost; each end hears of it when it can. */
  reset(): void {
    for (const direction of ["up", "down"] as const) {
      this.#queues[direction].length = 0;
      this.#push(direction, "end");
    }
  }

  #push(direction: Direction, item: Uint8Array | "end"): void {
    this.#queues[direction].push(item);
    this.#move(direction);
  }

  #move(direction: Direction): void {
    if (this.#moving[direction] || this.#queues[direction].length === 0) return;
    this.#moving[direction] = true;
    this.#world.timeline.after(this.#wire.delay(direction), `net ${direction}`, () => {
      this.#moving[direction] = false;
      if (this.#wire.isBlocked(direction)) return this.#move(direction);
      // What was sent in one go arrives in one go.
      const items = this.#queues[direction].splice(0);
      const end = direction === "up" ? this.#ends.master : this.#ends.worker;
      for (const item of items) end.enter(`net ${direction}`, () => this.#arrive(direction, item));
    });
  }

  #arrive(direction: Direction, item: Uint8Array | "end"): void {
    const side = direction === "up" ? "master" : "worker";
    if (item === "end") return this.#ended(side);
    if (!this.#listens[side]) return;
    this.#received[direction]++;
    if (direction === "down") return this.#ends.onWorker(decodeFrame(item)[2]);
    const [n, , messages] = decode(item) as [number, number, WorkerMessage[]];
    this.#world.check(n === this.#received.up, `frame ${n} after ${this.#received.up - 1}`);
    this.#ends.onMaster(messages);
  }

  #ended(side: "master" | "worker"): void {
    if (!this.#listens[side]) return;
    this.#listens[side] = false;
    this.#sends[side] = false;
    if (!this.#listens.master && !this.#listens.worker) this.#wire.links.delete(this);
    if (side === "master") this.#ends.onMasterClosed("the connection was cut");
    else this.#ends.onWorkerClosed("the connection was cut");
  }
}

export const pingMs = 1_000;
export const checkMs = 250;
export const dialMs = limits.suspectAfterMs;
