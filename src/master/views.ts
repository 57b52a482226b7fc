// How the API shows jobs, workers and queues: copies of the state, in the words of the routes' schemas.

import { unended } from "../core/commands/end-job.ts";
import { attemptOf, stateOf, workerOf } from "../core/columns.ts";
import type { Job, Queue, State, Worker } from "../core/state.ts";
import { endReason, taskState, taskStates } from "../protocol/model.ts";
import type { TaskCounts } from "../protocol/model.ts";
import type { JobView, QueueView, TaskView, WorkerView } from "../protocol/views.ts";

/** ISO 8601, or null for "not yet". */
export function iso(wall: number): string | null {
  return wall === 0 ? null : new Date(wall).toISOString();
}

export function countsOf(job: Job): TaskCounts {
  const { counts } = job.tasks;
  return {
    waiting: counts[taskState.waiting] ?? 0,
    ready: counts[taskState.ready] ?? 0,
    backoff: counts[taskState.backoff] ?? 0,
    assigned: counts[taskState.assigned] ?? 0,
    succeeded: counts[taskState.succeeded] ?? 0,
    failed: counts[taskState.failed] ?? 0,
    cancelled: counts[taskState.cancelled] ?? 0,
  };
}

export function jobStateOf(job: Job): JobView["state"] {
  if (job.ended !== "") return job.ended;
  if (job.startedWall !== 0) return job.open && unended(job) === 0 ? "open" : "running";
  return job.open ? "open" : "waiting";
}

export function jobView(job: Job): JobView {
  const { spec } = job;
  return {
    id: job.id,
    number: job.number,
    state: jobStateOf(job),
    task: spec.task,
    kind: spec.code.kind,
    queue: spec.queue,
    priority: spec.priority,
    labels: spec.labels,
    namespace: spec.namespace,
    by: spec.by,
    parent: spec.parent,
    retryOf: spec.retryOf,
    after: [...spec.after],
    tasks: job.tasks.count,
    open: job.open,
    counts: countsOf(job),
    attempts: job.attempts,
    attemptsLost: job.attemptsLost,
    runMs: Math.round(job.runMicros / 1000),
    created: new Date(job.createdWall).toISOString(),
    started: iso(job.startedWall),
    ended: iso(job.endedWall),
    retired: false,
  };
}

export function taskView(state: State, job: Job, task: number): TaskView {
  const byte = stateOf(job.tasks, task);
  const worker =
    byte === taskState.assigned ? state.workers.get(workerOf(job.tasks, task)) : undefined;
  const code = job.tasks.run?.reason[task] ?? 0;
  const fence = job.tasks.run?.fence[task] ?? 0;
  return {
    job: job.id,
    task,
    name: `${job.id}/${task}`,
    state: taskStates[byte] ?? "waiting",
    reason: byte >= taskState.succeeded && code !== 0 ? endReason(code).name : null,
    attempt: attemptOf(job.tasks, task),
    worker: worker?.info.id ?? null,
    fence: fence === 0 ? null : fence,
    progress: null,
  };
}

export function workerView(
  worker: Worker,
  live: { connected: boolean; running: number },
): WorkerView {
  const { info } = worker;
  return {
    id: info.id,
    number: worker.number,
    incarnation: info.incarnation,
    state: worker.state,
    hostname: info.hostname,
    pid: info.pid,
    version: info.version,
    node: info.node,
    address: info.address,
    pool: info.pool,
    labels: info.labels,
    amounts: info.amounts,
    used: Object.fromEntries(worker.used),
    assigned: worker.activeCount + worker.aheadCount,
    ahead: worker.aheadCount,
    running: live.running,
    connected: live.connected,
  };
}

export function queueView(queue: Queue): QueueView {
  return {
    name: queue.name,
    paused: queue.paused,
    pausedReason: queue.paused && queue.pausedReason !== "" ? queue.pausedReason : null,
    ...queue.settings,
    waiting: queue.waiting,
    assigned: queue.assigned,
    jobs: queue.jobs,
  };
}
