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
import { byText } from "../classes.ts";
import { attemptOf, firstReady, readyRun } from "../columns.ts";
import { present } from "../invariants.ts";
import type { Queue, State, TaskClass, Worker } from "../state.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";
import { stuckClassesMax } from "./ahead.ts";
import { chooseReserved, chooseWorker, openRoom } from "./choose.ts";
import type { Room } from "./choose.ts";
import { keyRoom, queueRoom } from "./filters.ts";
import { Heap } from "./heap.ts";
import { recallsFor } from "./recall.ts";
import type { Recall } from "./recall.ts";

export interface PlaceOptions {
  /** Tasks that may be assigned in this turn (J7 slows and stops dispatch by it). */
  readonly tasksMax: number;
  /** Workers with an unanswered recall: they get no second one. */
  readonly recalling: ReadonlySet<number>;
  /** Workers that gave back what nobody asked for, a moment ago: they get nothing. */
  readonly resting: ReadonlySet<number>;
}

export interface Placed {
  /** Recalls that should be sent. */
  readonly recalls: readonly Recall[];
  /** The turn's work was used up: the next turn, soon, may find more. */
  readonly more: boolean;
}

/**
 * What one call may cost, in looks at a worker (some 50 ns): a turn must be short however many jobs, classes
 * and workers there are (K7). What is left over comes in the next turn.
 */
const looksPerTurn = 25_000;
const looksPerRun = 40;
const looksPerClass = 6;

/** Emits `assigned` and `reserved`. */
export function place(turn: Turn, options: PlaceOptions): Placed {
  const { state } = turn;
  const stuck: TaskClass[] = [];
  const more = state.classes.size > 0 && options.tasksMax > 0 && fill(turn, options, stuck);
  return { recalls: recallsFor(state, stuck, options), more };
}

/** True when it stopped early. Classes that found no room are added to `stuck`. */
function fill(turn: Turn, options: PlaceOptions, stuck: TaskClass[]): boolean {
  const { state } = turn;
  const room = openRoom(state, looksPerTurn, options.resting);
  const totals = totalAmounts(room.workers);
  const passed = passedBefore(state);
  stuck.push(...passed.slice(0, stuckClassesMax));
  const lines = linesOf(state, totals);
  let left = options.tasksMax;
  let runs = 0;
  while (left > 0 && room.looks > 0) {
    const line = lines.pop();
    const own = line?.classes.first;
    if (!line || !own) break;
    const fair = fairCount(state, totals, line, own, lines.first);
    const placed = placeSome(turn, line.queue, own, { room, stuck, most: left, fair });
    room.looks -= placed === 0 ? looksPerClass : looksPerRun;
    if (placed > 0) runs++;
    left -= placed;
    if (placed === 0 && own.ready > 0) {
      stuck.push(own);
      reserveIfStarved(turn, room, own);
    }
    if (placed === 0 || own.ready === 0) line.classes.pop();
    if (line.classes.size === 0) continue;
    line.share = shareOf(totals, line.queue);
    lines.push(line);
  }
  if (room.looks > 0) state.passedOver.clear();
  else passOver(state, stuck, runs);
  return room.looks <= 0;
}

/**
 * A call whose work went into classes without room is gone on with where it stopped: else these would hide those
 * behind them for ever. Any other one starts with the most urgent class again.
 */
function passOver(state: State, stuck: readonly TaskClass[], runs: number): void {
  if (runs * looksPerRun * 2 >= looksPerTurn) state.passedOver.clear();
  else for (const { key } of stuck) state.passedOver.add(key);
}

function passedBefore(state: State): TaskClass[] {
  const classes: TaskClass[] = [];
  for (const key of state.passedOver) {
    const own = state.classes.get(key);
    if (own) classes.push(own);
    if (classes.length === stuckClassesMax) break;
  }
  return classes;
}

interface Line {
  readonly queue: Queue;
  /** Most urgent first. */
  readonly classes: Heap<TaskClass>;
  share: number;
}

function linesOf(state: State, totals: ReadonlyMap<string, number>): Heap<Line> {
  const byQueue = new Map<string, TaskClass[]>();
  for (const own of state.classes.values()) {
    if (state.passedOver.size > 0 && state.passedOver.has(own.key)) continue;
    const classes = byQueue.get(own.queue);
    if (classes) classes.push(own);
    else byQueue.set(own.queue, [own]);
  }
  const lines: Line[] = [];
  for (const [name, classes] of byQueue) {
    const queue = present(state.queues.get(name), `queue ${name}`);
    if (queueRoom(queue) === 0) continue;
    const share = shareOf(totals, queue);
    lines.push({ queue, classes: new Heap(classes, isMoreUrgent), share });
  }
  return new Heap(lines, goesBefore);
}

/** By priority, then age. */
function isMoreUrgent(a: TaskClass, b: TaskClass): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  const headA = a.jobs[a.head] ?? 0;
  const headB = b.jobs[b.head] ?? 0;
  return headA === headB ? byText(a.key, b.key) < 0 : headA < headB;
}

function totalAmounts(workers: readonly Worker[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  for (const worker of workers) {
    for (const [name, amount] of worker.total) totals.set(name, (totals.get(name) ?? 0) + amount);
  }
  return totals;
}

/** Millionths of the cluster's scarcest amount that the queue uses, divided by its weight. */
function shareOf(totals: ReadonlyMap<string, number>, queue: Queue): number {
  let dominant = 0;
  for (const [name, used] of queue.used) {
    const total = totals.get(name) ?? 0;
    if (total > 0) dominant = Math.max(dominant, Math.floor((used * 1_000_000) / total));
  }
  return Math.floor((dominant * 1000) / queue.settings.weight);
}

/** The queue with the smaller share; of equal ones that whose head has waited longer. */
function goesBefore(line: Line, other: Line): boolean {
  if (line.share !== other.share) return line.share < other.share;
  const [own, others] = [line, other].map(({ classes }) => classes.first?.headSince ?? 0);
  if (own !== others) return (own ?? 0) < (others ?? 0);
  return byText(line.queue.name, other.queue.name) < 0;
}

/** Queues take turns by this part of the cluster, in millionths: finer would be many small steps. */
const turnShare = 1_000_000 / 64;

/** How many tasks the line may get at once: its share passes the next one's by one turn at most. */
function fairCount(
  state: State,
  totals: ReadonlyMap<string, number>,
  line: Line,
  own: TaskClass,
  next: Line | undefined,
): number {
  const job = state.jobs.get(own.jobs[own.head] ?? 0);
  if (!next || !job) return Number.MAX_SAFE_INTEGER;
  let each = 0;
  for (const [name, amount] of job.amounts) {
    const total = totals.get(name) ?? 0;
    if (total > 0) each = Math.max(each, Math.floor((amount * 1_000_000) / total));
  }
  each = Math.floor((each * 1000) / line.queue.settings.weight);
  if (each === 0) return Number.MAX_SAFE_INTEGER;
  return Math.max(1, Math.ceil((next.share + turnShare - line.share) / each));
}

interface Step {
  readonly room: Room;
  /** Classes before this one that found no room. */
  readonly stuck: readonly TaskClass[];
  readonly most: number;
  /** Free slots that it may take; what goes ahead of time holds nothing and is not counted. */
  readonly fair: number;
}

/** Gives one run of the class's tasks to one worker; how many, or 0 when it is stuck. */
function placeSome(turn: Turn, queue: Queue, own: TaskClass, step: Step): number {
  const { state } = turn;
  const { room } = step;
  let looked = 0;
  for (let i = own.head; i < own.jobs.length && looked < limits.headTasksMax; i++, looked++) {
    room.looks--;
    const job = present(state.jobs.get(own.jobs[i] ?? 0), "job of a class");
    if (job.stopping !== null) continue;
    const most = Math.min(step.most, queueRoom(queue), keyRoom(state, job));
    if (most === 0) continue;
    const first = firstReady(job.tasks);
    if (first < 0) continue;
    const choice = chooseWorker(room, job, own, first, step.stuck);
    if (!choice) {
      // Others of this class have the same needs: none of them fits either, unless this task is special.
      if (job.deaths.size === 0 && job.spec.concurrency === null) return 0;
      continue;
    }
    const fair = choice.ahead ? choice.count : Math.min(choice.count, step.fair);
    const wanted = Math.min(most, fair, limits.sliceTasksMax);
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

/** S4: a class that starves beside smaller tasks reserves the large enough worker with the most free. */
function reserveIfStarved(turn: Turn, room: Room, own: TaskClass): void {
  const { state } = turn;
  if (own.reserved !== 0 && state.workers.get(own.reserved)?.state === "active") return;
  if (own.headSince < 0 || turn.time - own.headSince < limits.reserveAfterMs) return;
  const job = state.jobs.get(own.jobs[own.head] ?? 0);
  const queue = present(state.queues.get(own.queue), `queue ${own.queue}`);
  if (!job || keyRoom(state, job) === 0 || queueRoom(queue) === 0) return;
  const best = chooseReserved(room, job, own);
  if (best) emit(turn, { kind: "reserved", v: 1, classKey: own.key, worker: best.number });
}
