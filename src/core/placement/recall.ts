// Which attempts that were sent ahead should come back: those in the way of more urgent work, and those that
// wait while another worker idles (W8). A recall decides nothing: what comes back is an entry then.

import { fitCount } from "../accounting.ts";
import { present } from "../invariants.ts";
import type { Job, State, TaskClass, Worker } from "../state.ts";
import { isRecalled } from "./ahead.ts";
import { isEligible } from "./filters.ts";
import { makeClass } from "../classes.ts";

export interface Recall {
  readonly worker: number;
  readonly job: number;
  readonly count: number;
}

/** `stuck` are classes with ready tasks that found no room. */
export function recallsFor(
  state: State,
  stuck: readonly TaskClass[],
  recalling: ReadonlySet<number>,
): Recall[] {
  const busy = [...state.workers.values()].filter(
    (worker) => worker.aheadCount > 0 && worker.state === "active" && !recalling.has(worker.number),
  );
  if (busy.length === 0) return [];
  const recalls: Recall[] = [];
  makeWay(state, stuck, busy, recalls);
  balance(state, busy, recalls);
  return recalls;
}

/** More urgent tasks wait: less urgent ones of the same queue that are ahead come back. */
function makeWay(
  state: State,
  stuck: readonly TaskClass[],
  busy: readonly Worker[],
  recalls: Recall[],
): void {
  if (stuck.length === 0) return;
  for (const worker of busy) {
    for (const { job: number, count } of worker.ahead) {
      const job = present(state.jobs.get(number), `job ${number}`);
      if (!isRecalled(state, job, worker, stuck)) continue;
      recalls.push({ worker: worker.number, job: number, count });
    }
  }
}

/** A worker idles while another has work ahead that it could do: half of that comes back. */
function balance(state: State, busy: readonly Worker[], recalls: Recall[]): void {
  const idle = [...state.workers.values()].filter(
    (worker) => worker.state === "active" && worker.term === state.term && worker.aheadCount === 0,
  );
  for (const helper of idle) {
    const from = busy
      .filter((worker) => !recalls.some((recall) => recall.worker === worker.number))
      .reduce<Worker | undefined>(
        (most, worker) => (worker.aheadCount > (most?.aheadCount ?? 0) ? worker : most),
        undefined,
      );
    const run = from?.ahead[from.ahead.length - 1];
    if (!from || !run) return;
    const job = present(state.jobs.get(run.job), `job ${run.job}`);
    if (!couldHelp(state, job, helper)) continue;
    recalls.push({ worker: from.number, job: run.job, count: Math.ceil(run.count / 2) });
  }
}

function couldHelp(state: State, job: Job, helper: Worker): boolean {
  if (fitCount(helper, job.amounts, 1) === 0) return false;
  const own = state.classes.get(job.classKey);
  if (own) return own.ready === 0 && isEligible(state, job, own, helper);
  return isEligible(state, job, makeClass(job), helper);
}
