// One connection of a worker to one master, from the dial to its end: what session.ts of the worker does.

import { limits } from "../../src/protocol/limits.ts";
import { protocolVersion, protocolVersionMin } from "../../src/protocol/messages.ts";
import type { MasterMessage, WorkerMessage } from "../../src/protocol/messages.ts";
import { decodeFrame, encodeFrame } from "../../src/worker/frames.ts";
import type { SimMaster } from "./master.ts";
import { checkMs, dial, dialMs, pingMs } from "./network.ts";
import type { Link } from "./network.ts";
import type { Process } from "./process.ts";
import type { WorkerLife } from "./worker.ts";
import type { World } from "./world.ts";

export interface DialledEvents {
  readonly onWelcome: () => void;
  readonly onMessages: (messages: readonly MasterMessage[]) => void;
  readonly onEnd: (reason: string, final: boolean) => void;
}

export class Dialled {
  readonly master: SimMaster;
  readonly #world: World;
  readonly #process: Process;
  readonly #events: DialledEvents;
  readonly #abort: (how: "drop" | "vanish") => void;
  #link: Link | undefined;
  #sent = 0;
  #received = 0;
  #heardAt: number;
  #spokeAt: number;
  #checkedAt: number;
  #welcomed = false;
  #ended = false;

  constructor(world: World, life: WorkerLife, master: SimMaster, events: DialledEvents) {
    this.#world = world;
    this.#process = life.process;
    this.master = master;
    this.#events = events;
    this.#heardAt = this.#spokeAt = this.#checkedAt = this.#process.clock.now();
    this.#abort = dial(world, {
      caller: { node: life.node, process: life.process },
      target: master,
      timeoutMs: dialMs,
      accept: (link) => master.life?.acceptWorker(link),
      connected: (link) => this.#connected(link, life),
      failed: (why) => this.end(why),
    });
    this.#process.clock.after(checkMs, () => this.#check());
  }

  #connected(link: Link, life: WorkerLife): void {
    this.#link = link;
    this.#heardAt = this.#process.clock.now();
    link.listen("dialler", {
      receive: (bytes) => this.#receive(bytes),
      closed: (reason) => this.end(reason),
    });
    const protocol = [protocolVersionMin, protocolVersion] as const;
    const { node: id, incarnation } = life;
    const { journalId } = this.#world.store;
    this.send([{ kind: "hello", protocol, version: "0.0.0", id, incarnation, journalId }]);
  }

  send(messages: readonly WorkerMessage[]): void {
    if (this.#ended) return;
    this.#link?.send("dialler", encodeFrame([++this.#sent, this.#received, messages]));
    this.#spokeAt = this.#process.clock.now();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#ended) return;
    const [n, , messages] = decodeFrame(bytes);
    this.#world.check(n === ++this.#received, `frame ${n} after ${this.#received - 1}`);
    this.#heardAt = this.#process.clock.now();
    const refusal = messages.find((message) => message.kind === "refuse");
    if (refusal) return this.end(refusal.message, true);
    let rest = messages;
    if (!this.#welcomed && messages[0]?.kind === "welcome") {
      this.#welcomed = true;
      this.#events.onWelcome();
      rest = messages.slice(1);
    }
    if (rest.length > 0) this.#events.onMessages(rest);
  }

  #check(): void {
    if (this.#ended) return;
    const now = this.#process.clock.now();
    const stalled = now - this.#checkedAt - checkMs;
    if (stalled > checkMs) this.#heardAt += stalled;
    this.#checkedAt = now;
    if (this.#link && now - this.#heardAt > limits.suspectAfterMs) return this.end("nothing heard");
    this.#process.clock.after(checkMs, () => this.#check());
    if (this.#welcomed && now - this.#spokeAt > pingMs - checkMs) this.send([]);
  }

  end(reason: string, final = false): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abort("drop");
    this.#events.onEnd(reason, final);
  }

  /** The process is dead. */
  drop(how: "drop" | "vanish"): void {
    this.#ended = true;
    this.#abort(how);
  }
}
