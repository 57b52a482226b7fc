// Who holds which amounts. An attempt assigned to a worker is active (it holds its amounts) or ahead (it
// holds nothing and follows in the order sent, W8). Which attempt of a job is which does not matter: what is
// counted is how many of each job, and the worker promotes in the same order.
//
//   C1. For each worker and name: used = sum over active attempts, and used ≤ total as registered.
//   C2. An attempt is promoted only when it is the first of those ahead, and fits.

import { assert, present } from "./invariants.ts";
import type { Amount, Job, State, Worker } from "./state.ts";

/** How many more attempts with these amounts fit into what is free; at least 0. */
export function fitCount(worker: Worker, amounts: readonly Amount[], most: number): number {
  let fit = most;
  for (const [name, amount] of amounts) {
    const free = (worker.total.get(name) ?? 0) - (worker.used.get(name) ?? 0);
    fit = Math.min(fit, Math.floor(free / amount));
    if (fit <= 0) return 0;
  }
  return fit;
}

/** How many attempts with these amounts the worker could hold if it were empty. */
export function slotCount(worker: Worker, amounts: readonly Amount[], most: number): number {
  let fit = most;
  for (const [name, amount] of amounts) {
    fit = Math.min(fit, Math.floor((worker.total.get(name) ?? 0) / amount));
  }
  return Math.max(0, fit);
}

/** Books `count` new attempts: active as far as they fit and nobody is ahead of them. */
export function book(state: State, worker: Worker, job: Job, count: number): void {
  const fit = worker.aheadCount > 0 ? 0 : fitCount(worker, job.amounts, count);
  if (fit > 0) activate(state, worker, job, fit);
  if (fit < count) {
    const last = worker.ahead[worker.ahead.length - 1];
    if (last?.job === job.number) last.count += count - fit;
    else worker.ahead.push({ job: job.number, count: count - fit });
    worker.aheadCount += count - fit;
  }
}

/** `count` attempts of the job on this worker are over: frees amounts, promotes those ahead. */
export function unbook(state: State, worker: Worker, job: Job, count: number): void {
  const active = worker.active.get(job.number) ?? 0;
  const fromActive = Math.min(active, count);
  if (fromActive > 0) deactivate(state, worker, job, fromActive);
  if (fromActive < count) takeAhead(worker, job.number, count - fromActive, "front");
  promote(state, worker);
}

/** `count` attempts of the job were given back unstarted: the last ones ahead, else active ones. */
export function unbookUnstarted(state: State, worker: Worker, job: Job, count: number): void {
  const taken = takeAhead(worker, job.number, count, "back");
  if (taken < count) deactivate(state, worker, job, count - taken);
  promote(state, worker);
}

/** Nothing is assigned here any more. */
export function unbookAll(state: State, worker: Worker): void {
  for (const [number, count] of [...worker.active]) {
    deactivate(state, worker, present(state.jobs.get(number), `job ${number}`), count);
  }
  worker.ahead = [];
  worker.aheadCount = 0;
}

function activate(state: State, worker: Worker, job: Job, count: number): void {
  const queue = present(state.queues.get(job.spec.queue), `queue ${job.spec.queue}`);
  for (const [name, amount] of job.amounts) {
    worker.used.set(name, (worker.used.get(name) ?? 0) + amount * count);
    queue.used.set(name, (queue.used.get(name) ?? 0) + amount * count);
  }
  worker.active.set(job.number, (worker.active.get(job.number) ?? 0) + count);
  worker.activeCount += count;
}

function deactivate(state: State, worker: Worker, job: Job, count: number): void {
  const active = worker.active.get(job.number) ?? 0;
  assert(
    active >= count,
    `worker ${worker.info.id} holds ${active} of job ${job.id}, not ${count}`,
  );
  const queue = present(state.queues.get(job.spec.queue), `queue ${job.spec.queue}`);
  for (const [name, amount] of job.amounts) {
    worker.used.set(name, (worker.used.get(name) ?? 0) - amount * count);
    queue.used.set(name, (queue.used.get(name) ?? 0) - amount * count);
  }
  if (active === count) worker.active.delete(job.number);
  else worker.active.set(job.number, active - count);
  worker.activeCount -= count;
}

function takeAhead(worker: Worker, job: number, count: number, end: "front" | "back"): number {
  let left = count;
  const order = end === "front" ? worker.ahead : worker.ahead.toReversed();
  for (const run of order) {
    if (left === 0) break;
    if (run.job !== job) continue;
    const taken = Math.min(run.count, left);
    run.count -= taken;
    left -= taken;
  }
  if (left < count) {
    if (worker.ahead.some((run) => run.count === 0)) {
      worker.ahead = worker.ahead.filter((run) => run.count > 0);
    }
    worker.aheadCount -= count - left;
  }
  return count - left;
}

function promote(state: State, worker: Worker): void {
  let promoted = 0;
  for (const run of worker.ahead) {
    const job = present(state.jobs.get(run.job), `job ${run.job}`);
    const fit = fitCount(worker, job.amounts, run.count);
    if (fit > 0) activate(state, worker, job, fit);
    run.count -= fit;
    promoted += fit;
    if (run.count > 0) break;
  }
  if (promoted === 0) return;
  worker.aheadCount -= promoted;
  if (worker.ahead[0]?.count === 0) worker.ahead = worker.ahead.filter((run) => run.count > 0);
}
