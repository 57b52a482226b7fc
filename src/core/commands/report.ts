// How attempts end. A worker reports; each item is judged against the state:
//
//   its latest attempt, assigned here     → it is the outcome, or the task tries again (K4)
//   an ended task that still held amounts → they are free (K6)
//   an older attempt's success, unfenced  → the first success recorded wins (K5)
//   anything else                         → recorded long ago, or superseded: nothing
//
// A block in which all items are fresh and final goes into the journal as it came (W11).

import {
  decodeOutcomes,
  encodeOutcomes,
  outcomeItem,
  storedBit,
  decodeStored,
} from "../../protocol/outcome-block.ts";
import type { OutcomeColumns, OutcomeItem } from "../../protocol/outcome-block.ts";
import { endReason, endReasons, taskState } from "../../protocol/model.ts";
import type { EndReason } from "../../protocol/model.ts";
import { unbook, unbookUnstarted } from "../accounting.ts";
import { attemptOf, isEnded, isHeld, stateOf, workerOf } from "../columns.ts";
import type { Effect } from "../effect.ts";
import type { AttemptFailed, Outcomes, Released, Reported, Unassigned } from "../entry.ts";
import { present } from "../invariants.ts";
import { refuse } from "../refusal.ts";
import type { Answer } from "../refusal.ts";
import type { Job, State, Worker } from "../state.ts";
import {
  chargeFailure,
  endTask,
  isCurrent,
  isHolding,
  release,
  touch,
  unassign,
  unassignRange,
} from "../tasks.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";
import { dropKeyIfUnused, endJobIfDone } from "./end-job.ts";
import { useStored } from "./payloads.ts";
import { settlePaired, settlePairedLater, stopJob } from "./stop.ts";

export interface ReportedBlock {
  readonly job: number;
  readonly bytes: Uint8Array;
  /** Stored payloads that its values name inside, which nobody looks into here (K2). */
  readonly payloads?: readonly string[] | undefined;
}

export interface ReportRequest {
  readonly kind: "report";
  readonly worker: number;
  readonly incarnation: string;
  readonly n: number;
  readonly blocks: readonly ReportedBlock[];
  readonly returned: readonly {
    readonly job: number;
    readonly first: number;
    readonly count: number;
    readonly attempt: number;
  }[];
  /** Stored payloads that the blocks name and that are not on the master's disk: those results are lost (A1). */
  readonly gone?: readonly string[];
}

export function report(turn: Turn, request: ReportRequest): Answer {
  const worker = turn.state.workers.get(request.worker);
  if (!worker || worker.info.incarnation !== request.incarnation) return { ok: true };
  if (request.n <= worker.reports) return { ok: true };
  // Reports are recorded up to a number: one that is missing before this one would be taken for recorded.
  if (request.n > worker.reports + 1) {
    return refuse("conflict", `Report ${request.n} came before report ${worker.reports + 1}.`);
  }
  const { gone = [] } = request;
  for (const block of request.blocks) reportBlock(turn, worker, block, gone);
  for (const range of request.returned) giveBack(turn, worker, range);
  emit(turn, { kind: "reported", v: 1, worker: worker.number, n: request.n });
  return { ok: true };
}

/** Judges each item of a block; also for what an earlier incarnation of the worker left behind. */
export function reportBlock(
  turn: Turn,
  worker: Worker,
  { job: number, bytes, payloads = [] }: ReportedBlock,
  gone: readonly string[],
): void {
  const job = turn.state.jobs.get(number);
  if (!job) return; // A3: below the counter it is recorded and retired; above it nobody knows it.
  const columns = decodeOutcomes(bytes);
  if (columns.count === 0) return;
  if (gone.length === 0 && isFreshAndFinal(job, worker, columns)) {
    recordOutcomes(turn, worker, job, { bytes, columns, payloads });
    return;
  }
  const items = Array.from({ length: columns.count }, (_, i) =>
    withoutGone(outcomeItem(columns, i), gone),
  );
  judgeItems(turn, worker, job, { items, payloads });
}

/** A success whose value is not there is none: the task runs again, uncharged. */
function withoutGone(item: OutcomeItem, gone: readonly string[]): OutcomeItem {
  if ((item.code & storedBit) === 0 || !gone.includes(decodeStored(item.value).hash)) return item;
  return { ...item, code: endReasons.resultLost.code, value: new Uint8Array(0) };
}

/** True when the block can stand in the journal as it is: rising tasks, each current, all succeeded. */
function isFreshAndFinal(job: Job, worker: Worker, columns: OutcomeColumns): boolean {
  let previous = -1;
  for (let i = 0; i < columns.count; i++) {
    const task = columns.tasks[i] ?? 0;
    if (task <= previous || ((columns.codes[i] ?? 0) & ~storedBit) !== 0) return false;
    if (!isCurrent(job, task, columns.attempts[i] ?? 0, worker.number)) return false;
    previous = task;
  }
  return true;
}

interface Recorded {
  readonly bytes: Uint8Array;
  readonly columns: OutcomeColumns;
  readonly payloads: readonly string[];
}

function recordOutcomes(
  turn: Turn,
  worker: Worker,
  job: Job,
  { bytes: block, columns, payloads }: Recorded,
): void {
  const named = payloads.length > 0 && { payloads };
  emit(turn, { kind: "outcomes", v: 1, job: job.number, worker: worker.number, block, ...named });
  if (job.paired.size === 0) return;
  const tasks = [...columns.tasks.subarray(0, columns.count)].toSorted((a, b) => a - b);
  const first = tasks[0] ?? 0;
  if (tasks.length * job.paired.size > settledAtOnce) {
    settlePairedLater(turn.state, job, first);
    return;
  }
  for (let from = 0; from < tasks.length;) {
    let to = from + 1;
    while (to < tasks.length && tasks[to] === (tasks[from] ?? 0) + to - from) to++;
    settlePaired(turn, job, tasks[from] ?? 0, to - from);
    from = to;
  }
}

/** Tasks that a report settles itself; what is more comes in slices (K7). */
const settledAtOnce = 1_024;

interface Judged {
  readonly items: readonly OutcomeItem[];
  /** Which of the items names which is not known: all are kept if any of these is recorded. */
  readonly payloads: readonly string[];
}

function judgeItems(turn: Turn, worker: Worker, job: Job, { items, payloads }: Judged): void {
  const final: OutcomeItem[] = [];
  const taken = new Set<number>();
  const released: number[] = [];
  /** A second attempt of a task is judged by what the first one made of it. */
  const second: OutcomeItem[] = [];
  let stop = false;
  for (const item of items) {
    if (item.task >= job.tasks.count) continue;
    if (taken.has(item.task)) {
      second.push(item);
      continue;
    }
    const verdict = judge(job, worker, item);
    if (verdict === "nothing") continue;
    taken.add(item.task);
    if (verdict === "release") released.push(item.task);
    else if (verdict === "retry") tryAgain(turn, worker, job, item);
    else {
      final.push(item);
      const failed = endReason(item.code & ~storedBit).state === "failed";
      if (failed && job.spec.onFailure === "stop") stop = true;
    }
  }
  if (released.length > 0) {
    emit(turn, { kind: "released", v: 1, job: job.number, worker: worker.number, tasks: released });
  }
  if (final.length > 0) {
    const block = encodeOutcomes(final);
    recordOutcomes(turn, worker, job, { bytes: block, columns: decodeOutcomes(block), payloads });
  }
  if (stop) stopJob(turn, job.number, "stopped");
  if (second.length > 0) judgeItems(turn, worker, job, { items: second, payloads });
}

function judge(
  job: Job,
  worker: Worker,
  item: OutcomeItem,
): "final" | "retry" | "release" | "nothing" {
  const { task, attempt } = item;
  const reason = endReason(item.code & ~storedBit);
  if (isHolding(job, task, attempt, worker.number)) return "release";
  if (isCurrent(job, task, attempt, worker.number)) {
    if (reason.state === "succeeded") return "final";
    return mayRetry(job, task, reason) ? "retry" : "final";
  }
  const older = attempt > 0 && attempt <= attemptOf(job.tasks, task);
  const wins = reason.state === "succeeded" && older && !job.spec.fenced;
  return wins && !isEnded(job.tasks, task) ? "final" : "nothing";
}

function mayRetry(job: Job, task: number, reason: EndReason): boolean {
  if (!reason.retry || job.stopping !== null) return false;
  if (!reason.charged) return true;
  return (job.tasks.run?.failures[task] ?? 0) + 1 < job.spec.retry.attempts;
}

function tryAgain(turn: Turn, worker: Worker, job: Job, item: OutcomeItem): void {
  const reason = endReason(item.code & ~storedBit);
  const failures = (job.tasks.run?.failures[item.task] ?? 0) + (reason.charged ? 1 : 0);
  emit(turn, {
    kind: "attemptFailed",
    v: 1,
    job: job.number,
    task: item.task,
    attempt: item.attempt,
    worker: worker.number,
    reason: reason.code,
    charged: reason.charged,
    until: reason.charged ? turn.time + backoff(job, item.task, item.attempt, failures) : turn.time,
    micros: item.micros,
    logBytes: item.logBytes,
    error: item.value,
  });
}

/**
 * Exponential back-off between half and all of its ceiling; the jitter is a hash of job, task and attempt (T3).
 */
export function backoff(job: Job, task: number, attempt: number, failures: number): number {
  const { backoffMs, backoffMaxMs } = job.spec.retry;
  let ceiling = Math.min(backoffMs, backoffMaxMs);
  for (let i = 1; i < failures && ceiling < backoffMaxMs; i++) ceiling *= 2;
  ceiling = Math.min(ceiling, backoffMaxMs);
  let hash = Math.imul(job.number, 0x9e3779b1) ^ Math.imul(task + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ attempt, 0x2c1b3c6d);
  const thousandths = ((hash ^ (hash >>> 13)) >>> 0) % 501;
  return Math.floor((ceiling * (500 + thousandths)) / 1000);
}

export function applyOutcomes(state: State, entry: Outcomes, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  const worker = state.workers.get(entry.worker);
  const columns = decodeOutcomes(entry.block);
  let over = 0;
  for (let i = 0; i < columns.count; i++) {
    const task = columns.tasks[i] ?? 0;
    const code = columns.codes[i] ?? 0;
    const reason = endReason(code & ~storedBit);
    const attempt = columns.attempts[i] ?? 0;
    const own = isCurrent(job, task, attempt, entry.worker);
    const byte = taskState[reason.state];
    if (!own && stateOf(job.tasks, task) === taskState.assigned) {
      cancelTwin(job, task, effects);
    }
    endTask(state, job, task, { state: byte, reason: reason.code, attemptOver: own });
    if (own) over++;
    job.runMicros += columns.micros[i] ?? 0;
    if ((code & storedBit) !== 0)
      useStored(state, job, decodeStored(outcomeItem(columns, i).value).hash);
  }
  for (const hash of entry.payloads ?? []) useStored(state, job, hash);
  job.runCount += columns.count;
  if (over > 0 && worker) {
    unbook(state, worker, job, over);
    touch(state, job, worker);
  }
  effects.push({ kind: "outcomes", job: job.number, worker: entry.worker, block: entry.block });
  endJobIfDone(state, job, effects);
}

/** An older attempt won: the one that runs now is ended by its worker. */
function cancelTwin(job: Job, task: number, effects: Effect[]): void {
  effects.push({
    kind: "cancel",
    worker: workerOf(job.tasks, task),
    job: job.number,
    first: task,
    count: 1,
    attempt: attemptOf(job.tasks, task),
    reason: endReasons.superseded.code,
  });
}

export function applyAttemptFailed(state: State, entry: AttemptFailed, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  const worker = present(state.workers.get(entry.worker), `worker ${entry.worker}`);
  const started = job.createdWall + (job.tasks.run?.since[entry.task] ?? 0);
  if (entry.charged) chargeFailure(state, job, entry.task);
  unassign(state, job, entry.task, entry.until);
  unbook(state, worker, job, 1);
  job.runMicros += entry.micros;
  job.runCount++;
  touch(state, job, worker);
  effects.push({ ...entry, kind: "attempt", started });
}

export function applyReleased(state: State, entry: Released): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  const worker = present(state.workers.get(entry.worker), `worker ${entry.worker}`);
  for (const task of entry.tasks) release(state, job, task, worker);
  if (job.ended !== "") dropKeyIfUnused(state, job);
}

export function applyReported(state: State, entry: Reported, effects: Effect[]): void {
  const worker = present(state.workers.get(entry.worker), `worker ${entry.worker}`);
  worker.reports = entry.n;
  state.touched.workers.add(worker.number);
  effects.push({ kind: "recorded", worker: entry.worker, n: entry.n });
}

// ── given back ───────────────────────────────────────────────────────────────────────────

/** Recalled or declined attempts that never started: back into their class, uncharged (W8). */
function giveBack(turn: Turn, worker: Worker, range: ReportRequest["returned"][number]): void {
  const job = turn.state.jobs.get(range.job);
  if (!job) return;
  const released: number[] = [];
  const over = Math.min(range.first + range.count, job.tasks.count);
  for (let task = range.first; task < over; task++) {
    if (isHeld(job.tasks, task) && isHolding(job, task, range.attempt, worker.number)) {
      released.push(task);
      continue;
    }
    if (!isCurrent(job, task, range.attempt, worker.number)) continue;
    let end = task + 1;
    while (end < over && isCurrent(job, end, range.attempt, worker.number)) end++;
    const count = end - task;
    emit(turn, {
      kind: "unassigned",
      v: 1,
      job: job.number,
      worker: worker.number,
      first: task,
      count,
    });
    task = end - 1;
  }
  if (released.length > 0) {
    emit(turn, { kind: "released", v: 1, job: job.number, worker: worker.number, tasks: released });
  }
}

export function applyUnassigned(state: State, entry: Unassigned, effects: Effect[]): void {
  const job = present(state.jobs.get(entry.job), `job ${entry.job}`);
  const worker = present(state.workers.get(entry.worker), `worker ${entry.worker}`);
  for (let task = entry.first; task < entry.first + entry.count; task++) {
    effects.push({
      kind: "attempt",
      job: job.number,
      task,
      attempt: attemptOf(job.tasks, task),
      worker: worker.number,
      reason: endReasons.givenBack.code,
      charged: false,
      started: 0,
      micros: 0,
      logBytes: 0,
      error: null,
    });
  }
  unassignRange(state, job, entry.first, entry.count);
  unbookUnstarted(state, worker, job, entry.count);
  touch(state, job, worker);
}
