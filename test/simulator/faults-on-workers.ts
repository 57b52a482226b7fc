// What happens to workers, and to what lies between them and the masters.

import { drawMs } from "./faults.ts";
import type { WorkerRates } from "./knobs.ts";
import type { SimMaster } from "./master.ts";
import type { Wire } from "./network.ts";
import type { SimWorker } from "./worker.ts";
import type { World } from "./world.ts";

type How = "both" | "to the worker" | "from the worker";

export class WorkerFaults {
  readonly #world: World;
  /** Until when a worker is in trouble already: in some profiles troubles must not add up. */
  readonly #troubledUntil = new Map<SimWorker, number>();

  constructor(world: World) {
    this.#world = world;
  }

  acts(): { readonly [kind in keyof WorkerRates]: () => void } {
    return {
      workerCrash: () => this.#crash("process"),
      machineCrash: () => this.#crash("machine"),
      workerStall: () => this.#trouble((worker, ms) => worker.life?.process.stall(ms)),
      workerLeaves: () => this.#leave(),
      slotCrash: () => this.#slotCrash(),
      netCut: () => this.#trouble((worker, ms) => this.#cut(worker, worker.wires, "both", ms)),
      netOneWay: () => this.#oneWay(),
      netReset: () => this.#reset(),
      masterWorkersCut: () => this.#cutFromMaster(),
      storm: () => this.#storm(),
      workerClockStep: () => this.#clockStep(),
      spoolTrouble: () => this.#spoolTrouble(),
    };
  }

  #someone(): SimWorker {
    return this.#world.random.faults.pick(this.#world.workers);
  }

  #crash(how: "process" | "machine"): void {
    const worker = this.#someone();
    this.#world.killWorker(worker.plan.id, how);
    if (how === "machine" && this.#world.random.faults.chance(0.3)) worker.spool = [];
  }

  /** SIGTERM: the worker tells its leader that it leaves, and gives back what has not started. */
  #leave(): void {
    const { life } = this.#someone();
    if (!life) return;
    const deadlineMs = this.#world.random.faults.pick([0, 2_000]);
    this.#world.timeline.trace(`${life.process.name} is told to leave`);
    life.leaves = true;
    life.process.enter("SIGTERM", () => life.agent.leave("told to leave", deadlineMs));
  }

  #slotCrash(): void {
    const { life } = this.#someone();
    if (!life || life.process.stopped) return;
    const slots = [...life.executor.slots];
    if (slots.length > 0) this.#world.random.faults.pick(slots).crash("killed");
  }

  #trouble(act: (worker: SimWorker, ms: number) => void, worker = this.#someone()): void {
    const { timeline, knobs } = this.#world;
    const ms = drawMs(this.#world, 50, knobs.silenceMaxMs);
    if (knobs.profile !== "everything") {
      if ((this.#troubledUntil.get(worker) ?? 0) > timeline.now) return;
      this.#troubledUntil.set(worker, timeline.now + ms + 20_000);
    }
    act(worker, ms);
  }

  #oneWay(): void {
    const how = this.#world.random.faults.pick(["to the worker", "from the worker"] as const);
    this.#trouble((worker, ms) => this.#cut(worker, worker.wires, how, ms));
  }

  /** One master, and one worker or all of them, in one direction or both. */
  #cutFromMaster(): void {
    const { random, masters, network, workers } = this.#world;
    const master: SimMaster = random.faults.pick(masters);
    const how = random.faults.pick(["both", "to the worker", "from the worker"] as const);
    const hit = random.faults.chance(0.5) ? workers : [this.#someone()];
    for (const worker of hit) {
      const wire = network.between(worker.node, master.node);
      this.#trouble((_, ms) => this.#cut(worker, [wire], how, ms), worker);
    }
  }

  #cut(worker: SimWorker, wires: readonly Wire[], how: How, ms: number): void {
    for (const wire of wires) {
      const [a, b] = wire.ends;
      this.#world.timeline.trace(`the network between ${a} and ${b} is cut (${how}) for ${ms} ms`);
      for (const end of wire.ends) {
        const sends = end === worker.node ? "from the worker" : "to the worker";
        if (how === "both" || how === sends) wire.block(end, ms);
      }
    }
  }

  #reset(): void {
    const { random } = this.#world;
    const { wires } = this.#someone();
    const hit = random.faults.chance(0.5) ? wires : [random.faults.pick(wires)];
    for (const wire of hit) wire.reset();
  }

  /** All workers register anew while the journal is slow: much happens between their words and its answer. */
  #storm(): void {
    const { store, timeline, workers, random } = this.#world;
    const ms = drawMs(this.#world, 50, 4_000);
    timeline.trace(`all connections of workers are reset, the journal stalls for ${ms} ms`);
    for (const { wires } of workers) for (const wire of wires) wire.reset();
    timeline.after(random.faults.float() * 300, "the journal stalls", () => {
      if (!this.#world.calm) store.stalledUntil = Math.max(store.stalledUntil, timeline.now + ms);
    });
  }

  #clockStep(): void {
    const { random, timeline } = this.#world;
    const { life } = this.#someone();
    if (!life) return;
    const ms = random.faults.between(-3_600_000, 3_600_000);
    timeline.trace(`the wall clock of ${life.process.name} is set by ${ms} ms`);
    life.process.wallOffset += ms;
  }

  #spoolTrouble(): void {
    const { life } = this.#someone();
    if (!life) return;
    const { timeline } = this.#world;
    timeline.trace(`the disk of ${life.process.name} is full`);
    life.spool.problem = "the disk is full";
    timeline.after(drawMs(this.#world, 500, 10_000), "disk is free", () => {
      life.spool.problem = undefined;
    });
  }
}
