// Workers as the leader sees them, and draining them.

import type { Worker } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { holds, labelOf, labelPrefix } from "../../protocol/filter.ts";
import type { WorkerView } from "../../protocol/views.ts";
import { ask, look } from "../context.ts";
import { workerView } from "../views.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { pageOf, readListing } from "./list-query.ts";

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

export async function drainWorker(
  { master }: ApiContext,
  { params, body }: Call<"drainWorker">,
): Promise<WorkerView> {
  const missing = new SkeinError("not_found", `There is no worker ${params.worker}.`, {
    hint: "`skein worker list` shows them.",
  });
  const worker = await look(master, (state) => state.workerNumbers.get(params.worker));
  if (worker === undefined) throw missing;
  await ask(master, { kind: "drain", worker, ...body });
  const view = await look(master, (state) => {
    const found = state.workers.get(worker);
    return found && workerView(found, master.sessions.liveOf(state, worker));
  });
  if (view) return view;
  throw missing;
}
