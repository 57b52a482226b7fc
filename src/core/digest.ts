// The digest of the state (L10): equal at equal index on every master and after every replay. It is the sum
// of a hash per object; only objects that changed since the last call are hashed anew.

import { byText } from "./classes.ts";
import type { Job, State, Worker } from "./state.ts";

/** What was added for each object, so that it can be taken away when the object changes. */
export interface DigestMemory {
  readonly jobs: Map<number, readonly [a: number, b: number]>;
  readonly workers: Map<number, readonly [a: number, b: number]>;
  a: number;
  b: number;
}

export function createDigestMemory(): DigestMemory {
  return { jobs: new Map(), workers: new Map(), a: 0, b: 0 };
}

/** A memory for a state that another memory may have looked at: everything is hashed anew once. */
export function renewDigestMemory(state: State): DigestMemory {
  for (const number of state.jobs.keys()) state.touched.jobs.add(number);
  for (const number of state.workers.keys()) state.touched.workers.add(number);
  return createDigestMemory();
}

/** 16 hex digits. `memory` belongs to this one state and to nobody else. */
export function digest(state: State, memory: DigestMemory): string {
  for (const number of state.touched.jobs) renewJob(state, memory, number);
  for (const number of state.touched.workers) {
    const worker = state.workers.get(number);
    replace(memory, memory.workers, number, worker && hashOf(describeWorker(worker)));
  }
  state.touched.jobs.clear();
  state.touched.workers.clear();
  const [a, b] = hashOf(describeRest(state));
  return hex((memory.a + a) | 0) + hex((memory.b + b) | 0);
}

/** Jobs that wait to be hashed when the digest is asked for: about 10 ms (K7). */
const jobsLeftMax = 2_000;
const jobsPerTurn = 200;

/** Once a turn: hashes the first of very many jobs that changed. One that changes again is hashed again. */
export function digestAhead(state: State, memory: DigestMemory): void {
  const { jobs } = state.touched;
  let most = Math.min(jobs.size - jobsLeftMax, jobsPerTurn);
  for (const number of jobs) {
    if (most-- <= 0) return;
    renewJob(state, memory, number);
    jobs.delete(number);
  }
}

function renewJob(state: State, memory: DigestMemory, number: number): void {
  const job = state.jobs.get(number);
  replace(memory, memory.jobs, number, job && hashOf(describeJob(job)));
}

function replace(
  memory: DigestMemory,
  map: Map<number, readonly [number, number]>,
  number: number,
  next: readonly [number, number] | undefined,
): void {
  const before = map.get(number);
  if (before) {
    memory.a = (memory.a - before[0]) | 0;
    memory.b = (memory.b - before[1]) | 0;
  }
  if (!next) {
    map.delete(number);
    return;
  }
  map.set(number, next);
  memory.a = (memory.a + next[0]) | 0;
  memory.b = (memory.b + next[1]) | 0;
}

function describeJob(job: Job): string {
  const { tasks } = job;
  return JSON.stringify([
    "job",
    job.number,
    job.id,
    job.classKey,
    job.createdTime,
    job.startedWall,
    job.endedTime,
    job.open,
    job.ended,
    job.stopping,
    [...job.waitsFor],
    job.pairedWith,
    job.dependents.size,
    tasks.count,
    [...tasks.counts],
    tasks.held,
    job.sumA,
    job.sumB,
    job.parts.length,
    job.payloads.size,
    job.otherA,
    job.otherB,
    job.attempts,
    job.attemptsLost,
    job.runMicros,
    job.runCount,
    [...job.deaths].toSorted(([x], [y]) => x - y),
  ]);
}

function describeWorker(worker: Worker): string {
  return JSON.stringify([
    "worker",
    worker.number,
    worker.info.id,
    worker.info.incarnation,
    worker.state,
    worker.term,
    worker.reports,
    worker.drainDeadline,
    worker.changes,
    [...worker.used].filter(([, used]) => used !== 0).toSorted(([x], [y]) => byText(x, y)),
    [...worker.active].toSorted(([x], [y]) => x - y),
    worker.ahead,
  ]);
}

function describeRest(state: State): string {
  const queues = [...state.queues.values()].map((queue) => [
    queue.name,
    queue.settings.weight,
    queue.settings.runningMax,
    queue.settings.queuedMax,
    queue.paused,
    queue.assigned,
    queue.waiting,
    queue.jobs,
  ]);
  return JSON.stringify([
    state.journalId,
    state.index,
    state.term,
    state.time,
    state.featureLevel,
    state.leader?.id,
    state.leader?.incarnation,
    state.nextJob,
    state.nextWorker,
    state.finished.size,
    state.finishedTasks,
    queues.toSorted(([x], [y]) => byText(String(x), String(y))),
    [...state.concurrency].toSorted(([x], [y]) => byText(x, y)),
    state.clients.size,
    state.userKeys.size,
    state.payloads.size,
    state.kept.size,
    state.brakeUntil,
    state.snapshotIndex,
    state.trimIndex,
    state.totals,
    state.bytes,
  ]);
}

/** Two FNV-1a lanes with different starts, each mixed at the end. */
function hashOf(text: string): readonly [number, number] {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code ^ 0x5bd1e995, 0x85ebca6b);
    b ^= b >>> 13;
  }
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  return [(a ^ (a >>> 15)) | 0, b | 0];
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
