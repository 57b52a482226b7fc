// Looks once a second whether workers run what they should not: an attempt that is not its task's current one, or
// whose task has ended. With a sound connection it must be over within the grace that a killed attempt has.

import { attemptOf, stateOf, workerOf } from "../../src/core/columns.ts";
import { limits } from "../../src/protocol/limits.ts";
import { taskState } from "../../src/protocol/model.ts";
import type { SimWorker } from "./worker.ts";
import type { World } from "./world.ts";

const lookMs = 1_000;
const patienceMs = limits.killGraceMs + 5_000;

export class Watchdog {
  readonly #world: World;
  /** Since when an attempt runs in vain on a worker with a sound connection. */
  readonly #since = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.#look();
  }

  #look(): void {
    const { timeline, workers } = this.#world;
    for (const worker of workers) this.#lookAt(worker);
    timeline.after(lookMs, "watchdog", () => this.#look());
  }

  #lookAt(worker: SimWorker): void {
    const { timeline } = this.#world;
    const vain = this.#isSound(worker) ? this.#inVain(worker) : new Set<string>();
    for (const key of this.#since.keys()) {
      if (key.startsWith(`${worker.plan.id} `) && !vain.has(key)) this.#since.delete(key);
    }
    for (const key of vain) {
      const since = this.#since.get(key) ?? timeline.now;
      this.#since.set(key, since);
      this.#world.check(timeline.now - since < patienceMs, `K6: ${key} goes on in vain`);
    }
  }

  /** Nothing stands between the worker and the journal. */
  #isSound({ life, node }: SimWorker): boolean {
    const { leader, store, timeline, network } = this.#world;
    if (life?.process.stopped !== false || leader?.life?.process.stopped !== false) return false;
    const wire = network.between(node, leader.node);
    return life.leader === leader && wire.isSound && leader.engine.isSound(timeline.now, store);
  }

  #inVain({ life, plan }: SimWorker): Set<string> {
    const { shadow } = this.#world.checker;
    const vain = new Set<string>();
    const number = shadow.workerNumbers.get(plan.id) ?? 0;
    for (const { job, running } of life?.executor.slots ?? []) {
      if (!running) continue;
      const tasks = shadow.jobs.get(job.number)?.tasks;
      const { task, attempt } = running;
      const isCurrent =
        tasks !== undefined &&
        stateOf(tasks, task) === taskState.assigned &&
        attemptOf(tasks, task) === attempt &&
        workerOf(tasks, task) === number;
      if (!isCurrent) vain.add(`${plan.id} ${job.number}/${task}#${attempt}`);
    }
    return vain;
  }
}
