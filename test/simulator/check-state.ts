// Recounts a state from its columns: whatever is kept as a number must be what counting gives. Throws with the
// first difference. Also holds what is derived (timers, unsettled, sweeping) against what it must cover.

import { stateOf, isHeld, sumTask, workerOf } from "../../src/core/columns.ts";
import {
  bytesOfPart,
  bytesPerJob,
  bytesPerPayload,
  bytesPerUse,
  runBytesPerTask,
  stateBytesPerTask,
} from "../../src/core/columns.ts";
import { createDigestMemory, digest } from "../../src/core/digest.ts";
import { tasksOn } from "../../src/core/on-worker.ts";
import { sumAnew } from "../../src/core/sums.ts";
import type { Job, Queue, State, Worker } from "../../src/core/state.ts";
import { taskState } from "../../src/protocol/model.ts";

/** The digest of a state, computed whole, without touching what belongs to the state's owner. */
export function digestOf(state: State): string {
  const touched = { jobs: new Set(state.jobs.keys()), workers: new Set(state.workers.keys()) };
  return digest({ ...state, touched }, createDigestMemory());
}

/** Where attempts are, counted from the columns. */
interface Counted {
  /** worker → job → attempts assigned or held. */
  readonly onWorkers: Map<number, Map<number, number>>;
  readonly keys: Map<string, { active: number; jobs: number }>;
  readonly queues: Map<string, { jobs: number; waiting: number; assigned: number }>;
  readonly classes: Map<string, { ready: number; jobs: number[] }>;
  readonly payloads: Map<string, number>;
  bytes: number;
}

export function assertState(state: State): void {
  const counted: Counted = {
    onWorkers: new Map(),
    keys: new Map(),
    queues: new Map(),
    classes: new Map(),
    payloads: new Map(),
    bytes: 0,
  };
  for (const job of state.jobs.values()) checkJob(state, job, counted);
  for (const worker of state.workers.values()) checkWorker(state, worker, counted);
  for (const queue of state.queues.values()) checkQueue(state, queue, counted);
  checkClasses(state, counted);
  checkKeys(state, counted);
  checkPayloads(state, counted);
  same(state.bytes, counted.bytes, "bytes");
  checkFinished(state);
  for (const job of state.jobs.values()) checkProgress(state, job);
}

class Miscount extends Error {
  override readonly name = "Miscount";
}

function same(found: number | string, expected: number | string, what: string): void {
  if (found !== expected) throw new Miscount(`${what}: it says ${found}, counted ${expected}`);
}

function holds(condition: boolean, what: string): void {
  if (!condition) throw new Miscount(what);
}

// ── jobs ─────────────────────────────────────────────────────────────────────────────────

function checkJob(state: State, job: Job, counted: Counted): void {
  const { tasks } = job;
  const name = `job ${job.number}`;
  const counts = [0, 0, 0, 0, 0, 0, 0];
  let held = 0;
  const copy = { ...job, sumA: 0, sumB: 0 };
  for (let task = 0; task < tasks.count; task++) {
    const byte = stateOf(tasks, task);
    counts[byte] = (counts[byte] ?? 0) + 1;
    sumTask(copy, task, 1);
    const isOn = byte === taskState.assigned || isHeld(tasks, task);
    if (isHeld(tasks, task)) held++;
    if (isOn) countAttempt(state, job, task, counted);
    else if (byte < taskState.assigned) {
      same(workerOf(tasks, task), 0, `${name}/${task} is on no worker`);
    }
    if (byte === taskState.ready) holds(task >= tasks.readyFrom, `${name}: readyFrom is too far`);
  }
  for (const [byte, count] of counts.entries()) {
    same(tasks.counts[byte] ?? 0, count, `${name} counts[${byte}]`);
  }
  same(tasks.held, held, `${name} held`);
  same(job.sumA, copy.sumA, `${name} sumA`);
  same(job.sumB, copy.sumB, `${name} sumB`);
  sumAnew(copy);
  same(job.otherA, copy.otherA, `${name} otherA`);
  same(job.otherB, copy.otherB, `${name} otherB`);
  checkParts(job, counted);
  checkEnd(state, job, counts);
  countJob(job, counts, held, counted);
}

function countAttempt(state: State, job: Job, task: number, counted: Counted): void {
  const number = workerOf(job.tasks, task);
  const worker = state.workers.get(number);
  const where = `task ${job.number}/${task}`;
  holds(worker !== undefined, `${where} is on worker ${number}, which does not exist`);
  holds(worker?.state !== "lost" && worker?.state !== "gone", `${where} is on a lost worker`);
  const jobs = counted.onWorkers.get(number) ?? new Map<number, number>();
  counted.onWorkers.set(number, jobs);
  jobs.set(job.number, (jobs.get(job.number) ?? 0) + 1);
}

function checkParts(job: Job, counted: Counted): void {
  let first = 0;
  for (const [i, part] of job.parts.entries()) {
    const where = `job ${job.number} part ${i}`;
    same(part.first, first, `${where} first`);
    first += part.count;
    let left = 0;
    for (let task = part.first; task < first; task++) {
      if (stateOf(job.tasks, task) < taskState.succeeded) left++;
    }
    same(part.left, left, `${where} left`);
    if (part.count > 0)
      holds((part.bytes !== null) === left > 0, `${where}: inputs and left differ`);
    counted.bytes += bytesOfPart(part);
  }
  same(job.tasks.count, first, `job ${job.number} count`);
}

function checkEnd(state: State, job: Job, counts: readonly number[]): void {
  const unended = counts.slice(0, 4).reduce((sum, count) => sum + count, 0);
  const over = !job.open && unended === 0;
  holds((job.ended !== "") === over, `job ${job.number}: ended "${job.ended}", ${unended} are not`);
  holds(state.finished.has(job.number) === over, `job ${job.number} in finished`);
  if (over) {
    holds(!state.sweeping.has(job.number), `job ${job.number} has ended and is swept`);
    const failed = counts[taskState.failed] ?? 0;
    const cancelled = counts[taskState.cancelled] ?? 0;
    if (failed > 0) same(job.ended, "failed", `job ${job.number} ended`);
    else if (cancelled > 0) same(job.ended, "cancelled", `job ${job.number} ended`);
  }
}

function countJob(job: Job, counts: readonly number[], held: number, counted: Counted): void {
  const { spec, tasks } = job;
  counted.bytes += bytesPerJob;
  counted.bytes += tasks.count * (stateBytesPerTask + (tasks.run === null ? 0 : runBytesPerTask));
  const queue = counted.queues.get(spec.queue) ?? { jobs: 0, waiting: 0, assigned: 0 };
  counted.queues.set(spec.queue, queue);
  if (job.ended === "") queue.jobs++;
  queue.waiting += (counts[0] ?? 0) + (counts[1] ?? 0) + (counts[2] ?? 0);
  queue.assigned += counts[3] ?? 0;
  const ready = counts[1] ?? 0;
  if (ready > 0) {
    const own = counted.classes.get(job.classKey) ?? { ready: 0, jobs: [] };
    counted.classes.set(job.classKey, own);
    own.ready += ready;
    own.jobs.push(job.number);
  }
  if (spec.concurrency !== null) {
    const use = counted.keys.get(spec.concurrency.key) ?? { active: 0, jobs: 0 };
    counted.keys.set(spec.concurrency.key, use);
    use.active += (counts[3] ?? 0) + held;
    if (job.ended === "") use.jobs++;
  }
  for (const [hash, uses] of job.payloads) {
    counted.payloads.set(hash, (counted.payloads.get(hash) ?? 0) + uses);
  }
}

// ── workers, queues, classes, keys ───────────────────────────────────────────────────────

function checkWorker(state: State, worker: Worker, counted: Counted): void {
  const name = `worker ${worker.info.id}`;
  same(state.workerNumbers.get(worker.info.id) ?? 0, worker.number, `${name} number`);
  const here = counted.onWorkers.get(worker.number) ?? new Map<number, number>();
  const booked = new Map(worker.active);
  for (const { job, count } of worker.ahead) booked.set(job, (booked.get(job) ?? 0) + count);
  for (const [job, count] of here) same(booked.get(job) ?? 0, count, `${name} job ${job}`);
  for (const job of booked.keys()) holds(here.has(job), `${name} holds job ${job} for nothing`);
  const ranges = new Map<number, number>();
  for (const { job, count } of tasksOn(state, worker)) {
    ranges.set(job, (ranges.get(job) ?? 0) + count);
  }
  for (const [job, count] of here)
    same(ranges.get(job) ?? 0, count, `${name} ranges of job ${job}`);
  same(ranges.size, here.size, `${name} jobs in ranges`);
  const ranged = worker.ranges.reduce((sum, { count }) => sum + count, 0);
  same(worker.ranged, ranged, `${name} ranged`);
  const used = new Map<string, number>();
  let active = 0;
  for (const [number, count] of worker.active) {
    active += count;
    for (const [amount, each] of state.jobs.get(number)?.amounts ?? []) {
      used.set(amount, (used.get(amount) ?? 0) + each * count);
    }
  }
  same(worker.activeCount, active, `${name} activeCount`);
  const ahead = worker.ahead.reduce((sum, run) => sum + run.count, 0);
  same(worker.aheadCount, ahead, `${name} aheadCount`);
  for (const [amount, value] of worker.used) {
    same(value, used.get(amount) ?? 0, `${name} used ${amount}`);
    holds(value <= (worker.total.get(amount) ?? 0), `I14: ${name} uses ${value} ${amount}`);
  }
  for (const [amount, value] of used) same(worker.used.get(amount) ?? 0, value, `${name} used`);
}

function checkQueue(state: State, queue: Queue, counted: Counted): void {
  const own = counted.queues.get(queue.name) ?? { jobs: 0, waiting: 0, assigned: 0 };
  const name = `queue ${queue.name}`;
  same(queue.jobs, own.jobs, `${name} jobs`);
  same(queue.waiting, own.waiting, `${name} waiting`);
  same(queue.assigned, own.assigned, `${name} assigned`);
  const used = new Map<string, number>();
  for (const worker of state.workers.values()) {
    for (const [number, count] of worker.active) {
      const job = state.jobs.get(number);
      if (job?.spec.queue !== queue.name) continue;
      for (const [amount, each] of job.amounts) {
        used.set(amount, (used.get(amount) ?? 0) + each * count);
      }
    }
  }
  for (const [amount, value] of queue.used) same(value, used.get(amount) ?? 0, `${name} ${amount}`);
  for (const [amount, value] of used) same(queue.used.get(amount) ?? 0, value, `${name} ${amount}`);
}

function checkClasses(state: State, counted: Counted): void {
  for (const [key, own] of state.classes) {
    const expected = counted.classes.get(key);
    same(own.ready, expected?.ready ?? 0, `class ${key} ready`);
    const jobs = own.jobs.slice(own.head);
    same(jobs.join(), (expected?.jobs ?? []).toSorted((a, b) => a - b).join(), `class ${key} jobs`);
    holds(own.headSince >= 0, `class ${key} waits since never`);
    if (own.reserved !== 0) {
      holds(
        state.reserved.get(own.reserved) === own,
        `class ${key}: what it reserved is not known`,
      );
    }
  }
  for (const [worker, own] of state.reserved) {
    same(own.reserved, worker, `class ${own.key} reserved`);
    holds(state.classes.get(own.key) === own, `worker ${worker} is reserved for nobody`);
  }
  for (const key of counted.classes.keys())
    holds(state.classes.has(key), `class ${key} is missing`);
}

function checkKeys(state: State, counted: Counted): void {
  for (const [key, use] of state.concurrency) {
    const own = counted.keys.get(key) ?? { active: 0, jobs: 0 };
    same(use.active, own.active, `key ${key} active`);
    same(use.jobs, own.jobs, `key ${key} jobs`);
    holds(use.active > 0 || use.jobs > 0, `key ${key} is kept for nothing`);
  }
  for (const [key, own] of counted.keys) {
    if (own.active + own.jobs > 0) holds(state.concurrency.has(key), `key ${key} is missing`);
  }
}

/** Retired jobs still use theirs until the archive forgets them. */
function checkPayloads(state: State, counted: Counted): void {
  counted.bytes += state.payloads.size * bytesPerPayload;
  for (const job of state.jobs.values()) counted.bytes += job.payloads.size * bytesPerUse;
  for (const { uses } of state.kept.values()) counted.bytes += uses.length * bytesPerUse;
  for (const [hash, uses] of counted.payloads) {
    const known = state.payloads.get(hash);
    holds((known?.uses ?? 0) >= uses, `payload ${hash} is used ${uses} times, it says less`);
    same(known?.freeSince ?? 0, -1, `payload ${hash} freeSince`);
  }
}

function checkFinished(state: State): void {
  let tasks = 0;
  for (const number of state.finished) {
    const job = state.jobs.get(number);
    holds(job !== undefined, `job ${number} is finished and gone`);
    tasks += job?.tasks.count ?? 0;
  }
  same(state.finishedTasks, tasks, "finishedTasks");
  same(state.jobNumbers.size, state.jobs.size, "jobNumbers");
}

// ── what makes things go on ──────────────────────────────────────────────────────────────

function checkProgress(state: State, job: Job): void {
  if (job.ended !== "") return;
  const name = `job ${job.number}`;
  for (const upstream of [...job.waitsFor, ...job.pairedWith]) {
    const there = state.jobs.get(upstream)?.dependents.has(job.number) === true;
    holds(there, `${name} waits for ${upstream}, which does not know`);
    const pairs = state.jobs.get(upstream)?.paired.has(job.number) === true;
    same(
      Number(pairs),
      Number(job.pairedWith.includes(upstream)),
      `${name} paired with ${upstream}`,
    );
  }
  if (job.stopping !== null) {
    const swept = job.stopping.next >= job.tasks.count;
    holds(swept || state.sweeping.has(job.number), `${name} is stopping and nobody sweeps`);
    return;
  }
  const { heap } = state.timers;
  for (let task = 0; task < job.tasks.count; task++) {
    if (stateOf(job.tasks, task) !== taskState.backoff) continue;
    const due = job.createdTime + (job.tasks.run?.since[task] ?? 0);
    const armed = heap.some(
      (timer) =>
        timer.kind === "backoff" &&
        timer.job === job.number &&
        timer.task === task &&
        timer.at <= Math.max(due, state.time),
    );
    holds(armed, `task ${job.number}/${task} backs off without a timer`);
  }
  if ((job.tasks.counts[taskState.waiting] ?? 0) === 0) return;
  const waits = [...job.waitsFor].some((number) => state.jobs.get(number)?.ended === "");
  if (waits || job.pairedWith.length > 0) return;
  if (job.wakeTime > state.time) {
    holds(heap.some(isWake(job.number)), `${name} is delayed without a timer`);
    return;
  }
  const looked = state.unsettled.has(job.number) || heap.some(isWake(job.number));
  holds(looked, `${name} waits for nothing and nobody looks`);
}

function isWake(job: number): (timer: State["timers"]["heap"][number]) => boolean {
  return (timer) => timer.kind === "wake" && timer.job === job;
}
