/**
 * Partitions without root: a TCP proxy (a gate) in front of every master and every etcd member, and rules about who
 * reaches whom. Who it is that connects is found in /proc by the port it comes from, so that all processes use the
 * same addresses, as they would on a network.
 *
 * `hold` is what a partition does to TCP: bytes wait, nobody hears of an end, and when it heals what was sent
 * arrives after all. `cut` is what a firewall or a dying middle box does: connections are reset, and new ones too.
 * Unlike a real partition, a new connection is accepted while it is held, and then nothing comes.
 */
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What becomes of bytes on their way. */
export type Flow = "pass" | "hold" | "cut";

export interface Rule {
  /** Names of processes: "m1", "w2", "etcd-0", "client"; all unless given. */
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  /** From the one that connects to the one that is connected to. */
  readonly there: Flow;
  readonly back: Flow;
}

interface Flows {
  readonly there: Flow;
  readonly back: Flow;
}

const open: Flows = { there: "pass", back: "pass" };

export class Links implements Disposable {
  readonly #pids: () => ReadonlyMap<number, string>;
  readonly #gates: Gate[] = [];
  #rules: readonly Rule[] = [];

  /** `pids`: the names of processes; all others are clients. */
  constructor(pids: () => ReadonlyMap<number, string>) {
    this.#pids = pids;
  }

  /** A gate in front of the process of this name; its target is known later. */
  async gate(name: string): Promise<Gate> {
    const gate = new Gate(name, this);
    await gate.open();
    this.#gates.push(gate);
    return gate;
  }

  add(rule: Rule): void {
    this.#rules = [...this.#rules, rule];
    this.#apply();
  }

  heal(): void {
    this.#rules = [];
    this.#apply();
  }

  flows(from: string, to: string): Flows {
    const rule = this.#rules.findLast(
      (one) => (one.from?.includes(from) ?? true) && (one.to?.includes(to) ?? true),
    );
    return rule ?? open;
  }

  nameOf(port: number): string {
    return ownerOf(port, this.#pids()) ?? "client";
  }

  #apply(): void {
    for (const gate of this.#gates) gate.apply();
  }

  [Symbol.dispose](): void {
    for (const gate of this.#gates) gate.shut();
  }
}

export class Gate {
  readonly name: string;
  readonly #links: Links;
  readonly #passages = new Set<Passage>();
  #server: Server | undefined;
  #port = 0;
  #target = () => 0;

  constructor(name: string, links: Links) {
    this.name = name;
    this.#links = links;
  }

  get port(): number {
    return this.#port;
  }

  /** Where the process behind it listens; 0 as long as it does not. */
  aim(target: () => number): void {
    this.#target = target;
  }

  /** Listens, on the port it had before. */
  async open(): Promise<void> {
    for (let tries = 0; !this.#server; tries++) {
      const server = createServer({ allowHalfOpen: true }, (socket) => this.#enter(socket));
      try {
        server.listen(this.#port, "127.0.0.1");
        await once(server, "listening");
        this.#server = server;
        // Listening on a port, so it has one.
        this.#port = (server.address() as AddressInfo).port;
      } catch (error) {
        // Somebody's outgoing connection may have that port for a moment.
        if (tries === 50) throw error;
        await sleep(20);
      }
    }
  }

  /** As if the process behind it had died: connections are reset, and new ones refused. */
  shut(): void {
    // Stops listening at once; its connections are reset here, so that nobody has to wait for their end.
    this.#server?.close();
    this.#server = undefined;
    for (const passage of this.#passages) passage.reset();
  }

  apply(): void {
    for (const passage of this.#passages) passage.apply();
  }

  #enter(socket: Socket): void {
    const from = this.#links.nameOf(socket.remotePort ?? 0);
    const flows = () => this.#links.flows(from, this.name);
    const port = this.#target();
    if (flows().there === "cut" || flows().back === "cut" || port === 0) {
      reset(socket);
      return;
    }
    const target = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const passage = new Passage(socket, target, flows);
    this.#passages.add(passage);
    socket.once("close", () => this.#passages.delete(passage));
  }
}

/** One connection: two lanes, each of which can be held. */
class Passage {
  readonly #sockets: readonly [Socket, Socket];
  readonly #lanes: readonly [Lane, Lane];
  readonly #flows: () => Flows;

  constructor(source: Socket, target: Socket, flows: () => Flows) {
    this.#sockets = [source, target];
    this.#flows = flows;
    this.#lanes = [
      new Lane(source, target, () => flows().there),
      new Lane(target, source, () => flows().back),
    ];
    source.setNoDelay(true);
    target.setNoDelay(true);
    this.apply();
  }

  apply(): void {
    const { there, back } = this.#flows();
    if (there === "cut" || back === "cut") this.reset();
    else for (const lane of this.#lanes) lane.apply();
  }

  reset(): void {
    for (const socket of this.#sockets) reset(socket);
  }
}

/** Bytes in one direction, and their end. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #flow: () => Flow;
  /** How it ended on the far side, not told yet. */
  #ended: "no" | "end" | "reset" = "no";

  constructor(from: Socket, to: Socket, flow: () => Flow) {
    this.#from = from;
    this.#to = to;
    this.#flow = flow;
    from.on("data", (bytes) => {
      if (!to.destroyed && !to.write(bytes)) from.pause();
    });
    to.on("drain", () => this.apply());
    from.on("end", () => this.#end("end"));
    // A failure is followed by "close".
    from.on("error", () => {});
    from.on("close", () => this.#end(from.readableEnded ? "end" : "reset"));
  }

  apply(): void {
    if (this.#to.destroyed) return;
    if (this.#flow() !== "pass") this.#from.pause();
    else {
      this.#from.resume();
      this.#end(this.#ended);
    }
  }

  #end(how: "no" | "end" | "reset"): void {
    if (how === "no" || this.#ended === "reset") return;
    this.#ended = how;
    if (this.#flow() !== "pass" || this.#to.destroyed) return;
    if (how === "end") this.#to.end();
    else reset(this.#to);
  }
}

/** At once: by itself `resetAndDestroy` waits until all is written that was to be. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  socket.resetAndDestroy();
  socket.destroy();
}

/** Which of these processes has the socket that comes from this local port (Linux). */
function ownerOf(port: number, pids: ReadonlyMap<number, string>): string | undefined {
  const inode = inodeOf(port);
  if (inode === undefined) return undefined;
  for (const [pid, name] of pids) {
    if (socketsOf(pid).includes(`socket:[${inode}]`)) return name;
  }
  return undefined;
}

function inodeOf(port: number): string | undefined {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local) return fields[9];
  }
  return undefined;
}

function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(`${folder}/${fd}`)];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // ended meanwhile
  }
}
