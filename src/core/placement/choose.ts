// Which worker a run of tasks goes to.
//
// Within one call of placement assignments only take away: what is full stays full, and what speaks for a
// worker only falls. So the workers that suit a shape of needs are found once, stand in heaps, and leave them
// when they are full: no step looks at all workers. What a call costs is counted in looks at a worker.

import { fitCount, slotCount } from "../accounting.ts";
import type { Job, State, TaskClass, Worker } from "../state.ts";
import { aheadDepth, givesWay } from "./ahead.ts";
import { isKept, isOpen, isSuitable } from "./filters.ts";
import { Heap } from "./heap.ts";

/** The workers as one call sees them. */
export interface Room {
  readonly state: State;
  /** Those that may be given anything. */
  readonly workers: readonly Worker[];
  /** The most of each amount that was free on one of them: what needs more fits nowhere. */
  readonly mostFree: ReadonlyMap<string, number>;
  readonly shapes: Map<string, Shape>;
  /** Looks that this call may still take. */
  looks: number;
}

/** What all classes with the same needs have in common. */
interface Shape {
  readonly suitable: readonly Worker[];
  /** Of these the reserved ones: whether a class may have one is asked for each (S4). */
  readonly kept: readonly Worker[];
  /** The others that have room now. */
  readonly free: Heap<Seat>;
  /** The others, by how far ahead tasks are sent. */
  readonly ahead: Map<number, Heap<Seat>>;
  /** Nobody is left that a class could reserve. */
  allKept: boolean;
}

interface Seat {
  readonly worker: Worker;
  /** What does not change: preferred labels. */
  readonly bonus: number;
  score: number;
}

export interface Choice {
  readonly worker: Worker;
  readonly count: number;
  readonly ahead: boolean;
}

export function openRoom(state: State, looks: number, resting: ReadonlySet<number>): Room {
  const workers = [...state.workers.values()].filter(
    (worker) => isOpen(state, worker) && !resting.has(worker.number),
  );
  const mostFree = new Map<string, number>();
  for (const worker of workers) {
    if (worker.aheadCount > 0) continue;
    for (const [name, total] of worker.total) {
      const free = total - (worker.used.get(name) ?? 0);
      if (free > (mostFree.get(name) ?? 0)) mostFree.set(name, free);
    }
  }
  return { state, workers, mostFree, shapes: new Map(), looks };
}

/** `stuck` are classes before this one that found no room. */
export function chooseWorker(
  room: Room,
  job: Job,
  own: TaskClass,
  task: number,
  stuck: readonly TaskClass[],
): Choice | undefined {
  const fits = job.amounts.every(([name, amount]) => amount <= (room.mostFree.get(name) ?? 0));
  // One that may have killed a worker stands in nobody's line, and would come back from there at once: the
  // worker that idles is the one it avoids.
  const depth = job.deaths.has(task) ? 0 : aheadDepth(job);
  if (!fits && depth === 0) return undefined;
  const shape = shapeOf(room, job, own);
  const avoided = avoidedFor(room, shape, job, own, task);
  const free = fits ? chooseFree(room, shape, job, own, avoided) : undefined;
  if (free) {
    const share = Math.ceil(own.ready / shape.suitable.length);
    const count = fitCount(free, job.amounts, Math.max(1, share));
    return { worker: free, count, ahead: false };
  }
  return depth === 0 ? undefined : chooseAhead(room, shape, job, own, depth, stuck);
}

function shapeOf(room: Room, job: Job, own: TaskClass): Shape {
  const known = room.shapes.get(own.shape);
  if (known) return known;
  const { state } = room;
  room.looks -= room.workers.length;
  const suitable = room.workers.filter((worker) => isSuitable(state, job, worker));
  const seats: Seat[] = [];
  for (const worker of suitable) {
    if (state.reserved.has(worker.number) || !hasRoom(worker, job)) continue;
    const bonus = preferredCount(job, worker) * 10_000;
    seats.push({ worker, bonus, score: bonus + emptiness(job, worker) });
  }
  const shape: Shape = {
    suitable,
    kept: suitable.filter((worker) => state.reserved.has(worker.number)),
    free: new Heap(seats, isBetter),
    ahead: new Map(),
    allKept: false,
  };
  room.shapes.set(own.shape, shape);
  return shape;
}

function isBetter(a: Seat, b: Seat): boolean {
  return a.score === b.score ? a.worker.number < b.worker.number : a.score > b.score;
}

const none: readonly number[] = [];

/** Workers that died under this task are avoided while there is another. */
function avoidedFor(
  room: Room,
  shape: Shape,
  job: Job,
  own: TaskClass,
  task: number,
): readonly number[] {
  const deaths = job.deaths.get(task);
  if (!deaths) return none;
  const other = shape.suitable.some(
    (worker) => !deaths.includes(worker.number) && !isKept(room.state, own, worker),
  );
  return other ? deaths : none;
}

function hasRoom(worker: Worker, job: Job): boolean {
  return worker.aheadCount === 0 && fitCount(worker, job.amounts, 1) > 0;
}

/** The best worker with room now: preferred labels, then the emptiest, then the lowest number. */
function chooseFree(
  room: Room,
  shape: Shape,
  job: Job,
  own: TaskClass,
  avoided: readonly number[],
): Worker | undefined {
  const scoreOf = (worker: Worker, bonus: number) =>
    hasRoom(worker, job) ? bonus + emptiness(job, worker) : 0;
  let best = firstOf(room, shape.free, avoided, ({ worker, bonus }) => scoreOf(worker, bonus));
  for (const worker of othersKept(room, shape, own, avoided)) {
    const bonus = preferredCount(job, worker) * 10_000;
    const seat = { worker, bonus, score: scoreOf(worker, bonus) };
    if (seat.score > 0 && (!best || isBetter(seat, best))) best = seat;
  }
  return best?.worker;
}

/** The best seat that is not avoided. Those that are worth nothing any more, or reserved by now, leave. */
function firstOf(
  room: Room,
  seats: Heap<Seat>,
  avoided: readonly number[],
  scoreOf: (seat: Seat) => number,
): Seat | undefined {
  const aside: Seat[] = [];
  let found: Seat | undefined;
  for (let seat = seats.first; seat && !found; seat = seats.first) {
    room.looks--;
    const score = room.state.reserved.has(seat.worker.number) ? 0 : scoreOf(seat);
    if (score <= 0) seats.pop();
    else if (avoided.includes(seat.worker.number)) {
      aside.push(seat);
      seats.pop();
    } else if (score === seat.score) found = seat;
    else {
      seat.score = score;
      seats.sinkFirst();
    }
  }
  for (const seat of aside) seats.push(seat);
  return found;
}

const noWorkers: Worker[] = [];

/** Reserved workers that this class may have all the same: its own, and those of less urgent ones. */
function othersKept(
  room: Room,
  shape: Shape,
  own: TaskClass,
  avoided: readonly number[],
): Worker[] {
  if (shape.kept.length === 0) return noWorkers;
  room.looks -= shape.kept.length;
  return shape.kept.filter(
    (worker) => !avoided.includes(worker.number) && !isKept(room.state, own, worker),
  );
}

function preferredCount(job: Job, worker: Worker): number {
  const { preferred } = job.spec.needs;
  return Object.keys(preferred).filter((name) => worker.info.labels[name] === preferred[name])
    .length;
}

/** 1 to 1001: one more than the free thousandths of the amount that is scarcest here for this job. */
function emptiness(job: Job, worker: Worker): number {
  let least = 1000;
  for (const [name] of job.amounts) {
    const total = worker.total.get(name) ?? 0;
    if (total > 0)
      least = Math.min(least, Math.floor(((total - (worker.used.get(name) ?? 0)) * 1000) / total));
  }
  return least + 1;
}

// ── ahead of time ────────────────────────────────────────────────────────────────────────

/** The worker with the most room ahead, when the job's tasks are measured to be short (W8). */
function chooseAhead(
  room: Room,
  shape: Shape,
  job: Job,
  own: TaskClass,
  depth: number,
  stuck: readonly TaskClass[],
): Choice | undefined {
  let seats = shape.ahead.get(depth);
  if (!seats) {
    room.looks -= shape.suitable.length;
    const others = shape.suitable.filter(({ number }) => !room.state.reserved.has(number));
    const all = others.map((worker) => ({
      worker,
      bonus: 0,
      score: roomAhead(worker, job, depth),
    }));
    seats = new Heap(all, isBetter);
    shape.ahead.set(depth, seats);
  }
  const scoreOf = ({ worker }: Seat): number => {
    const count = roomAhead(worker, job, depth);
    if (count === 0) return 0;
    room.looks -= stuck.length > 0 ? 8 : 0;
    return givesWay(room.state, job, worker, stuck) ? 0 : count;
  };
  let best = firstOf(room, seats, none, scoreOf);
  for (const worker of othersKept(room, shape, own, none)) {
    const seat: Seat = { worker, bonus: 0, score: 0 };
    seat.score = scoreOf(seat);
    if (seat.score > 0 && (!best || isBetter(seat, best))) best = seat;
  }
  return best && { worker: best.worker, count: best.score, ahead: true };
}

/** How many more attempts may be sent ahead to the worker. */
function roomAhead(worker: Worker, job: Job, depth: number): number {
  if (hasRoom(worker, job)) return 0;
  const allowed = slotCount(worker, job.amounts, 1_000_000) * depth;
  // Topped up when half is gone: few large orders instead of many small ones.
  if (worker.aheadCount * 2 > allowed || worker.ahead.length > 64) return 0;
  return allowed - worker.aheadCount;
}

// ── reserving ────────────────────────────────────────────────────────────────────────────

/** The large enough worker with the most free that nobody has reserved (S4). */
export function chooseReserved(room: Room, job: Job, own: TaskClass): Worker | undefined {
  const shape = shapeOf(room, job, own);
  if (shape.allKept) return undefined;
  room.looks -= shape.suitable.length;
  let best: Worker | undefined;
  for (const worker of shape.suitable) {
    if (room.state.reserved.has(worker.number)) continue;
    if (!best || emptiness(job, worker) > emptiness(job, best)) best = worker;
  }
  shape.allKept = best === undefined;
  return best;
}
