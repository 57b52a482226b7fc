/** What user code wrote of itself: which attempt of which task started and ended where, and when. */
import { existsSync, readFileSync } from "node:fs";

export interface Run {
  /** "job/task" */
  readonly task: string;
  readonly attempt: number;
  readonly worker: string;
  /** Date.now() in the slot. */
  readonly startedAt: number;
  /** undefined: it has not ended, or was killed. */
  readonly endedAt: number | undefined;
}

/** Every start in a ledger, in the order written; see `note` in ledger-tasks.ts. */
export function readLedger(file: string): Run[] {
  const runs: Run[] = [];
  const ends = new Map<string, number>();
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  for (const line of lines) {
    const [what, task = "", attempt = "", worker = "", at = ""] = line.split(" ");
    if (what === "end") ends.set(`${task} ${attempt} ${worker}`, Number(at));
    else {
      const run = { task, attempt: Number(attempt), worker, startedAt: Number(at) };
      runs.push({ ...run, endedAt: undefined });
    }
  }
  return runs.map((run) => ({
    ...run,
    endedAt: ends.get(`${run.task} ${run.attempt} ${run.worker}`),
  }));
}

/** Tasks with the number of times that their code was started. */
export function startsByTask(runs: readonly Run[]): Map<string, number> {
  const starts = new Map<string, number>();
  for (const { task } of runs) starts.set(task, (starts.get(task) ?? 0) + 1);
  return starts;
}
