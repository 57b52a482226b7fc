// Nemeses (high-availability.md §4.4): each comes now and then, as often as the seed's knobs say.

import type { FaultRates } from "./knobs.ts";
import type { SimWorker, WorkerLife } from "./worker.ts";
import type { World } from "./world.ts";

export class Faults {
  readonly #world: World;
  /** Until when a worker is in trouble already: in some profiles troubles must not add up. */
  readonly #troubledUntil = new Map<SimWorker, number>();

  constructor(world: World) {
    this.#world = world;
    const acts: { readonly [kind in keyof FaultRates]: () => void } = {
      masterCrash: () => this.#masterCrash(),
      masterStall: () => world.master.life?.process.stall(this.#ms(50, 40_000)),
      journalStall: () => this.#journalStall(),
      workerCrash: () => this.#workerCrash("process"),
      machineCrash: () => this.#workerCrash("machine"),
      workerStall: () => this.#trouble((worker, ms) => worker.life?.process.stall(ms)),
      workerLeaves: () => this.#leave(),
      slotCrash: () => this.#slotCrash(),
      netCut: () => this.#trouble((worker, ms) => this.#cut(worker, ["up", "down"], ms)),
      netOneWay: () => this.#oneWay(),
      netReset: () => this.#someone().wire.reset(),
      storm: () => this.#storm(),
      clockStep: () => this.#clockStep(),
      spoolTrouble: () => this.#spoolTrouble(),
    };
    for (const kind of Object.keys(acts) as (keyof FaultRates)[]) {
      if (world.knobs.rates[kind] > 0) this.#repeat(kind, acts[kind]);
    }
  }

  #repeat(kind: keyof FaultRates, act: () => void): void {
    const { timeline, random, knobs } = this.#world;
    timeline.after(knobs.rates[kind] * 2 * random.faults.float(), kind, () => {
      if (this.#world.calm) return;
      act();
      this.#repeat(kind, act);
    });
  }

  /** More often short than long. */
  #ms(least: number, most: number): number {
    const share = this.#world.random.faults.float();
    return Math.round(least + (most - least) * share * share);
  }

  #someone(): SimWorker {
    return this.#world.random.faults.pick(this.#world.workers);
  }

  #masterCrash(): void {
    const { master, timeline } = this.#world;
    if (!master.life) return;
    master.crash();
    timeline.after(this.#ms(20, 8_000), "master starts", () => master.start());
  }

  #journalStall(): void {
    const { journal, timeline } = this.#world;
    const ms = this.#ms(100, 60_000);
    timeline.trace(`the journal stalls for ${ms} ms`);
    journal.stalledUntil = timeline.now + ms;
  }

  #workerCrash(how: "process" | "machine"): void {
    const worker = this.#someone();
    this.#world.killWorker(worker.plan.id, how);
    if (how === "machine" && this.#world.random.faults.chance(0.3)) worker.spool = [];
  }

  /** SIGTERM: the worker gives back what has not started, and asks the leader for a drain (worker.ts). */
  #leave(): void {
    const { life, plan } = this.#someone();
    if (!life) return;
    const deadlineMs = this.#world.random.faults.pick([0, 2_000]);
    this.#world.timeline.trace(`${life.process.name} is told to leave`);
    life.leaves = true;
    life.process.enter("SIGTERM", () => {
      life.agent.leave("told to leave", deadlineMs);
      this.#tellDrain(plan.id, life, deadlineMs);
    });
  }

  #tellDrain(id: string, life: WorkerLife, deadlineMs: number): void {
    const { api, checker, timeline } = this.#world;
    const worker = checker.shadow.workerNumbers.get(id);
    if (!life.process.alive) return;
    // Until it is taken: a worker that nobody knows yet, or that counts as lost, says so again.
    const again = () =>
      void timeline.after(500, "tells again", () => this.#tellDrain(id, life, deadlineMs));
    if (worker === undefined) return again();
    const drain = { kind: "drain", worker, deadlineMs, exit: true, undo: false } as const;
    api.call(
      () => drain,
      () => {},
      (answer) => {
        if (answer === null || !answer.ok) again();
      },
    );
  }

  #slotCrash(): void {
    const { life } = this.#someone();
    if (!life || life.process.stopped) return;
    const slots = [...life.executor.slots];
    if (slots.length > 0) this.#world.random.faults.pick(slots).crash("killed");
  }

  #trouble(act: (worker: SimWorker, ms: number) => void): void {
    const { timeline, knobs } = this.#world;
    const worker = this.#someone();
    const ms = this.#ms(50, knobs.silenceMaxMs);
    if (knobs.profile === "short silence") {
      if ((this.#troubledUntil.get(worker) ?? 0) > timeline.now) return;
      this.#troubledUntil.set(worker, timeline.now + ms + 20_000);
    }
    act(worker, ms);
  }

  #oneWay(): void {
    const direction = this.#world.random.faults.pick(["up", "down"] as const);
    this.#trouble((worker, ms) => this.#cut(worker, [direction], ms));
  }

  #cut(worker: SimWorker, directions: readonly ("up" | "down")[], ms: number): void {
    this.#world.timeline.trace(
      `the network to ${worker.plan.id} is cut ${directions.join()} for ${ms} ms`,
    );
    for (const direction of directions) worker.wire.block(direction, ms);
  }

  /** All workers register anew while the journal is slow: much happens between their words and its answer. */
  #storm(): void {
    const { journal, timeline, workers } = this.#world;
    const ms = this.#ms(50, 4_000);
    timeline.trace(`all connections are reset, the journal stalls for ${ms} ms`);
    for (const { wire } of workers) wire.reset();
    timeline.after(this.#world.random.faults.float() * 300, "the journal stalls", () => {
      journal.stalledUntil = Math.max(journal.stalledUntil, timeline.now + ms);
    });
  }

  #clockStep(): void {
    const { random, master, timeline } = this.#world;
    const ms = random.faults.between(-3_600_000, 3_600_000);
    const process = random.faults.chance(0.5)
      ? master.life?.process
      : this.#someone().life?.process;
    if (!process) return;
    timeline.trace(`the wall clock of ${process.name} is set by ${ms} ms`);
    process.wallOffset += ms;
  }

  #spoolTrouble(): void {
    const { life } = this.#someone();
    if (!life) return;
    const { timeline } = this.#world;
    timeline.trace(`the disk of ${life.process.name} is full`);
    life.spool.problem = "the disk is full";
    timeline.after(this.#ms(500, 10_000), "disk is free", () => {
      life.spool.problem = undefined;
    });
  }
}
