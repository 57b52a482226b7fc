// The smallest change that would let a ready task run: nothing where time alone helps. Each step is what a person
// can do with one command; all of them are needed, and when they are done placement assigns the task (a test holds
// it to that).

import type { Amounts, Labels } from "../../protocol/model.ts";
import { makeClass } from "../classes.ts";
import { present } from "../invariants.ts";
import { keyRoom, workerFilters } from "../placement/filters.ts";
import type { Job, State, Worker } from "../state.ts";
import type { InLine } from "./in-line.ts";

export type Change =
  | { readonly kind: "resume"; readonly queue: string }
  | { readonly kind: "runningMax"; readonly queue: string; readonly to: number }
  /** A worker that drains takes work again. */
  | { readonly kind: "undrain"; readonly worker: string }
  /** A worker that lacks labels is started anew with them. */
  | { readonly kind: "label"; readonly worker: string; readonly labels: Labels }
  /** Another worker, at least so large. */
  | { readonly kind: "worker"; readonly amounts: Amounts; readonly labels: Labels };

export function smallestChange(state: State, job: Job, line: InLine): readonly Change[] {
  // A key's other attempts must end first, whatever is changed.
  if (keyRoom(state, job) === 0) return [];
  const queue = present(state.queues.get(job.spec.queue), "queue");
  const steps: Change[] = [];
  if (queue.paused) steps.push({ kind: "resume", queue: queue.name });
  const { runningMax } = queue.settings;
  const full = runningMax > 0 && queue.assigned >= runningMax;
  if (full) steps.push({ kind: "runningMax", queue: queue.name, to: queue.assigned + 1 });
  const where = whereItRuns(state, job);
  if (where === "later") {
    // Other tasks keep it waiting, here or in the line: more room helps at once only who is next.
    return steps.length > 0 || line.tasks > 0 ? steps : [anotherWorker(job)];
  }
  return where === "now" ? steps : [...steps, where];
}

/** "now": a worker would take it; "later": one will, by itself; else what makes one take it. */
function whereItRuns(state: State, job: Job): "now" | "later" | Change {
  const own = state.classes.get(job.classKey) ?? makeClass(job);
  const workers = [...state.workers.values()].filter(
    ({ state: is }) => is !== "gone" && is !== "lost",
  );
  const refusedBy = (worker: Worker) =>
    workerFilters
      .filter(({ refuses }) => refuses(state, job, own, worker) !== undefined)
      .map(({ name }) => name);
  const all = workers.map((worker) => ({ worker, by: refusedBy(worker) }));
  if (all.some(({ by }) => by.length === 0)) return "now";
  const passing = (names: readonly string[]) =>
    !names.includes("labels") && !names.includes("size");
  const drains = ({ state: is }: Worker) => is === "draining" || is === "drained";
  if (all.some(({ worker, by }) => passing(by) && !drains(worker))) return "later";
  const idle = all.filter(({ worker }) => worker.activeCount === 0 && worker.aheadCount === 0);
  const drained = idle.find(({ worker, by }) => passing(by) && drains(worker));
  if (drained) return { kind: "undrain", worker: drained.worker.info.id };
  const unlabelled = idle.find(({ by }) => by.length === 1 && by[0] === "labels");
  if (unlabelled) {
    const { info } = unlabelled.worker;
    return {
      kind: "label",
      worker: info.id,
      labels: { ...info.labels, ...job.spec.needs.required },
    };
  }
  return anotherWorker(job);
}

function anotherWorker(job: Job): Change {
  const amounts = Object.fromEntries(job.amounts);
  return { kind: "worker", amounts, labels: { ...job.spec.needs.required } };
}
