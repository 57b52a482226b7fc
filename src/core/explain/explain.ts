// Why a task is where it is (P6, S5): at least one reason for every task that is not running, each from the
// very filter or rule that decides. What lies ahead of it: outlook.ts.

import { endReason, taskState, taskStates } from "../../protocol/model.ts";
import type { TaskState } from "../../protocol/model.ts";
import { makeClass } from "../classes.ts";
import { stateOf, workerOf } from "../columns.ts";
import { present } from "../invariants.ts";
import { isSuitable, keyRoom, queueRoom, workerFilters } from "../placement/filters.ts";
import type { Job, State, Worker } from "../state.ts";

export interface Explanation {
  readonly state: TaskState;
  /** One sentence. */
  readonly verdict: string;
  readonly reasons: readonly Reason[];
}

export interface Reason {
  readonly rule: string;
  readonly text: string;
  /** Ids of the workers it speaks of. */
  readonly workers: readonly string[];
}

/** `started`: whether its worker says that the attempt runs, where the caller knows; the journal does not. */
export function explain(
  state: State,
  job: Job,
  task: number,
  time: number,
  started?: boolean,
): Explanation {
  const byte = stateOf(job.tasks, task);
  const name = present(taskStates[byte], `state ${byte}`);
  const reasons =
    byte === taskState.assigned
      ? assigned(state, job, task, started)
      : reasonsFor(state, job, task, time);
  return { state: name, verdict: verdictOf(name, reasons), reasons };
}

function reasonsFor(state: State, job: Job, task: number, time: number): Reason[] {
  const byte = stateOf(job.tasks, task);
  if (byte >= taskState.succeeded) return [ended(job, task)];
  if (job.stopping !== null) {
    return [reason("stopping", `The job is being ended: ${endReason(job.stopping.reason).text}.`)];
  }
  if (byte === taskState.backoff) return [backoff(job, task, time)];
  if (byte === taskState.waiting) return waiting(state, job, task, time);
  return ready(state, job);
}

function reason(rule: string, text: string, workers: readonly string[] = []): Reason {
  return { rule, text, workers };
}

function ended(job: Job, task: number): Reason {
  const code = job.tasks.run?.reason[task] ?? 0;
  return reason("ended", `It has ended: ${endReason(code).text}.`);
}

function assigned(state: State, job: Job, task: number, started?: boolean): Reason[] {
  const worker = state.workers.get(workerOf(job.tasks, task));
  const id = worker?.info.id ?? "?";
  const silent = worker?.state === "suspect";
  const where = silent
    ? `It is with worker ${id}, which has been silent for a few seconds.`
    : started === undefined
      ? `It runs on worker ${id}, or stands in its line there.`
      : started
        ? `It runs on worker ${id}.`
        : `It was sent to worker ${id} and stands in the line there.`;
  const there = reason("assigned", where, [id]);
  const why = chosen(state, job, task);
  return why && !silent ? [there, why] : [there];
}

/** Why there: what placement goes by, as far as the state still shows it. */
function chosen(state: State, job: Job, task: number): Reason | undefined {
  const worker = state.workers.get(workerOf(job.tasks, task));
  if (!worker) return undefined;
  const others = [...state.workers.values()].filter(
    (one) => one !== worker && isSuitable(state, job, one),
  );
  const { id } = worker.info;
  if (others.length === 0) return reason("placed", `${id} is the only one that may run it.`, [id]);
  const all = others.length + 1;
  const own = preferredOf(job, worker);
  const most = Math.max(...others.map((one) => preferredOf(job, one).length));
  const why =
    own.length > most
      ? `has most of the preferred labels: ${own.join(", ")}`
      : "had most room when it was placed, of those with as many preferred labels";
  return reason("placed", `Of ${all} workers that may run it, ${id} ${why}.`, [id]);
}

function preferredOf(job: Job, worker: Worker): string[] {
  const { preferred } = job.spec.needs;
  return Object.keys(preferred)
    .filter((name) => worker.info.labels[name] === preferred[name])
    .map((name) => `${name}=${preferred[name]}`);
}

/** The end of its back-off, in cluster time. */
export function dueOf(job: Job, task: number): number {
  return job.createdTime + (job.tasks.run?.since[task] ?? 0);
}

function backoff(job: Job, task: number, time: number): Reason {
  const due = dueOf(job, task);
  const failures = job.tasks.run?.failures[task] ?? 0;
  const seconds = Math.max(0, Math.ceil((due - time) / 1000));
  return reason(
    "backoff",
    `It failed ${failures} of ${job.spec.retry.attempts} times and tries again in ${seconds} s.`,
  );
}

function waiting(state: State, job: Job, task: number, time: number): Reason[] {
  const reasons: Reason[] = [];
  for (const number of job.waitsFor) {
    const upstream = state.jobs.get(number);
    if (upstream && upstream.ended === "") {
      reasons.push(
        reason("dependency", `It waits for job ${upstream.id} (${upstream.spec.task}) to end.`),
      );
    }
  }
  for (const number of job.pairedWith) {
    const upstream = state.jobs.get(number);
    const done = upstream && stateOf(upstream.tasks, task) === taskState.succeeded;
    if (upstream && !(done && task < upstream.tasks.count)) {
      reasons.push(
        reason("dependency", `It waits for task ${upstream.id}/${task} (${upstream.spec.task}).`),
      );
    }
  }
  if (job.wakeTime > time) {
    const seconds = Math.ceil((job.wakeTime - time) / 1000);
    reasons.push(reason("delay", `It was submitted with a delay, ${seconds} s of which are left.`));
  }
  if (reasons.length === 0)
    reasons.push(reason("waking", "What it waited for is done; it is ready next."));
  return reasons;
}

function ready(state: State, job: Job): Reason[] {
  const queue = present(state.queues.get(job.spec.queue), "queue");
  const reasons: Reason[] = [];
  if (queue.paused) {
    const why = queue.pausedReason === "" ? "" : `: ${queue.pausedReason}`;
    reasons.push(reason("queue", `Queue "${queue.name}" is paused${why}.`));
  } else if (queueRoom(queue) === 0) {
    const { runningMax } = queue.settings;
    reasons.push(reason("queue", `Queue "${queue.name}" runs its limit of ${runningMax} tasks.`));
  }
  const { concurrency } = job.spec;
  if (concurrency !== null && keyRoom(state, job) === 0) {
    reasons.push(
      reason(
        "concurrency",
        `${concurrency.limit} tasks with key "${concurrency.key}" run, its limit.`,
      ),
    );
  }
  return [...reasons, ...byWorkers(state, job)];
}

/** Which filter refused which workers; or that it is next. */
function byWorkers(state: State, job: Job): Reason[] {
  const workers = [...state.workers.values()].filter((worker) => worker.state !== "gone");
  if (workers.length === 0) {
    return [reason("workers", "No worker has joined. Start one: skein worker")];
  }
  const own = state.classes.get(job.classKey) ?? makeClass(job);
  const refused = new Map<string, { filter: string; workers: string[] }>();
  let takers = 0;
  for (const worker of workers) {
    const filter = workerFilters.find((one) => one.refuses(state, job, own, worker) !== undefined);
    const why = filter?.refuses(state, job, own, worker);
    if (filter === undefined || why === undefined) {
      takers++;
      continue;
    }
    const key = `${filter.name}\n${why}`;
    const entry = refused.get(key) ?? { filter: filter.name, workers: [] };
    entry.workers.push(worker.info.id);
    refused.set(key, entry);
  }
  const reasons = [...refused].map(([key, { filter, workers: ids }]) =>
    reason(filter, `${listed(ids)}: ${key.slice(key.indexOf("\n") + 1)}.`, ids),
  );
  if (takers > 0) {
    const before = own.jobs.slice(own.head).filter((number) => number < job.number).length;
    const text =
      before === 0
        ? `It is next in queue "${job.spec.queue}".`
        : `${before} older jobs of queue "${job.spec.queue}" with the same needs go first.`;
    reasons.unshift(reason("order", text));
  }
  return reasons;
}

function listed(ids: readonly string[]): string {
  const shown = ids.slice(0, 5).join(", ");
  return ids.length > 5 ? `${shown} and ${ids.length - 5} more` : shown;
}

function verdictOf(state: TaskState, reasons: readonly Reason[]): string {
  const first = reasons[0]?.text ?? "";
  if (state === "ready" && reasons.every(({ rule }) => rule === "size" || rule === "labels")) {
    return `No worker can ever run it as things are. ${first}`;
  }
  return first;
}
