// Workers as the leader sees them, and draining them.

import type { State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { WorkerView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { ask, look } from "../context.ts";
import { workerView } from "../views.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { pageOf } from "./pages.ts";

export async function workers(
  { master }: ApiContext,
  { query }: Call<"workers">,
): Promise<Answer<"workers">> {
  const all = await look(master, (state) => viewsIn(state, master));
  return pageOf(all, query);
}

function viewsIn(state: State, { sessions }: Master): WorkerView[] {
  return [...state.workers.values()]
    .toSorted((a, b) => a.number - b.number)
    .map((worker) => workerView(worker, sessions.liveOf(state, worker.number)));
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
