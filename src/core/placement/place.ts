// Placement: which ready tasks go to which workers now. It reads the state and the turn's time, nothing
// else (S1), and runs once, as the last step of a turn.
//
// The queue with the smallest dominant share ÷ weight goes first (Ghodsi et al., "Dominant Resource
// Fairness", NSDI 2011), of equal shares the one that has waited longest; inside it priority, then age (S3).
// A step gives one run of tasks to one worker, no longer than is fair to the other queues, and the order is
// looked at anew. When nothing is free, short tasks go ahead of time to workers that will be free soon (W8),
// but not past a class that waits for the very slot; what stands in the way of more urgent work, or waits
// while others idle, is recalled.

import { limits } from "../../protocol/limits.ts";
import { slotCount, fitCount } from "../accounting.ts";
import { byText } from "../classes.ts";
import { attemptOf, firstReady, readyRun } from "../columns.ts";
import { present } from "../invariants.ts";
import type { Job, Queue, State, TaskClass, Worker } from "../state.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";
import { aheadDepth, givesWay } from "./ahead.ts";
import { isEligible, isLargeEnough, keyRoom, queueRoom } from "./filters.ts";
import { recallsFor } from "./recall.ts";
import type { Recall } from "./recall.ts";

export interface PlaceOptions {
  /** Tasks that may be assigned in this turn (J7 slows and stops dispatch by it). */
  readonly tasksMax: number;
  /** Workers with an unanswered recall: they get no second one. */
  readonly recalling: ReadonlySet<number>;
}

/** Emits `assigned` and `reserved`; returns the recalls that should be sent. */
export function place(turn: Turn, options: PlaceOptions): Recall[] {
  const { state } = turn;
  if (state.classes.size === 0 || options.tasksMax <= 0)
    return recallsFor(state, [], options.recalling);
  const workers = [...state.workers.values()].filter(
    (worker) => worker.state === "active" && worker.term === state.term,
  );
  const stuck: TaskClass[] = [];
  const lines = linesOf(state);
  const totals = totalAmounts(workers);
  let left = options.tasksMax;
  while (lines.length > 0 && left > 0) {
    const line = lines.reduce((best, other) => (goesBefore(totals, other, best) ? other : best));
    const own = line.classes[0];
    const step = { workers, stuck, most: left, fair: fairCount(state, totals, line, lines) };
    const placed = own === undefined ? 0 : placeSome(turn, line.queue, own, step);
    left -= placed;
    if (own !== undefined && (placed === 0 || own.ready === 0)) {
      if (own.ready > 0) stuck.push(own);
      line.classes.shift();
    }
    if (line.classes.length === 0) lines.splice(lines.indexOf(line), 1);
  }
  for (const own of stuck) reserveIfStarved(turn, own, workers);
  return recallsFor(state, stuck, options.recalling);
}

interface Line {
  readonly queue: Queue;
  /** Most urgent first. */
  readonly classes: TaskClass[];
}

function linesOf(state: State): Line[] {
  const lines = new Map<string, Line>();
  for (const own of state.classes.values()) {
    const queue = present(state.queues.get(own.queue), `queue ${own.queue}`);
    if (queueRoom(queue) === 0) continue;
    const line = lines.get(own.queue) ?? { queue, classes: [] };
    line.classes.push(own);
    lines.set(own.queue, line);
  }
  for (const line of lines.values()) line.classes.sort(byUrgency);
  return [...lines.values()].toSorted((a, b) => byText(a.queue.name, b.queue.name));
}

function byUrgency(a: TaskClass, b: TaskClass): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  const headA = a.jobs[a.head] ?? 0;
  const headB = b.jobs[b.head] ?? 0;
  return headA === headB ? byText(a.key, b.key) : headA - headB;
}

function totalAmounts(workers: readonly Worker[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  for (const worker of workers) {
    for (const [name, amount] of worker.total) totals.set(name, (totals.get(name) ?? 0) + amount);
  }
  return totals;
}

/** Millionths of the cluster's scarcest amount that the queue uses, divided by its weight. */
function shareOf(totals: ReadonlyMap<string, number>, line: Line): number {
  let dominant = 0;
  for (const [name, used] of line.queue.used) {
    const total = totals.get(name) ?? 0;
    if (total > 0) dominant = Math.max(dominant, Math.floor((used * 1_000_000) / total));
  }
  return Math.floor((dominant * 1000) / line.queue.settings.weight);
}

/** The queue with the smaller share; of equal ones that whose head has waited longer. */
function goesBefore(totals: ReadonlyMap<string, number>, line: Line, other: Line): boolean {
  const own = shareOf(totals, line);
  const others = shareOf(totals, other);
  if (own !== others) return own < others;
  return (line.classes[0]?.headSince ?? 0) < (other.classes[0]?.headSince ?? 0);
}

/** Queues take turns by this part of the cluster, in millionths: finer would be many small steps. */
const turnShare = 1_000_000 / 64;

/** How many tasks the line may get at once: its share passes the others' by one turn at most. */
function fairCount(
  state: State,
  totals: ReadonlyMap<string, number>,
  line: Line,
  lines: readonly Line[],
): number {
  const own = line.classes[0];
  const job = own && state.jobs.get(own.jobs[own.head] ?? 0);
  if (lines.length === 1 || !job) return Number.MAX_SAFE_INTEGER;
  let each = 0;
  for (const [name, amount] of job.amounts) {
    const total = totals.get(name) ?? 0;
    if (total > 0) each = Math.max(each, Math.floor((amount * 1_000_000) / total));
  }
  each = Math.floor((each * 1000) / line.queue.settings.weight);
  if (each === 0) return Number.MAX_SAFE_INTEGER;
  let next = Number.MAX_SAFE_INTEGER;
  for (const other of lines) if (other !== line) next = Math.min(next, shareOf(totals, other));
  return Math.max(1, Math.ceil((next + turnShare - shareOf(totals, line)) / each));
}

interface Step {
  readonly workers: readonly Worker[];
  /** Classes before this one that found no room. */
  readonly stuck: readonly TaskClass[];
  readonly most: number;
  /** Free slots that it may take; what goes ahead of time holds nothing and is not counted. */
  readonly fair: number;
}

/** Gives one run of the class's tasks to one worker; how many, or 0 when it is stuck. */
function placeSome(turn: Turn, queue: Queue, own: TaskClass, step: Step): number {
  const { state } = turn;
  let looked = 0;
  for (let i = own.head; i < own.jobs.length && looked < limits.headTasksMax; i++, looked++) {
    const job = present(state.jobs.get(own.jobs[i] ?? 0), "job of a class");
    if (job.stopping !== null) continue;
    const room = Math.min(step.most, queueRoom(queue), keyRoom(state, job));
    if (room === 0) continue;
    const first = firstReady(job.tasks);
    if (first < 0) continue;
    const choice = chooseWorker(state, job, own, first, step);
    if (!choice) {
      // Others of this class have the same needs: none of them fits either, unless this task is special.
      if (job.deaths.size === 0 && job.spec.concurrency === null) return 0;
      continue;
    }
    const wanted = Math.min(room, choice.count, limits.sliceTasksMax);
    const count = job.deaths.size > 0 ? 1 : readyRun(job.tasks, first, wanted);
    emit(turn, {
      kind: "assigned",
      v: 1,
      job: job.number,
      first,
      count,
      attempt: attemptOf(job.tasks, first) + 1,
      worker: choice.worker.number,
    });
    return count;
  }
  return 0;
}

interface Choice {
  readonly worker: Worker;
  readonly count: number;
}

function chooseWorker(
  state: State,
  job: Job,
  own: TaskClass,
  task: number,
  step: Step,
): Choice | undefined {
  const deaths = job.deaths.get(task) ?? [];
  let candidates = step.workers.filter((worker) => isEligible(state, job, own, worker));
  // A worker that died under this task is avoided while there is another.
  const fresh = candidates.filter((worker) => !deaths.includes(worker.number));
  if (fresh.length > 0) candidates = fresh;
  const free = chooseFree(job, own, candidates);
  if (free) return { ...free, count: Math.min(free.count, step.fair) };
  // One that may have killed a worker stands in nobody's line, and would come back from there at once: the
  // worker that idles is the one it avoids.
  if (deaths.length > 0) return undefined;
  return chooseAhead(state, job, candidates, step.stuck);
}

/** The best worker with room now: preferred labels, then the emptiest, then the lowest number. */
function chooseFree(job: Job, own: TaskClass, candidates: readonly Worker[]): Choice | undefined {
  let best: Worker | undefined;
  let bestScore = -1;
  for (const worker of candidates) {
    if (worker.aheadCount > 0 || fitCount(worker, job.amounts, 1) === 0) continue;
    const score = preferredCount(job, worker) * 10_000 + emptiness(job, worker);
    if (score > bestScore) {
      best = worker;
      bestScore = score;
    }
  }
  if (!best) return undefined;
  const share = Math.ceil(own.ready / candidates.length);
  return { worker: best, count: fitCount(best, job.amounts, Math.max(1, share)) };
}

function preferredCount(job: Job, worker: Worker): number {
  const { preferred } = job.spec.needs;
  return Object.keys(preferred).filter((name) => worker.info.labels[name] === preferred[name])
    .length;
}

/** 0 to 1000: the free share of the amount that is scarcest here for this job. */
function emptiness(job: Job, worker: Worker): number {
  let least = 1000;
  for (const [name] of job.amounts) {
    const total = worker.total.get(name) ?? 0;
    if (total > 0)
      least = Math.min(least, Math.floor(((total - (worker.used.get(name) ?? 0)) * 1000) / total));
  }
  return least;
}

/** The worker with the most room ahead, when the job's tasks are measured to be short (W8). */
function chooseAhead(
  state: State,
  job: Job,
  candidates: readonly Worker[],
  stuck: readonly TaskClass[],
): Choice | undefined {
  const depth = aheadDepth(job);
  if (depth === 0) return undefined;
  let best: Choice | undefined;
  for (const worker of candidates) {
    if (fitCount(worker, job.amounts, 1) > 0 && worker.aheadCount === 0) continue;
    const allowed = slotCount(worker, job.amounts, 1_000_000) * depth;
    // Topped up when half is gone: few large orders instead of many small ones.
    if (worker.aheadCount * 2 > allowed) continue;
    if (worker.ahead.length > 64) continue;
    const count = allowed - worker.aheadCount;
    if (count <= (best?.count ?? 0) || givesWay(state, job, worker, stuck)) continue;
    best = { worker, count };
  }
  return best;
}

/** S4: a class that starves beside smaller tasks reserves the large enough worker with the most free. */
function reserveIfStarved(turn: Turn, own: TaskClass, workers: readonly Worker[]): void {
  const { state } = turn;
  if (own.reserved !== 0 && state.workers.get(own.reserved)?.state === "active") return;
  if (own.headSince < 0 || turn.time - own.headSince < limits.reserveAfterMs) return;
  const job = state.jobs.get(own.jobs[own.head] ?? 0);
  const queue = present(state.queues.get(own.queue), `queue ${own.queue}`);
  if (!job || keyRoom(state, job) === 0 || queueRoom(queue) === 0) return;
  const taken = new Set([...state.classes.values()].map((other) => other.reserved));
  let best: Worker | undefined;
  for (const worker of workers) {
    if (taken.has(worker.number) || !isLargeEnough(job, worker)) continue;
    if (!isEligible(state, job, own, worker)) continue;
    if (!best || emptiness(job, worker) > emptiness(job, best)) best = worker;
  }
  if (best) emit(turn, { kind: "reserved", v: 1, classKey: own.key, worker: best.number });
}
