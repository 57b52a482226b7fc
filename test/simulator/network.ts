// The network: between any two machines one wire, with latency, which can be cut (frames wait, as in TCP, until
// the cut heals or somebody gives up), cut one way, or reset. Over a wire go connections: two ordered streams of
// bytes. What session.ts and its like do around them is the business of those at the ends.

import { decode, encode } from "@msgpack/msgpack";
import { limits } from "../../src/protocol/limits.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

export class Network {
  readonly #world: World;
  readonly #wires = new Map<string, Wire>();

  constructor(world: World) {
    this.#world = world;
  }

  between(a: string, b: string): Wire {
    const [low, high] = a < b ? [a, b] : [b, a];
    const key = `${low}|${high}`;
    const known = this.#wires.get(key);
    if (known) return known;
    const wire = new Wire(this.#world, low, high);
    this.#wires.set(key, wire);
    return wire;
  }

  /** All wires of a machine that somebody has used. */
  of(node: string): Wire[] {
    return [...this.#wires.values()].filter(({ ends }) => ends.includes(node));
  }

  heal(): void {
    for (const wire of this.#wires.values()) wire.heal();
  }
}

/** How the network between two machines is just now. */
export class Wire {
  readonly ends: readonly [string, string];
  readonly links = new Set<Link>();
  /** By sender. */
  readonly #blockedUntil = new Map<string, number>();
  readonly #world: World;

  constructor(world: World, a: string, b: string) {
    this.#world = world;
    this.ends = [a, b];
  }

  /** Nothing that `from` sends arrives for a while. */
  block(from: string, ms: number): void {
    const until = this.#world.timeline.now + ms;
    this.#blockedUntil.set(from, Math.max(this.#blockedUntil.get(from) ?? 0, until));
  }

  cut(ms: number): void {
    for (const end of this.ends) this.block(end, ms);
  }

  heal(): void {
    this.#blockedUntil.clear();
  }

  /** Ms until something that `from` sends now would arrive. */
  delay(from: string): number {
    const { timeline, random, knobs } = this.#world;
    const blocked = Math.max(0, (this.#blockedUntil.get(from) ?? 0) - timeline.now);
    return blocked + knobs.latencyMs * (0.5 + random.network.float());
  }

  isBlocked(from: string): boolean {
    return (this.#blockedUntil.get(from) ?? 0) > this.#world.timeline.now;
  }

  get isSound(): boolean {
    return this.ends.every((end) => !this.isBlocked(end));
  }

  reset(): void {
    for (const link of this.links) link.reset();
  }
}

export type Side = "dialler" | "listener";

/** A process on a machine. */
export interface Place {
  readonly node: string;
  readonly process: Process;
}

/** Who listens at one end of a connection. */
export interface LinkEnd {
  receive(bytes: Uint8Array): void;
  /** The other end is gone; said once, and not to an end that has gone itself. */
  closed(reason: string): void;
}

type Item = Uint8Array | "end";

/** Frames over one end of a connection: [n, ack, messages] in MessagePack, numbered without gaps. */
export class Framed<Out, In> {
  readonly #world: World;
  readonly #link: Link;
  readonly #side: Side;
  #sent = 0;
  #received = 0;

  constructor(world: World, link: Link, side: Side) {
    this.#world = world;
    this.#link = link;
    this.#side = side;
  }

  send(messages: readonly Out[]): void {
    this.#link.send(this.#side, encode([++this.#sent, this.#received, messages]));
  }

  read(bytes: Uint8Array): readonly In[] {
    const [n, , messages] = decode(bytes) as [number, number, In[]];
    this.#world.check(n === ++this.#received, `frame ${n} after ${this.#received - 1}`);
    return messages;
  }
}

/** One TCP connection. */
export class Link {
  readonly #world: World;
  readonly #wire: Wire;
  readonly #places: { readonly [side in Side]: Place };
  readonly #ends = new Map<Side, LinkEnd>();
  /** What came in before anybody listened. */
  readonly #early: { readonly [side in Side]: Item[] } = { dialler: [], listener: [] };
  /** By receiver. */
  readonly #queues: { readonly [side in Side]: Item[] } = { dialler: [], listener: [] };
  readonly #moving = { dialler: false, listener: false };
  /** May send; and still listens. */
  readonly #sends = { dialler: true, listener: true };
  readonly #listens = { dialler: true, listener: true };

  constructor(world: World, places: { readonly [side in Side]: Place }) {
    this.#world = world;
    this.#wire = world.network.between(places.dialler.node, places.listener.node);
    this.#places = places;
    this.#wire.links.add(this);
  }

  /** Who hears what comes in at this side. */
  listen(side: Side, end: LinkEnd): void {
    this.#ends.set(side, end);
    for (const item of this.#early[side].splice(0)) this.#arrive(side, item);
  }

  send(from: Side, bytes: Uint8Array): void {
    if (this.#sends[from]) this.#push(other(from), bytes);
  }

  /** This end is gone at once (its process died, or wants no more); what it sent before still goes out. */
  drop(side: Side): void {
    this.#listens[side] = false;
    this.#forget();
    if (!this.#sends[side]) return;
    this.#sends[side] = false;
    this.#push(other(side), "end");
  }

  /** This end closes: it still hears what comes in until the close is answered, or a second has passed. */
  close(side: Side): void {
    if (!this.#sends[side]) return;
    this.#sends[side] = false;
    this.#push(other(side), "end");
    const ms = this.#world.random.network.float() * 1_000;
    this.#places[side].process.later(ms, "socket close", () => this.#ended(side));
  }

  /** This end's machine died: nobody says anything any more. */
  vanish(side: Side): void {
    this.#listens[side] = false;
    this.#sends[side] = false;
    this.#forget();
  }

  /** What is on its way is lost; each end hears of it when it can. */
  reset(): void {
    for (const side of ["listener", "dialler"] as const) {
      this.#queues[side].length = 0;
      this.#push(side, "end");
    }
  }

  #push(to: Side, item: Item): void {
    this.#queues[to].push(item);
    this.#move(to);
  }

  #move(to: Side): void {
    if (this.#moving[to] || this.#queues[to].length === 0) return;
    this.#moving[to] = true;
    const { process } = this.#places[to];
    const from = this.#places[other(to)].node;
    this.#world.timeline.after(this.#wire.delay(from), `net to ${process.name}`, () => {
      this.#moving[to] = false;
      if (this.#wire.isBlocked(from)) return this.#move(to);
      // What was sent in one go arrives in one go.
      for (const item of this.#queues[to].splice(0)) {
        process.enter("net", () => this.#arrive(to, item));
      }
    });
  }

  #arrive(side: Side, item: Item): void {
    const end = this.#ends.get(side);
    if (!end) this.#early[side].push(item);
    else if (item === "end") this.#ended(side);
    else if (this.#listens[side]) end.receive(item);
  }

  #ended(side: Side): void {
    if (!this.#listens[side]) return;
    this.#listens[side] = false;
    this.#sends[side] = false;
    this.#forget();
    this.#ends.get(side)?.closed("the connection was cut");
  }

  #forget(): void {
    if (!this.#listens.dialler && !this.#listens.listener) this.#wire.links.delete(this);
  }
}

function other(side: Side): Side {
  return side === "dialler" ? "listener" : "dialler";
}

/** Whoever may be dialled, and takes the connection. */
export interface Listener {
  readonly node: string;
  /** Nothing answers there, not even a refusal. */
  readonly machineDown: boolean;
  readonly listening: Process | undefined;
}

export interface DialOptions {
  readonly caller: Place;
  readonly target: Listener;
  readonly timeoutMs: number;
  /** In the process that was dialled: it must listen at its end from here on. */
  readonly accept: (link: Link) => void;
  /** In the process that dials: likewise. */
  readonly connected: (link: Link) => void;
  readonly failed: (why: "refused" | "timeout") => void;
}

/**
 * A dial: answered, refused at once where no process listens, or without any answer. What it returns is for when
 * the caller dies or wants no more: the connection that may have come to be ends, or the machine vanishes.
 */
export function dial(world: World, options: DialOptions): (how: "drop" | "vanish") => void {
  const { caller, target } = options;
  const { process, node } = caller;
  const wire = world.network.between(node, target.node);
  let over = false;
  let made: Link | undefined;
  const abort = (how: "drop" | "vanish") => {
    over = true;
    made?.[how]("dialler");
  };
  const fail = (why: "refused" | "timeout") => {
    if (over) return;
    abort("drop");
    options.failed(why);
  };
  const answer = (label: string, fire: () => void) =>
    process.later(wire.delay(target.node), label, () => {
      if (!over) fire();
    });
  process.clock.after(options.timeoutMs, () => fail("timeout"));
  world.timeline.after(wire.delay(node), `dial ${target.node}`, () => {
    const { listening, machineDown } = target;
    if (over || machineDown) return;
    if (!listening) return answer("refused", () => fail("refused"));
    listening.enter("accept", () => {
      if (over) return;
      const link = new Link(world, {
        dialler: caller,
        listener: { node: target.node, process: listening },
      });
      made = link;
      options.accept(link);
      answer("connected", () => {
        over = true;
        options.connected(link);
      });
    });
  });
  return abort;
}

export const pingMs = 1_000;
export const checkMs = 250;
export const dialMs = limits.suspectAfterMs;
