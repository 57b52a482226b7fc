// Which attempts that were sent ahead should come back: those in the way of more urgent work, and those that
// wait while another worker idles (W8). A recall decides nothing: what comes back is an entry then.

import { fitCount } from "../accounting.ts";
import { present } from "../invariants.ts";
import type { Job, State, TaskClass, Worker } from "../state.ts";
import { isRecalled } from "./ahead.ts";
import { isEligible } from "./filters.ts";
import { makeClass } from "../classes.ts";
import type { PlaceOptions } from "./place.ts";

export interface Recall {
  readonly worker: number;
  readonly job: number;
  readonly count: number;
}

/** `stuck` are classes with ready tasks that found no room. */
export function recallsFor(
  state: State,
  stuck: readonly TaskClass[],
  { recalling, resting }: Pick<PlaceOptions, "recalling" | "resting">,
): Recall[] {
  const busy = [...state.workers.values()].filter(
    (worker) => worker.aheadCount > 0 && worker.state === "active" && !recalling.has(worker.number),
  );
  if (busy.length === 0) return [];
  const recalls: Recall[] = [];
  makeWay(state, stuck, busy, recalls);
  balance(state, busy, resting, recalls);
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
function balance(
  state: State,
  busy: readonly Worker[],
  resting: ReadonlySet<number>,
  recalls: Recall[],
): void {
  const recalled = new Set(recalls.map(({ worker }) => worker));
  // The longest line first; the sort is stable, so that equal ones keep the order of their numbers.
  const from = busy
    .filter(({ number }) => !recalled.has(number))
    .toSorted((a, b) => b.aheadCount - a.aheadCount);
  let next = 0;
  for (const helper of state.workers.values()) {
    const idles = helper.state === "active" && helper.term === state.term;
    if (!idles || helper.aheadCount > 0 || resting.has(helper.number)) continue;
    const worker = from[next];
    const run = worker?.ahead[worker.ahead.length - 1];
    if (!worker || !run) return;
    const job = present(state.jobs.get(run.job), `job ${run.job}`);
    if (!couldHelp(state, job, helper)) continue;
    recalls.push({ worker: worker.number, job: run.job, count: Math.ceil(run.count / 2) });
    next++;
  }
}

function couldHelp(state: State, job: Job, helper: Worker): boolean {
  if (fitCount(helper, job.amounts, 1) === 0) return false;
  const own = state.classes.get(job.classKey);
  if (own) return own.ready === 0 && isEligible(state, job, own, helper);
  return isEligible(state, job, makeClass(job), helper);
}
