// Workers that are lost or gone leave the state: in time, when there are too many, or because somebody says so.

import { limits } from "../../protocol/limits.ts";
import type { WorkerForgotten } from "../entry.ts";
import { present } from "../invariants.ts";
import { tasksOn } from "../on-worker.ts";
import { refuse } from "../refusal.ts";
import type { Answer } from "../refusal.ts";
import type { State, Worker } from "../state.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";
import { isAway } from "./worker.ts";

/** So many are forgotten in one turn. */
const forgottenPerTurn = 256;

/** Workers that are lost leave the state after a day, or when there are too many of them: many never return. */
export function forgetWorkers(turn: Turn): void {
  const { state, time } = turn;
  let forgotten = 0;
  for (const number of state.away) {
    const worker = present(state.workers.get(number), `worker ${number}`);
    const old = time - worker.lostTime > limits.lostWorkerMs;
    if (!old && state.away.size <= limits.lostWorkersMax) return;
    if (!isBare(state, worker)) continue;
    emit(turn, { kind: "workerForgotten", v: 1, worker: number });
    if (++forgotten === forgottenPerTurn) return;
  }
}

export interface ForgetWorkerRequest {
  readonly kind: "forgetWorker";
  readonly worker: number;
}

/** Somebody knows that it will not return. Should it do so all the same, it is a new worker. */
export function forgetWorker(turn: Turn, request: ForgetWorkerRequest): Answer {
  const worker = turn.state.workers.get(request.worker);
  if (!worker) return refuse("not_found", "There is no such worker.");
  if (!isAway(worker)) {
    const hint = "Only one that is lost or gone can be forgotten: drain it first.";
    return refuse("conflict", `Worker ${worker.info.id} is ${worker.state}.`, { hint });
  }
  if (!isBare(turn.state, worker)) {
    return refuse("conflict", `Worker ${worker.info.id} still holds attempts.`);
  }
  emit(turn, { kind: "workerForgotten", v: 1, worker: worker.number });
  return { ok: true };
}

/** Losing a worker takes everything from it; should that ever change, it stays. */
function isBare(state: State, worker: Worker): boolean {
  return worker.activeCount + worker.aheadCount === 0 && tasksOn(state, worker).length === 0;
}

export function applyWorkerForgotten(state: State, entry: WorkerForgotten): void {
  const worker = state.workers.get(entry.worker);
  if (!worker) return;
  state.away.delete(entry.worker);
  state.workers.delete(entry.worker);
  state.workerNumbers.delete(worker.info.id);
  state.touched.workers.add(entry.worker);
}
