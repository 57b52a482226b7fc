// What several commands say of jobs: counts, next steps, the short line after a change.

import type { JobView, TaskView } from "../client/index.ts";
import { count, shortId } from "./format.ts";
import { state } from "./render.ts";
import type { Style } from "./style.ts";

export function hasEnded({ state: word }: Pick<JobView, "state">): boolean {
  return word === "succeeded" || word === "failed" || word === "cancelled";
}

export function taskEnded({ state: word }: Pick<TaskView, "state">): boolean {
  return word === "succeeded" || word === "failed" || word === "cancelled";
}

export function doneTasks({ counts }: Pick<JobView, "counts">): number {
  return counts.succeeded + counts.failed + counts.cancelled;
}

/** Tasks that cannot succeed any more. */
export function lostTasks({ counts }: Pick<JobView, "counts">): number {
  return counts.failed + counts.cancelled;
}

/** "3 ready, 2 assigned, 995 succeeded": what there is none of is left out. */
export function countsText(counts: JobView["counts"], style: Style): string {
  const words = ["waiting", "ready", "backoff", "assigned", "succeeded", "failed", "cancelled"];
  const all: Readonly<Record<string, number>> = counts;
  const parts = words.flatMap((word) =>
    all[word] ? [`${count(all[word])} ${state(word, style)}`] : [],
  );
  return parts.join(", ") || "none";
}

/** Commands worth typing next, on one line. */
export function nextSteps(steps: readonly (readonly [what: string, command: string])[]): string {
  return steps.map(([what, command]) => `${what}: ${command}`).join("   ");
}

export interface FailedJob {
  readonly id: string;
  readonly tasks: number;
  readonly counts: Pick<JobView["counts"], "failed" | "cancelled">;
}

/** What to do about a job that did not succeed. */
export function failedSteps(job: FailedJob): string {
  const id = shortId(job.id);
  const bad = job.counts.failed > 0 ? "failed" : "cancelled";
  const look: readonly [string, string] =
    job.tasks === 1
      ? ["logs", `skein logs ${id}`]
      : ["which", `skein task list ${id} --state ${bad}`];
  return nextSteps([look, ["retry", `skein job retry ${id}`]]);
}
