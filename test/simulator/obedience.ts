// I13: a worker takes no order of a lower term than the highest it has heard of; I24: so whatever a deposed leader
// still says changes nothing where the new term is known.

import type { MasterMessage } from "../../src/protocol/messages.ts";
import type { WorkerLife } from "./worker.ts";
import type { World } from "./world.ts";

export class Obedience {
  readonly #world: World;
  /** The highest term each life of a worker has heard of. */
  readonly #terms = new WeakMap<WorkerLife, number>();
  readonly #sentToLeaving = new WeakMap<WorkerLife, number>();
  /** Frames whose orders were all of a lower term. */
  refused = 0;

  constructor(world: World) {
    this.#world = world;
  }

  receive(life: WorkerLife, messages: readonly MasterMessage[], take: () => void): void {
    let term = this.#terms.get(life) ?? 0;
    let [fresh, old] = [false, false];
    for (const message of messages) {
      if (!("term" in message)) continue;
      if (message.kind === "lead") term = Math.max(term, message.term);
      if (message.term >= term) fresh = true;
      else old = true;
    }
    this.#leaves(life, messages);
    const stale = old && !fresh;
    this.#terms.set(life, term);
    const before = stale ? traits(life) : "";
    take();
    this.#world.check(life.agent.term <= term, `I13: ${life.node} is in a term nobody announced`);
    if (!stale) return;
    this.refused++;
    const same = traits(life) === before;
    this.#world.check(same, `I13: ${life.node} obeys an order of a lower term than ${term}`);
  }

  /** One that leaves takes nothing: what is sent to it all the same comes back, and is sent again. */
  #leaves(life: WorkerLife, messages: readonly MasterMessage[]): void {
    if (!life.leaves || !life.agent.draining) return;
    const starts = messages.filter(({ kind }) => kind === "start").length;
    const sent = (this.#sentToLeaving.get(life) ?? 0) + starts;
    this.#sentToLeaving.set(life, sent);
    this.#world.check(sent < 50, `W6: ${life.node} leaves, and is sent work ${sent} times`);
  }
}

/** What an order would change. */
function traits({ agent }: WorkerLife): string {
  const { held, known, unrecorded, draining, term, leader } = agent;
  return [held, known, unrecorded.length, draining, term, leader].join();
}
