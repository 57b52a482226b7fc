// How long a job still takes, by its rate so far.

import type { JobView } from "../../../src/client/index.ts";

export function etaOf(job: Pick<JobView, "counts" | "tasks" | "started">): number | null {
  const { succeeded, failed, cancelled } = job.counts;
  const done = succeeded + failed + cancelled;
  if (job.started === null || done === 0) return null;
  const spentMs = Date.now() - Date.parse(job.started);
  return (spentMs / done) * (job.tasks - done);
}
