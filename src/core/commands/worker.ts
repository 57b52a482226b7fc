// Workers come, fall silent, drain and are lost. Losing one makes its tasks ready again at once (P4); only
// attempts that could have been running are charged a death, and three deaths are poison (W9).

import { limits } from "../../protocol/limits.ts";
import { endReasons, taskState } from "../../protocol/model.ts";
import type { WorkerInfo } from "../../protocol/model.ts";
import { unbookAll } from "../accounting.ts";
import { byText } from "../classes.ts";
import { attemptOf, isHeld, stateOf, workerOf } from "../columns.ts";
import type { Effect } from "../effect.ts";
import type { Braked, WorkerChanged, WorkerLost, WorkerRegistered } from "../entry.ts";
import { present } from "../invariants.ts";
import type { Note } from "../note.ts";
import { refuse } from "../refusal.ts";
import type { Answer } from "../refusal.ts";
import type { Job, State, Worker } from "../state.ts";
import { clearTasksOn, tasksOn } from "../on-worker.ts";
import type { TaskRange } from "../on-worker.ts";
import { addTimer } from "../timers.ts";
import { release, touch, unassignRange } from "../tasks.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";
import { couldEverRun } from "../placement/filters.ts";
import { dropKeyIfUnused } from "./end-job.ts";
import { reportBlock } from "./report.ts";
import type { ReportedBlock } from "./report.ts";
import { sweep } from "./stop.ts";

type TaskPair = readonly [job: number, task: number];
export type StartedAttempt = readonly [job: number, task: number, attempt: number];

export interface RegisterRequest {
  readonly kind: "register";
  readonly info: WorkerInfo;
  /** The session of the incarnation known so far still answers (W10). */
  readonly otherAnswers: boolean;
  /** Reports of this incarnation that it knows to be recorded, for a leader that does not (any more). */
  readonly recorded?: number;
  /** Attempts of the incarnation known so far that had started, as far as anyone heard. */
  readonly started: readonly StartedAttempt[];
  /** Ends that the incarnation known so far had written down: they count before it is called lost (W6). */
  readonly ends?: readonly ReportedBlock[];
  /** Stored payloads that `ends` name and that are not on the master's disk (A1). */
  readonly gone?: readonly string[];
  /** It leaves by its own wish: it gets nothing, not even in this turn. */
  readonly leaving?: { readonly deadlineMs: number };
}

export function register(turn: Turn, request: RegisterRequest): Answer<{ worker: number }> {
  const { state } = turn;
  const { info } = request;
  const known = state.workers.get(state.workerNumbers.get(info.id) ?? 0);
  const another = known !== undefined && known.info.incarnation !== info.incarnation;
  const stays = another && isDraining(known) && !known.drainExit;
  if (another) {
    const recent = known.changes.filter((time) => time > turn.time - limits.incarnationWindowMs);
    if (request.otherAnswers && recent.length + 1 >= limits.incarnationChangesMax) {
      return refuse(
        "worker_id_in_use",
        `Worker id "${info.id}" is used at ${known.info.address} and at ${info.address}.`,
      );
    }
    if (!isAway(known)) {
      for (const block of request.ends ?? []) reportBlock(turn, known, block, request.gone ?? []);
      loseWorker(turn, known, { reason: "it started anew", gone: false, started: request.started });
    }
  }
  const worker = known?.number ?? state.nextWorker;
  emit(turn, { kind: "workerRegistered", v: 1, worker, info });
  const { recorded = 0 } = request;
  // A life that was forgotten, or that another one stood for meanwhile, goes on counting where it was.
  if ((!known || another) && recorded > 0)
    emit(turn, { kind: "reported", v: 1, worker, n: recorded });
  const anew = state.workers.get(worker);
  // Draining is a word about the machine, not about one process on it; unless that process was to leave.
  const { leaving } = request;
  if (anew && leaving && !(isDraining(anew) && anew.drainExit)) {
    setDrain(turn, anew, "draining", { deadline: deadlineOf(turn, leaving), exit: true });
  } else if (anew && stays) setDrain(turn, anew, "draining", { deadline: 0, exit: false });
  return { ok: true, worker };
}

export function applyWorkerRegistered(
  state: State,
  entry: WorkerRegistered,
  effects: Effect[],
): void {
  const { info } = entry;
  const known = state.workers.get(entry.worker);
  noteRegistered(known, info, effects);
  const total = new Map(
    Object.keys(info.amounts)
      .toSorted(byText)
      .map((name) => [name, info.amounts[name] ?? 0]),
  );
  state.touched.workers.add(entry.worker);
  if (known && known.info.incarnation === info.incarnation) {
    known.info = info;
    known.term = state.term;
    setTotal(known, total);
    // One that was told to leave and came back from its silence is still leaving.
    const leaves = known.drainExit || known.drainDeadline > 0;
    if (known.state === "suspect") known.state = "active";
    else if (isAway(known)) known.state = leaves ? "draining" : "active";
    known.changedWall = state.wall;
    known.lostTime = 0;
    state.away.delete(known.number);
    return;
  }
  const made: Worker = {
    number: entry.worker,
    info,
    state: "active",
    term: state.term,
    registeredTime: state.time,
    changedWall: state.wall,
    lostTime: 0,
    lostReason: "",
    drainDeadline: 0,
    drainExit: false,
    reports: 0,
    changes: known
      ? [...known.changes, state.time].filter(
          (time) => time > state.time - limits.incarnationWindowMs,
        )
      : [],
    total,
    used: new Map(),
    active: new Map(),
    ahead: [],
    aheadCount: 0,
    activeCount: 0,
    ranges: [],
    ranged: 0,
  };
  state.away.delete(entry.worker);
  state.workers.set(entry.worker, made);
  state.workerNumbers.set(info.id, entry.worker);
  state.nextWorker = Math.max(state.nextWorker, entry.worker + 1);
}

/** That it registers with a new leader is no news of it. */
function noteRegistered(known: Worker | undefined, info: WorkerInfo, effects: Effect[]): void {
  const same = known?.info.incarnation === info.incarnation;
  if (same && known.state !== "suspect" && !isAway(known)) return;
  const about = same ? "worker.back" : "worker.joined";
  effects.push({ kind: "note", note: { about, worker: info.id } });
}

function setTotal(worker: Worker, total: Map<string, number>): void {
  worker.total.clear();
  for (const [name, amount] of total) worker.total.set(name, amount);
}

// ── silence and loss ─────────────────────────────────────────────────────────────────────

export interface WorkerNewsRequest {
  readonly kind: "workerNews";
  readonly worker: number;
  readonly incarnation: string;
  readonly news: "silent" | "heard";
}

/** Suspect and heard again are entries, because placement reads the state and nothing else (S1). */
export function workerNews(turn: Turn, request: WorkerNewsRequest): Answer {
  const worker = turn.state.workers.get(request.worker);
  if (!worker || worker.info.incarnation !== request.incarnation) return { ok: true };
  if (request.news === "silent" && worker.state === "active") change(turn, worker, "suspect");
  if (request.news === "heard" && worker.state === "suspect") change(turn, worker, "active");
  return { ok: true };
}

function change(turn: Turn, worker: Worker, to: WorkerChanged["state"]): void {
  emit(turn, {
    kind: "workerChanged",
    v: 1,
    worker: worker.number,
    state: to,
    deadline: worker.drainDeadline,
    exit: worker.drainExit,
  });
}

export interface LoseWorkerRequest {
  readonly kind: "loseWorker";
  readonly worker: number;
  readonly incarnation: string;
  readonly reason: string;
  /** A goodbye: nothing ran any more. */
  readonly gone: boolean;
  /** Lost by silence alone, without a goodbye or a confirmed exit: the brake counts these (L8). */
  readonly silent: boolean;
  readonly started: readonly StartedAttempt[];
}

export function lose(turn: Turn, request: LoseWorkerRequest): Answer<{ braked: boolean }> {
  const { state } = turn;
  const worker = state.workers.get(request.worker);
  if (!worker || worker.info.incarnation !== request.incarnation)
    return { ok: true, braked: false };
  if (worker.state === "lost" || worker.state === "gone") return { ok: true, braked: false };
  if (request.silent && holdsBrake(turn, worker)) return { ok: true, braked: true };
  loseWorker(turn, worker, request);
  return { ok: true, braked: false };
}

/** L8: when many fall silent at once, doubt ourselves first: their work waits, at most a minute. */
function holdsBrake(turn: Turn, worker: Worker): boolean {
  const { state } = turn;
  if (state.brakeUntil > turn.time) return true;
  const live = [...state.workers.values()].filter(
    (other) => other.state !== "gone" && other.state !== "lost",
  );
  const silent = live.filter((other) => other.state === "suspect" || other === worker).length;
  const many = silent >= limits.brakeWorkersMin && silent > live.length * limits.brakeShare;
  const rested = turn.time - state.brakeUntil > limits.brakeWindowMs;
  if (!many || !rested) return false;
  emit(turn, { kind: "braked", v: 1, until: turn.time + limits.brakeMs, silent });
  return true;
}

export function applyBraked(state: State, entry: Braked, effects: Effect[]): void {
  state.brakeUntil = entry.until;
  effects.push({ kind: "note", note: { about: "cluster.braked", silent: entry.silent } });
}

function loseWorker(
  turn: Turn,
  worker: Worker,
  loss: {
    readonly reason: string;
    readonly gone: boolean;
    readonly started: readonly StartedAttempt[];
  },
): void {
  const charged = loss.gone ? [] : chargedDeaths(turn.state, worker, loss.started);
  const poisoned = charged.filter(([number, task]) => {
    const before = turn.state.jobs.get(number)?.deaths.get(task) ?? [];
    return isPoison(turn.state, number, [...before, worker.number]);
  });
  emit(turn, {
    kind: "workerLost",
    v: 1,
    worker: worker.number,
    reason: loss.reason,
    gone: loss.gone,
    charged,
  });
  for (const [number, task] of poisoned) {
    const job = turn.state.jobs.get(number);
    if (job && job.ended === "") sweep(turn, job, task, 1, endReasons.poison.code);
  }
}

/** W9: three deaths by different workers; where fewer could ever run it, by all of those. */
function isPoison(state: State, number: number, deaths: readonly number[]): boolean {
  const job = state.jobs.get(number);
  if (!job || deaths.length < limits.deathsMax) return false;
  let live = 0;
  for (const worker of state.workers.values()) {
    if (worker.state === "lost" || worker.state === "gone") continue;
    if (couldEverRun(state, job, worker)) live++;
  }
  return new Set(deaths).size >= Math.min(limits.deathsMax, live);
}

/**
 * Attempts that are known to have started, or that nobody can say of: those that held amounts. None of a worker
 * that this term's leader never heard: where the master died too, a machine or a person ended them all.
 */
function chargedDeaths(
  state: State,
  worker: Worker,
  started: readonly StartedAttempt[],
): TaskPair[] {
  if (worker.term !== state.term) return [];
  const charged: TaskPair[] = [];
  const counted = new Map<number, Set<number>>();
  for (const [number, task, attempt] of started) {
    const job = state.jobs.get(number);
    if (!job || !isAssignedTo(job, task, worker)) continue;
    // That an earlier attempt had started says nothing of this one, which may still wait there.
    if (attemptOf(job.tasks, task) !== attempt) continue;
    charged.push([number, task]);
    counted.set(number, (counted.get(number) ?? new Set()).add(task));
  }
  // Orders run in the order sent: of the rest, the first ones that held amounts may have been running.
  const left = new Map<number, number>();
  for (const [job, active] of worker.active) left.set(job, active - (counted.get(job)?.size ?? 0));
  for (const { job: number, first, count } of tasksOn(state, worker)) {
    const job = present(state.jobs.get(number), `job ${number}`);
    let more = left.get(number) ?? 0;
    for (let task = first; task < first + count && more > 0; task++) {
      if (isHeld(job.tasks, task) || counted.get(number)?.has(task)) continue;
      charged.push([number, task]);
      more--;
    }
    left.set(number, more);
  }
  return charged;
}

function isAssignedTo(job: Job, task: number, worker: Worker): boolean {
  return (
    stateOf(job.tasks, task) === taskState.assigned && workerOf(job.tasks, task) === worker.number
  );
}

export function applyWorkerLost(state: State, entry: WorkerLost, effects: Effect[]): void {
  const worker = present(state.workers.get(entry.worker), `worker ${entry.worker}`);
  for (const [number, task] of entry.charged) {
    const job = state.jobs.get(number);
    if (!job || !isAssignedTo(job, task, worker)) continue;
    job.deaths.set(task, [...(job.deaths.get(task) ?? []), worker.number]);
  }
  effects.push({ kind: "note", note: lossOf(worker, entry) });
  worker.state = entry.gone ? "gone" : "lost";
  worker.lostReason = entry.reason;
  worker.changedWall = state.wall;
  worker.lostTime = state.time;
  state.away.add(worker.number);
  for (const range of tasksOn(state, worker)) {
    requeue(state, worker, range, effects);
  }
  clearTasksOn(worker);
  unbookAll(state, worker);
  state.touched.workers.add(worker.number);
}

function lossOf(worker: Worker, { gone, reason }: WorkerLost): Note {
  const tasks = worker.activeCount + worker.aheadCount;
  return { about: gone ? "worker.gone" : "worker.lost", worker: worker.info.id, reason, tasks };
}

function requeue(state: State, worker: Worker, range: TaskRange, effects: Effect[]): void {
  const job = present(state.jobs.get(range.job), `job ${range.job}`);
  const over = range.first + range.count;
  for (let task = range.first; task < over; task++) {
    if (isHeld(job.tasks, task)) {
      release(state, job, task, worker);
      continue;
    }
    const first = task;
    while (task < over && !isHeld(job.tasks, task)) effects.push(lostAttempt(job, worker, task++));
    const count = task-- - first;
    unassignRange(state, job, first, count);
    job.attemptsLost += count;
    state.totals.attemptsLost += count;
  }
  if (job.ended !== "") dropKeyIfUnused(state, job);
  touch(state, job, worker);
}

function lostAttempt(job: Job, worker: Worker, task: number): Effect {
  return {
    kind: "attempt",
    job: job.number,
    task,
    attempt: attemptOf(job.tasks, task),
    worker: worker.number,
    reason: endReasons.workerLost.code,
    charged: false,
    started: job.createdWall + (job.tasks.run?.since[task] ?? 0),
    micros: 0,
    logBytes: 0,
    error: null,
  };
}

// ── drain ────────────────────────────────────────────────────────────────────────────────

export interface DrainRequest {
  readonly kind: "drain";
  readonly worker: number;
  readonly deadlineMs: number;
  readonly exit: boolean;
  readonly undo: boolean;
  /** The wish of this process alone; without it a word about the machine. */
  readonly incarnation?: string;
}

export function drain(turn: Turn, request: DrainRequest): Answer {
  const worker = turn.state.workers.get(request.worker);
  if (!worker) return refuse("not_found", "There is no such worker.");
  const { incarnation = worker.info.incarnation } = request;
  if (incarnation !== worker.info.incarnation) return { ok: true };
  if (worker.state === "lost" || worker.state === "gone") {
    return refuse("conflict", `Worker ${worker.info.id} is ${worker.state}.`);
  }
  if (request.undo) {
    // A suspect worker stays suspect: only what a drain has done is undone.
    if (isDraining(worker)) setDrain(turn, worker, "active", { deadline: 0, exit: false });
    return { ok: true };
  }
  setDrain(turn, worker, "draining", { deadline: deadlineOf(turn, request), exit: request.exit });
  return { ok: true };
}

function deadlineOf(turn: Turn, { deadlineMs }: { readonly deadlineMs: number }): number {
  return deadlineMs === 0 ? 0 : turn.time + deadlineMs;
}

function isDraining(worker: Worker): boolean {
  return worker.state === "draining" || worker.state === "drained";
}

function setDrain(
  turn: Turn,
  worker: Worker,
  state: "active" | "draining",
  drained: { readonly deadline: number; readonly exit: boolean },
): void {
  emit(turn, { kind: "workerChanged", v: 1, worker: worker.number, state, ...drained });
}

/** A draining worker that holds nothing any more is drained. */
export function finishDrains(turn: Turn): void {
  for (const worker of turn.state.workers.values()) {
    const empty = worker.activeCount === 0 && worker.aheadCount === 0;
    if (worker.state === "draining" && empty) change(turn, worker, "drained");
  }
}

export function applyWorkerChanged(state: State, entry: WorkerChanged, effects: Effect[]): void {
  const worker = present(state.workers.get(entry.worker), `worker ${entry.worker}`);
  const drains = (name: string) => name === "draining" || name === "drained";
  // Whatever of a drain changed, the worker is told: it keeps the deadline (T2).
  const told =
    drains(entry.state) !== drains(worker.state) ||
    (drains(entry.state) &&
      (entry.deadline !== worker.drainDeadline || entry.exit !== worker.drainExit));
  noteChanged(worker, entry.state, effects);
  worker.state = entry.state;
  worker.drainDeadline = entry.deadline;
  worker.drainExit = entry.exit;
  worker.changedWall = state.wall;
  state.touched.workers.add(worker.number);
  if (entry.deadline > state.time) {
    addTimer(state.timers, { at: entry.deadline, kind: "drain", worker: worker.number });
  }
  if (told) effects.push({ kind: "drain", worker: worker.number });
}

function noteChanged(worker: Worker, to: WorkerChanged["state"], effects: Effect[]): void {
  if (to === worker.state) return;
  const { id } = worker.info;
  if (to === "draining" || to === "drained") {
    const note = { about: "worker.draining", worker: id, done: to === "drained" } as const;
    effects.push({ kind: "note", note });
    return;
  }
  const about = to === "suspect" ? "worker.suspect" : "worker.back";
  effects.push({ kind: "note", note: { about, worker: id } });
}

export function isAway({ state }: Worker): boolean {
  return state === "lost" || state === "gone";
}
