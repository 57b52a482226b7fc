// Workers as the leader sees them, and draining them.

import { isAway } from "../../core/commands/worker.ts";
import { tasksOn } from "../../core/on-worker.ts";
import type { Worker } from "../../core/state.ts";
import { holds, labelOf, labelPrefix } from "../../protocol/filter.ts";
import type { WorkerDetailView, WorkerView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { ask, look } from "../context.ts";
import { iso, workerView } from "../views.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { pageOf, readListing } from "./list-query.ts";
import { noSuchWorker } from "./tasks.ts";

export async function workers(
  { master, clock }: ApiContext,
  { query }: Call<"workers">,
): Promise<Answer<"workers">> {
  const scope = { resource: "workers", wall: clock.wall(), place: /^\d{1,15}$/ } as const;
  const listing = readListing(query, scope);
  return look(master, (state) => {
    const fitting = [...state.workers.values()]
      .filter((worker) => holds(listing.terms, (field) => valueOf(worker, field)))
      .sort((a, b) => a.number - b.number);
    return pageOf(fitting, listing, {
      isAfter: ({ number }, place) => number > Number(place),
      placeOf: ({ number }) => String(number),
      view: (worker) => workerView(worker, master.sessions.liveOf(state, worker.number)),
    });
  });
}

function valueOf({ state, info }: Worker, field: string): string | undefined {
  if (field.startsWith(labelPrefix)) return labelOf(info.labels, field);
  return { state, pool: info.pool }[field];
}

export async function worker(
  { master }: ApiContext,
  { params }: Call<"worker">,
): Promise<WorkerDetailView> {
  return look(master, (state) => {
    const found = state.workers.get(state.workerNumbers.get(params.worker) ?? 0);
    if (!found) throw noSuchWorker(params.worker);
    const byJob = new Map<number, number>();
    for (const { job, count } of tasksOn(state, found)) {
      byJob.set(job, (byJob.get(job) ?? 0) + count);
    }
    return {
      ...workerView(found, master.sessions.liveOf(state, found.number)),
      changed: iso(found.changedWall),
      reason: isAway(found) && found.lostReason !== "" ? found.lostReason : null,
      exits: found.drainExit,
      jobs: [...byJob].map(([job, tasks]) => ({ job: state.jobs.get(job)?.id ?? "", tasks })),
    };
  });
}

export async function drainWorker(
  { master }: ApiContext,
  { params, body }: Call<"drainWorker">,
): Promise<WorkerView> {
  return drain(master, params.worker, body);
}

/** A drain without a deadline, of which the worker stays. */
export async function cordonWorker(
  { master }: ApiContext,
  { params, body }: Call<"cordonWorker">,
): Promise<WorkerView> {
  const { undo, reason } = body;
  const text = undo ? "a worker takes work again" : "a worker takes nothing new";
  const view = await drain(master, params.worker, { deadlineMs: 0, exit: false, undo });
  master.log.info(text, { worker: params.worker, reason });
  return view;
}

interface Drain {
  readonly deadlineMs: number;
  readonly exit: boolean;
  readonly undo: boolean;
}

async function drain(master: Master, id: string, how: Drain): Promise<WorkerView> {
  const number = await numberOf(master, id);
  await ask(master, { kind: "drain", worker: number, ...how });
  const view = await look(master, (state) => {
    const found = state.workers.get(number);
    return found && workerView(found, master.sessions.liveOf(state, number));
  });
  if (view) return view;
  throw noSuchWorker(id);
}

export async function forgetWorker(
  { master }: ApiContext,
  { params }: Call<"forgetWorker">,
): Promise<Answer<"forgetWorker">> {
  const id = params.worker;
  await ask(master, { kind: "forgetWorker", worker: await numberOf(master, id) });
  return { id, done: true };
}

async function numberOf(master: Master, id: string): Promise<number> {
  const number = await look(master, (state) => state.workerNumbers.get(id));
  if (number === undefined) throw noSuchWorker(id);
  return number;
}
