// Which tasks of a job in the state a filter holds for: asked of columns, task by task, without making a view of each;
// and how many, from counters where they say it (E2).

import { stateOf, workerOf } from "../../core/columns.ts";
import type { Job, State } from "../../core/state.ts";
import { holds } from "../../protocol/filter.ts";
import type { Term } from "../../protocol/filter.ts";
import { endReason, taskState, taskStates } from "../../protocol/model.ts";
import type { Master } from "../context.ts";
import { isRunning } from "./tasks.ts";

/** Tasks that one answer looks at: what a loop turn can spare. */
export const liveScanMax = 1_000_000;

export interface Counted {
  readonly total: number;
  /** How many of the first tasks were counted, where that is not all. */
  readonly of: number | undefined;
  /** Tasks that were looked at for it. */
  readonly looked: number;
}

export class TaskSieve {
  readonly #master: Master;
  readonly #state: State;
  readonly #others: readonly Term[];
  /** By taskState: whether it fits, and whether it does once a worker says that it has begun. */
  readonly #fits: readonly boolean[];
  readonly #fitsBegun: boolean;

  constructor(master: Master, state: State, terms: readonly Term[]) {
    this.#master = master;
    this.#state = state;
    const onState = terms.filter(({ field }) => field === "state");
    this.#others = terms.filter(({ field }) => field !== "state");
    this.#fits = taskStates.map((name) => holds(onState, () => name));
    // One that runs is `assigned` as well: that is what the journal knows of it.
    this.#fitsBegun = onState.every(
      (term) =>
        term.kind === "is" &&
        (term.values.includes("running") || term.values.includes("assigned")) !== term.not,
    );
  }

  /** Whether some task of this job may fit, as its counters say. */
  mayFit({ tasks }: Job): boolean {
    return taskStates.some((_, byte) => (tasks.counts[byte] ?? 0) > 0 && this.#mayFitState(byte));
  }

  #mayFitState(byte: number): boolean {
    return (this.#fits[byte] ?? false) || (byte === taskState.assigned && this.#fitsBegun);
  }

  fits(job: Job, task: number): boolean {
    const byte = stateOf(job.tasks, task);
    return this.#fitsState(job, task, byte) && this.#fitsOthers(job, task, byte);
  }

  #fitsState(job: Job, task: number, byte: number): boolean {
    const fits = this.#fits[byte] ?? false;
    if (byte !== taskState.assigned || fits === this.#fitsBegun) return fits;
    return isRunning(this.#master, job, task) ? this.#fitsBegun : fits;
  }

  #fitsOthers({ tasks }: Job, task: number, byte: number): boolean {
    if (this.#others.length === 0) return true;
    return holds(this.#others, (field) => {
      if (field === "reason") return byte < taskState.succeeded ? null : reasonName(tasks, task);
      if (byte !== taskState.assigned) return null;
      return this.#state.workers.get(workerOf(tasks, task))?.info.id;
    });
  }

  /** Whether a task that has ended may fit. */
  get mayFitEnded(): boolean {
    return this.#fits.some((fits, byte) => fits && byte >= taskState.succeeded);
  }

  count(job: Job, most = liveScanMax): Counted {
    const { count, counts } = job.tasks;
    if (!this.mayFit(job)) return { total: 0, of: undefined, looked: 0 };
    const split = this.#fits[taskState.assigned] !== this.#fitsBegun;
    if (this.#others.length === 0 && (!split || counts[taskState.assigned] === 0)) {
      const total = taskStates.reduce(
        (sum, _, byte) => sum + (this.#fits[byte] ? (counts[byte] ?? 0) : 0),
        0,
      );
      return { total, of: undefined, looked: 0 };
    }
    let total = 0;
    const end = Math.min(count, most);
    for (let task = 0; task < end; task++) if (this.fits(job, task)) total++;
    return { total, of: end < count ? end : undefined, looked: end };
  }
}

function reasonName({ run }: Job["tasks"], task: number): string | null {
  const code = run?.reason[task] ?? 0;
  return code === 0 ? null : endReason(code).name;
}
