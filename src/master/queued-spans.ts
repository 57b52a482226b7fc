// How long tasks of a traced job waited: a span for each range that is assigned together, not for each task. Made by
// the leader, when the assignment is durable; only of first attempts, whose beginning the state knows.

import { partOf } from "../core/tasks.ts";
import type { State } from "../core/state.ts";
import { remoteContext, startSpan, tracing } from "../lib/tracing.ts";
import { parseTraceparent } from "../protocol/traceparent.ts";
import type { Durable } from "./loop-ports.ts";

export function traceQueued(state: State, { effects, wall }: Durable): void {
  const api = tracing();
  if (!api) return;
  for (const effect of effects) {
    if (effect.kind !== "start" || effect.attempt !== 1) continue;
    const job = state.jobs.get(effect.job);
    if (job?.spec.traceparent === undefined) continue;
    const readyTime = Math.max(
      partOf(job, effect.first)?.createdTime ?? job.createdTime,
      job.wakeTime,
    );
    const attributes = {
      "skein.job.id": job.id,
      "skein.queue": job.spec.queue,
      "skein.task.id": effect.first,
      "skein.tasks": effect.count,
      "skein.attempt": effect.attempt,
      "skein.worker.id": state.workers.get(effect.worker)?.info.id ?? "",
    };
    const startTime = Math.min(wall, job.createdWall + Math.max(0, readyTime - job.createdTime));
    const parent = remoteContext(api, parseTraceparent(job.spec.traceparent));
    startSpan(api, "skein.queued", { startTime, attributes }, parent).end(wall);
  }
}
