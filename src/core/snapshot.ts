// The state as plain data and back (A4). What is derived is left out and made anew: classes, accounting of
// readiness, timers, what is unsettled. The shell turns the plain data into bytes.

import { taskState } from "../protocol/model.ts";
import { readyChanged, reserve } from "./classes.ts";
import { freeAt } from "./commands/payloads.ts";
import { isAway } from "./commands/worker.ts";
import { deriveTasksOn } from "./on-worker.ts";
import { sumAnew } from "./sums.ts";
import { addTimer } from "./timers.ts";
import { createState } from "./state.ts";
import type { Job, State, TaskClass, Worker } from "./state.ts";

export const snapshotVersion = 1;

/** Maps become arrays of pairs; typed arrays become bytes of their own. */
export type Plain =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain };

export function encodeState(state: State): Plain {
  const {
    timers: _timers,
    unsettled: _unsettled,
    sweeping: _sweeping,
    reserved: _reserved,
    passedOver: _passedOver,
    away: _away,
    touched: _touched,
    ...rest
  } = state;
  const jobs = [...state.jobs.values()].map(encodeJob);
  const workers = [...state.workers].map(([number, worker]) => {
    const { ranges: _ranges, ranged: _ranged, ...kept } = worker;
    return [number, kept];
  });
  const classes = [...state.classes.values()].map((own) => [own.key, own.headSince, own.reserved]);
  return plain({ ...rest, version: snapshotVersion, jobs, jobNumbers: [], workers, classes });
}

function encodeJob(job: Job): Plain {
  const { tasks, paired: _paired, otherA: _a, otherB: _b, ...rest } = job;
  const { count, run } = tasks;
  return plain({
    ...rest,
    parts: job.parts.map((part) => ({ ...part, offsets: part.offsets?.slice() ?? null })),
    tasks: {
      count,
      state: tasks.state.slice(0, count),
      counts: [...tasks.counts],
      held: tasks.held,
      readyFrom: tasks.readyFrom,
      run: run && {
        attempt: run.attempt.slice(0, count),
        worker: run.worker.slice(0, count),
        fence: run.fence.slice(0, count),
        since: run.since.slice(0, count),
        failures: run.failures.slice(0, count),
        reason: run.reason.slice(0, count),
      },
    },
  });
}

/** Copies: nothing in the result is shared with the state. */
function plain(value: unknown): Plain {
  if (value === null || typeof value !== "object") return scalar(value);
  if (value instanceof Uint8Array) return value.slice();
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  }
  if (value instanceof Map) return [...value].map(([key, item]) => [plain(key), plain(item)]);
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  const result: Record<string, Plain> = {};
  for (const [name, item] of Object.entries(value)) result[name] = plain(item);
  return result;
}

function scalar(value: unknown): null | boolean | number | string {
  if (typeof value === "number" || typeof value === "string" || typeof value === "boolean")
    return value;
  return null;
}

// ── and back ─────────────────────────────────────────────────────────────────────────────

type Loose = Record<string, unknown>;

/** Builds the state from what `encodeState` gave; throws when it is of another version. */
export function decodeState(data: Plain): State {
  const loose = data as Loose; // the snapshot's digest was verified before
  if (loose["version"] !== snapshotVersion) {
    throw new Error(
      `snapshot version ${String(loose["version"])} is unknown; this is ${snapshotVersion}`,
    );
  }
  const state = createState(String(loose["journalId"]));
  copyScalars(state, loose);
  fill(state.masters, loose["masters"], (item) => ({ levels: [1, 1], process: null, ...item })); // older ones do not say
  fill(state.queues, loose["queues"], (queue) => ({
    ...queue,
    used: new Map(pairs(queue["used"])),
  }));
  fill(state.concurrency, loose["concurrency"]);
  fill(state.clients, loose["clients"], (client) => ({
    ...client,
    recent: new Map(pairs(client["recent"])),
  }));
  fill(state.userKeys, loose["userKeys"]);
  fill(state.payloads, loose["payloads"]);
  fill(state.kept, loose["kept"]);
  fill(state.workers, loose["workers"], decodeWorker);
  for (const number of loose["finished"] as number[]) state.finished.add(number);
  for (const worker of state.workers.values())
    state.workerNumbers.set(worker.info.id, worker.number);
  for (const item of loose["jobs"] as Loose[]) {
    const job = decodeJob(item);
    state.jobs.set(job.number, job);
    state.jobNumbers.set(job.id, job.number);
    sumAnew(job);
    derive(state, job);
    deriveTasksOn(state, job);
  }
  for (const job of state.jobs.values()) {
    if (job.ended !== "") continue;
    for (const upstream of job.pairedWith) state.jobs.get(upstream)?.paired.add(job.number);
  }
  for (const [key, headSince, reserved] of loose["classes"] as [string, number, number][]) {
    const own: TaskClass | undefined = state.classes.get(key);
    if (!own) continue;
    own.headSince = headSince;
    reserve(state, own, reserved);
  }
  const away = [...state.workers.values()].filter(isAway);
  for (const { number } of away.toSorted((a, b) => a.lostTime - b.lostTime)) state.away.add(number);
  armTimers(state);
  for (const number of state.jobs.keys()) state.touched.jobs.add(number);
  for (const number of state.workers.keys()) state.touched.workers.add(number);
  return state;
}

function copyScalars(state: State, loose: Loose): void {
  const names = [
    "index",
    "term",
    "time",
    "wall",
    "featureLevel",
    "leader",
    "nextJob",
    "finishedTasks",
    "nextWorker",
    "brakeUntil",

    "snapshotIndex",
    "trimIndex",
    "totals",
    "bytes",
  ] as const;
  for (const name of names) Object.assign(state, { [name]: loose[name] });
}

function pairs<K, V>(value: unknown): [K, V][] {
  return value as [K, V][];
}

function fill<K, V>(map: Map<K, V>, value: unknown, build?: (item: Loose) => unknown): void {
  for (const [key, item] of pairs<K, Loose>(value)) map.set(key, (build ? build(item) : item) as V);
}

function decodeWorker(item: Loose): unknown {
  return {
    lostTime: 0, // older snapshots do not say
    ...item,
    total: new Map(pairs(item["total"])),
    used: new Map(pairs(item["used"])),
    active: new Map(pairs(item["active"])),
    ranges: [],
    ranged: 0,
  } as unknown as Worker;
}

function decodeJob(item: Loose): Job {
  const tasks = item["tasks"] as Loose;
  const run = tasks["run"] as Record<string, Uint8Array> | null;
  const bytes = (name: string) => aligned(run?.[name]);
  return {
    ...item,
    waitsFor: new Set(item["waitsFor"] as number[]),
    dependents: new Set(item["dependents"] as number[]),
    paired: new Set(),
    otherA: 0,
    otherB: 0,
    payloads: new Map(pairs(item["payloads"])),
    deaths: new Map(pairs(item["deaths"])),
    parts: (item["parts"] as Loose[]).map((part) => ({
      ...part,
      offsets: part["offsets"] === null ? null : new Uint32Array(aligned(part["offsets"])),
    })),
    tasks: {
      ...tasks,
      state: new Uint8Array(aligned(tasks["state"])),
      counts: Int32Array.from(tasks["counts"] as number[]),
      run: run && {
        attempt: new Uint32Array(bytes("attempt")),
        worker: new Uint32Array(bytes("worker")),
        fence: new Float64Array(bytes("fence")),
        since: new Float64Array(bytes("since")),
        failures: new Uint16Array(bytes("failures")),
        reason: new Uint8Array(bytes("reason")),
      },
    },
  } as unknown as Job;
}

/** A buffer of its own, so that wider elements are aligned. */
function aligned(value: unknown): ArrayBuffer {
  const bytes = value instanceof Uint8Array ? value : new Uint8Array(0);
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}

/** Classes and what is under way follow from the jobs. */
function derive(state: State, job: Job): void {
  const ready = job.tasks.counts[taskState.ready] ?? 0;
  if (ready > 0) readyChanged(state, job, ready, ready);
  if (job.ended !== "") return;
  if (job.stopping !== null) state.sweeping.add(job.number);
  else if ((job.tasks.counts[taskState.waiting] ?? 0) > 0) state.unsettled.set(job.number, 0);
}

function armTimers(state: State): void {
  const { timers } = state;
  for (const job of state.jobs.values()) {
    if (job.ended !== "") continue;
    if (job.wakeTime > state.time)
      addTimer(timers, { at: job.wakeTime, kind: "wake", job: job.number });
    armTasks(state, job);
    const { queuedMs } = job.spec.timeouts;
    if (queuedMs === 0) continue;
    for (const { createdTime, first, count } of job.parts) {
      const at = createdTime + queuedMs;
      addTimer(timers, { at, kind: "queued", job: job.number, first, count });
    }
  }
  for (const [key, { expires }] of state.userKeys)
    addTimer(timers, { at: expires, kind: "key", key });
  for (const client of state.clients.keys())
    addTimer(timers, { at: state.time, kind: "keys", client });
  for (const [hash, use] of state.payloads) {
    if (use.uses <= 0) addTimer(timers, { at: freeAt(use), kind: "payload", hash });
  }
}

function armTasks(state: State, job: Job): void {
  const { run } = job.tasks;
  if (run === null || (job.tasks.counts[taskState.backoff] ?? 0) === 0) return;
  for (let task = 0; task < job.tasks.count; task++) {
    if (job.tasks.state[task] !== taskState.backoff) continue;
    const at = job.createdTime + (run.since[task] ?? 0);
    addTimer(state.timers, { at, kind: "backoff", job: job.number, task });
  }
}
