// GET /v1/overview and /v1/series: what a dashboard's first page shows. One answer is made for all who look within half
// a second: a thousand viewers cost what one does.

import type { Clock } from "../../lib/clock.ts";
import type { Job, State } from "../../core/state.ts";
import { unended } from "../../core/commands/end-job.ts";
import { taskState } from "../../protocol/model.ts";
import type { OverviewBrief, OverviewView, SeriesView } from "../../protocol/picture-views.ts";
import type { Master } from "../context.ts";
import { look } from "../context.ts";
import { cpus, oldestWait } from "../series.ts";
import { countsOf, iso } from "../views.ts";
import { JsonText } from "./handlers.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { inQueues, jobCounts, problemsOf, verdictOf } from "./status.ts";

const sharedMs = 500;
const workersMax = 1_000;
const runningMax = 20;
const failingMax = 5;
/** Newest jobs that are looked at for these. */
const jobsLooked = 10_000;

interface Made {
  readonly view: OverviewView;
  readonly text: JsonText;
}

/** Makes the answer anew when the last one is older than half a second. */
export class Overview {
  readonly #master: Master;
  readonly #clock: Clock;
  #made: Promise<Made> | undefined;
  #at = 0;

  constructor(master: Master, clock: Clock) {
    this.#master = master;
    this.#clock = clock;
  }

  async text(): Promise<JsonText> {
    return (await this.#make()).text;
  }

  /** For streams: without what is a list. */
  async brief(): Promise<OverviewBrief> {
    const { workers, running: _r, failing: _f, attention: _a, ...rest } = (await this.#make()).view;
    return { ...rest, workers: { total: workers.total } };
  }

  #make(): Promise<Made> {
    const now = this.#clock.now();
    if (this.#made && now - this.#at < sharedMs) return this.#made;
    this.#at = now;
    const wall = this.#clock.wall();
    const made = look(this.#master, (state, time) => seen(this.#master, state, time, wall)).then(
      (view) => ({ view, text: new JsonText(JSON.stringify(view)) }),
    );
    this.#made = made;
    // Who asks next asks anew.
    made.catch(() => (this.#made = undefined));
    return made;
  }
}

export function overview({ overview: shared }: ApiContext): Promise<JsonText> {
  return shared.text();
}

export async function series({ master }: ApiContext, call: Call<"series">): Promise<SeriesView> {
  return master.series.view(call.query.span);
}

function seen(master: Master, state: State, time: number, wall: number): OverviewView {
  const attention = problemsOf(master, state, time);
  const worst = attention.some(({ level }) => level === "bad") ? "bad" : "warn";
  const { running, failing } = jobsOf(state, wall);
  return {
    verdict: verdictOf(master, state, time),
    level: attention.length === 0 ? "ok" : worst,
    index: state.index,
    term: state.term,
    master: master.identity.id,
    rates: master.series.rates(),
    tasks: inQueues(state),
    jobs: jobCounts(state),
    cpu: { used: cpus(state, "used"), total: cpus(state, "total") },
    oldestWaitMs: oldestWait(state, time),
    workers: workersOf(master, state),
    running,
    failing,
    attention,
  };
}

function workersOf({ sessions }: Master, state: State): OverviewView["workers"] {
  const all = [...state.workers.values()].filter((worker) => worker.state !== "gone");
  const items = all.slice(0, workersMax).map((worker) => ({
    id: worker.info.id,
    state: worker.state,
    used: (worker.used.get("cpu") ?? 0) / 1_000,
    total: (worker.total.get("cpu") ?? 0) / 1_000,
    running: sessions.liveOf(state, worker.number).running,
  }));
  return { total: all.length, items };
}

/** Of the newest jobs: those that run, and those in which something failed. */
function jobsOf(state: State, wall: number): Pick<OverviewView, "running" | "failing"> {
  const running: OverviewView["running"] = [];
  const failing: OverviewView["failing"] = [];
  for (let number = state.nextJob - 1, looked = 0; number > 0 && looked < jobsLooked; number--) {
    looked++;
    const job = state.jobs.get(number);
    if (!job) continue;
    const failed = job.tasks.counts[taskState.failed] ?? 0;
    const { id, spec, tasks } = job;
    if (failed > 0 && failing.length < failingMax) {
      failing.push({ id, task: spec.task, failed, tasks: tasks.count });
    }
    if (job.ended !== "" || job.startedWall === 0 || running.length === runningMax) continue;
    running.push({
      id,
      task: spec.task,
      queue: spec.queue,
      tasks: tasks.count,
      counts: countsOf(job),
      started: iso(job.startedWall),
      etaMs: etaOf(job, wall),
    });
  }
  return { running, failing };
}

/** By the rate at which its tasks have ended so far; nobody knows how much an open job will have. */
function etaOf(job: Job, wall: number): number | null {
  const rest = unended(job);
  const done = job.tasks.count - rest;
  if (job.open || done === 0) return null;
  return Math.round(((wall - job.startedWall) * rest) / done);
}
