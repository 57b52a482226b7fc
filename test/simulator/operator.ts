// The operator: pauses and limits queues, drains workers, cancels jobs and tasks. When the faults are over he
// takes back whatever would keep work from ending.

import { SimApi } from "./api.ts";
import { queueNames } from "./plans.ts";
import type { World } from "./world.ts";

export class Operator {
  #busy = 0;
  readonly #world: World;
  readonly #api: SimApi;

  constructor(world: World) {
    this.#world = world;
    this.#api = new SimApi(world, "operator");
    if (world.knobs.operatorMs > 0) this.#next();
  }

  get idle(): boolean {
    return this.#busy === 0;
  }

  #next(): void {
    const { timeline, random, knobs } = this.#world;
    const gap = knobs.operatorMs * 2 * random.operator.float();
    timeline.after(gap, "operator", () => {
      if (this.#world.calm) return;
      this.#act();
      this.#next();
    });
  }

  #act(): void {
    const { random } = this.#world;
    const what = random.operator.between(0, 9);
    if (what <= 1) this.#setQueue(true, {});
    else if (what <= 3) this.#setQueue(false, {});
    else if (what === 4) this.#setQueue(null, { runningMax: random.operator.between(0, 4) });
    else if (what === 5)
      this.#setQueue(null, { weight: random.operator.pick([500, 1_000, 4_000]) });
    else if (what === 6) this.#drain();
    else if (what === 7) this.#drain(true);
    else if (what === 8) this.#cancelJob();
    else this.#cancelTask();
  }

  #setQueue(paused: boolean | null, settings: { runningMax?: number; weight?: number }): void {
    const name = this.#world.random.operator.pick(queueNames);
    this.#world.timeline.trace(`operator: ${name} ${paused} ${JSON.stringify(settings)}`);
    this.#queue(name, paused, settings);
  }

  #queue(name: string, paused: boolean | null, settings: { runningMax?: number }): void {
    this.#busy++;
    this.#api.insist(
      () => ({
        kind: "setQueue",
        name,
        namespace: "default",
        by: "operator",
        settings,
        paused,
        pausedReason: "",
      }),
      () => {},
      () => void this.#busy--,
    );
  }

  #drain(undo = false): void {
    const { random, checker } = this.#world;
    const workers = [...checker.shadow.workers.keys()];
    if (workers.length === 0) return;
    const deadlineMs = random.operator.pick([0, 0, 3_000]);
    const exit = random.operator.chance(0.3);
    this.#drainOne(random.operator.pick(workers), { undo, deadlineMs, exit });
  }

  #drainOne(worker: number, how: { undo: boolean; deadlineMs: number; exit: boolean }): void {
    if (how.undo && this.#leaves(worker)) return;
    this.#world.timeline.trace(`operator: drains ${worker} ${JSON.stringify(how)}`);
    this.#busy++;
    this.#api.insist(
      () => ({ kind: "drain", worker, ...how, undo: how.undo && !this.#leaves(worker) }),
      () => {},
      () => void this.#busy--,
    );
  }

  /** The protocol has no word for it: whoever takes back a leaving worker's own drain gets its work sent back. */
  #leaves(worker: number): boolean {
    const id = this.#world.checker.shadow.workers.get(worker)?.info.id;
    return this.#world.workers.find(({ plan }) => plan.id === id)?.life?.leaves === true;
  }

  #cancelJob(): void {
    const job = this.#someJob();
    if (job === undefined) return;
    this.#world.timeline.trace(`operator: cancels job ${job}`);
    this.#busy++;
    this.#api.insist(
      () => ({ kind: "cancelJob", job, reason: "cancelled" }),
      (answer) => {
        if (answer.ok) this.#world.checker.cancelAcked(job, null);
      },
      () => void this.#busy--,
    );
  }

  #cancelTask(): void {
    const job = this.#someJob();
    if (job === undefined) return;
    const count = this.#world.checker.shadow.jobs.get(job)?.tasks.count ?? 0;
    const task = this.#world.random.operator.between(0, Math.max(0, count - 1));
    this.#world.timeline.trace(`operator: cancels task ${job}/${task}`);
    this.#busy++;
    this.#api.insist(
      () => ({ kind: "cancelTask", job, task }),
      (answer) => {
        if (answer.ok) this.#world.checker.cancelAcked(job, task);
      },
      () => void this.#busy--,
    );
  }

  #someJob(): number | undefined {
    const { checker, random } = this.#world;
    const jobs = [...checker.shadow.jobs.values()].filter(({ ended }) => ended === "");
    return jobs.length === 0 ? undefined : random.operator.pick(jobs).number;
  }

  /** The faults are over: nothing stays paused, limited or drained. */
  calm(): void {
    for (const name of queueNames) this.#queue(name, false, { runningMax: 0 });
    this.#undrain();
  }

  /** What was on its way when the faults were over may have come later. */
  keepCalm(): void {
    for (const { name, paused, settings } of this.#world.checker.shadow.queues.values()) {
      if (paused || settings.runningMax > 0) this.#queue(name, false, { runningMax: 0 });
    }
    this.#undrain();
  }

  #undrain(): void {
    for (const worker of this.#world.checker.shadow.workers.values()) {
      if (worker.state !== "draining" && worker.state !== "drained") continue;
      this.#drainOne(worker.number, { undo: true, deadlineMs: 0, exit: false });
    }
  }
}
