// GET …/stream: what ran when, a row per slot and a bar per attempt (Dask's task stream is where the picture comes
// from). Slots are not recorded: attempts of one worker are laid side by side as they overlap.

import { attemptOf, stateOf, workerOf } from "../../core/columns.ts";
import type { Job, State } from "../../core/state.ts";
import { endReason, endReasons, taskState } from "../../protocol/model.ts";
import { pictureStates } from "../../protocol/picture-states.ts";
import type { PictureState } from "../../protocol/picture-states.ts";
import type { StreamView } from "../../protocol/picture-views.ts";
import type { SpanColumns, Spans } from "../archive/run-picture.ts";
import type { Master } from "../context.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { checkArchived, findJob, seeJob, viewOfRow } from "./lookup.ts";
import { verdictOfCells, verdictOfSpans } from "./stream-verdict.ts";
import { isRunning } from "./tasks.ts";

/** An attempt as a bar, in wall clock ms. */
export interface Bar {
  readonly worker: string;
  readonly task: number;
  readonly attempt: number;
  readonly start: number;
  readonly end: number;
  readonly state: PictureState;
}

interface Run {
  readonly started: number;
  /** 0: it still runs. */
  readonly ended: number;
  readonly live: readonly Bar[];
}

/** Cells of time where there are too many bars. */
const cellsWide = 400;
const none: SpanColumns = { worker: [], task: [], attempt: [], start: [], end: [], code: [] };

export async function stream(context: ApiContext, call: Call<"stream">): Promise<StreamView> {
  const { query, params } = call;
  const job = await findJob(context, params.job);
  await checkArchived(context, job);
  const now = context.clock.wall();
  const run = await seeJob<Run>(
    context,
    job,
    (live, state) => seeRun(context.master, state, live, now),
    (row) => {
      const { started, ended } = viewOfRow(row);
      return { started: millis(started), ended: millis(ended), live: [] };
    },
  );
  const from = query.from ?? run.started;
  const to = Math.max(from + 1, query.to ?? (run.ended || now));
  const { bars: spansMax } = query;
  const ask = { from, to, spansMax, cells: cellsWide };
  const found = await context.master.archive.spans(job, ask);
  const live = run.live.filter(({ start }) => start < to);
  const window = { from, to, total: found.total + live.length };
  return found.cells
    ? { ...window, ...ofCells(found, from, to) }
    : { ...window, ...ofBars([...barsOf(found), ...live], from, to) };
}

function millis(iso: string | null): number {
  return iso === null ? 0 : Date.parse(iso);
}

/** Attempts that run now, with when the job began and ended. */
function seeRun(master: Master, state: State, job: Job, now: number): Run {
  const live: Bar[] = [];
  const { run, counts } = job.tasks;
  let left = counts[taskState.assigned] ?? 0;
  for (let task = 0; run && left > 0 && task < job.tasks.count; task++) {
    if (stateOf(job.tasks, task) !== taskState.assigned) continue;
    left--;
    if (!isRunning(master, job, task)) continue;
    live.push({
      worker: state.workers.get(workerOf(job.tasks, task))?.info.id ?? "?",
      task,
      attempt: attemptOf(job.tasks, task),
      start: job.createdWall + (run.since[task] ?? 0),
      end: now,
      state: "running",
    });
  }
  return { started: job.startedWall || job.createdWall, ended: job.endedWall, live };
}

function barsOf({ workers, spans = none }: Spans): Bar[] {
  return spans.task.map((task, i) => ({
    worker: workers[spans.worker[i] ?? 0] ?? "?",
    task,
    attempt: spans.attempt[i] ?? 0,
    start: spans.start[i] ?? 0,
    end: spans.end[i] ?? 0,
    state: pictureStateOf(spans.code[i] ?? 0),
  }));
}

export function pictureStateOf(code: number): PictureState {
  if (code === endReasons.workerLost.code) return "lost";
  if (code === endReasons.givenBack.code || code === endReasons.drained.code) return "given_back";
  return endReason(code).state;
}

// ── bars in lanes ────────────────────────────────────────────────────────────────────────

/** Ends are known as precisely as batches are timed: so much overlap is none. */
const toleranceMs = 5;
/** Of one worker; what overlaps more lies on top of another. */
const lanesMax = 256;

interface Lane {
  readonly worker: string;
  readonly slot: number;
  free: number;
}

function ofBars(bars: readonly Bar[], from: number, to: number) {
  const lanes = new Map<string, Lane[]>();
  const placed = bars
    .toSorted((a, b) => a.start - b.start || a.task - b.task)
    .map((bar) => ({ bar, lane: laneFor(lanes, bar) }));
  const order = orderOf(lanes);
  const numberOf = new Map(order.map((lane, i) => [lane, i]));
  const column = (pick: (bar: Bar) => number) => placed.map(({ bar }) => pick(bar));
  return {
    lanes: order.map(({ worker, slot }) => ({ worker, slot })),
    bars: {
      lane: placed.map(({ lane }) => numberOf.get(lane) ?? 0),
      task: column(({ task }) => task),
      attempt: column(({ attempt }) => attempt),
      start: column(({ start }) => rounded(start - from)),
      end: column(({ end }) => rounded(end - from)),
      state: column(({ state }) => pictureStates.indexOf(state)),
    },
    cells: null,
    verdict: verdictOfSpans(bars, order.length, { from, to }),
  };
}

/** The lane of its worker that has been free for the shortest time. */
function laneFor(all: Map<string, Lane[]>, { worker, start, end }: Bar): Lane {
  const lanes = all.get(worker) ?? [];
  all.set(worker, lanes);
  let best: Lane | undefined;
  for (const lane of lanes) {
    if (lane.free <= start + toleranceMs && lane.free >= (best?.free ?? 0)) best = lane;
  }
  if (!best && lanes.length >= lanesMax) best = lanes.reduce((a, b) => (a.free <= b.free ? a : b));
  if (!best) lanes.push((best = { worker, slot: lanes.length, free: 0 }));
  best.free = Math.max(best.free, end);
  return best;
}

/** By the worker's name, with numbers in it as numbers. */
function orderOf(lanes: ReadonlyMap<string, readonly Lane[]>): Lane[] {
  return [...lanes].toSorted(([a], [b]) => byName(a, b)).flatMap(([, own]) => own);
}

const collator = new Intl.Collator("en", { numeric: true });
const byName = (a: string, b: string) => collator.compare(a, b);

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

// ── cells ────────────────────────────────────────────────────────────────────────────────

function ofCells({ workers, cells }: Spans, from: number, to: number) {
  const order = workers
    .map((worker, i) => ({ worker, i }))
    .toSorted((a, b) => byName(a.worker, b.worker));
  const laneOf = new Map(order.map(({ i }, lane) => [i, lane]));
  const { ms = 1, worker = [], cell = [], busyMs = [], code = [] } = cells ?? {};
  const running = busyMs.map((busy) => Math.round((busy / ms) * 100) / 100);
  return {
    lanes: order.map((lane) => ({ worker: lane.worker, slot: 0 })),
    bars: null,
    cells: {
      ms,
      lane: worker.map((one) => laneOf.get(one) ?? 0),
      cell,
      running,
      state: code.map((one) => pictureStates.indexOf(pictureStateOf(one))),
    },
    verdict: verdictOfCells({ worker, running }, (to - from) / ms),
  };
}
