// What a report tells: asked of the cluster once, and what follows from it by counting.

import type { Client, ErrorGroupsView, GridView, JobView, StreamView } from "../../client/index.ts";
import { pictureStates } from "../../protocol/picture-states.ts";
import type { PictureState } from "../../protocol/picture-states.ts";
import { count, plural } from "../format.ts";

export interface Facts {
  readonly job: JobView;
  readonly stream: StreamView;
  readonly grid: GridView;
  readonly errors: ErrorGroupsView;
  /** When it was asked, wall clock in ms. */
  readonly at: number;
}

/** The most that a master gives; a job of more attempts comes as cells of time. */
const barsMax = 50_000;
const cellsMax = 5_000;

export async function gather(
  client: Client,
  id: string,
  now: () => number,
  signal: AbortSignal,
): Promise<Facts> {
  const job = await client.job(id, { signal });
  const [stream, grid, errors] = await Promise.all([
    client.stream(job.id, { bars: barsMax }, { signal }),
    client.grid(job.id, { cells: cellsMax }, { signal }),
    client.errors(job.id, { signal }),
  ]);
  return { job, stream, grid, errors, at: now() };
}

export function stateName(number: number): PictureState {
  return pictureStates[number] ?? "waiting";
}

export interface Attempt {
  readonly task: number;
  readonly attempt: number;
  readonly worker: string;
  /** Ms after the stream's `from`. */
  readonly start: number;
  readonly ms: number;
  readonly state: PictureState;
}

/** Undefined when there were too many to be given one by one. */
export function attemptsOf({ bars, lanes }: StreamView): readonly Attempt[] | undefined {
  return bars?.task.map((task, i) => {
    const start = bars.start[i] ?? 0;
    return {
      task,
      attempt: bars.attempt[i] ?? 1,
      worker: lanes[bars.lane[i] ?? 0]?.worker ?? "?",
      start,
      ms: Math.max(0, (bars.end[i] ?? start) - start),
      state: stateName(bars.state[i] ?? 0),
    };
  });
}

/** Those that took longest; what was given back did not run. */
export function slowest(attempts: readonly Attempt[], most: number): readonly Attempt[] {
  return attempts
    .filter(({ state }) => state !== "given_back")
    .toSorted((a, b) => b.ms - a.ms || a.task - b.task)
    .slice(0, most);
}

export interface WorkerShare {
  readonly worker: string;
  /** Undefined where attempts are not known one by one. */
  readonly attempts: number | undefined;
  readonly failed: number | undefined;
  readonly lost: number | undefined;
  readonly busyMs: number;
}

/** What each worker did, the busiest first. */
export function workerShares(stream: StreamView): readonly WorkerShare[] {
  const shares = stream.bars ? sharesOfBars(attemptsOf(stream) ?? []) : sharesOfCells(stream);
  return shares.toSorted((a, b) => b.busyMs - a.busyMs || (a.worker < b.worker ? -1 : 1));
}

function sharesOfBars(attempts: readonly Attempt[]): readonly WorkerShare[] {
  const byWorker = new Map<string, Attempt[]>();
  for (const one of attempts) {
    const own = byWorker.get(one.worker);
    if (own) own.push(one);
    else byWorker.set(one.worker, [one]);
  }
  return [...byWorker].map(([worker, own]) => {
    const started = own.filter(({ state }) => state !== "given_back");
    const ended = (state: PictureState) => started.filter((one) => one.state === state).length;
    return {
      worker,
      attempts: started.length,
      failed: ended("failed"),
      lost: ended("lost"),
      busyMs: started.reduce((sum, { ms }) => sum + ms, 0),
    };
  });
}

function sharesOfCells({ cells, lanes }: StreamView): readonly WorkerShare[] {
  const busy = lanes.map(() => 0);
  cells?.lane.forEach((lane, i) => {
    busy[lane] = (busy[lane] ?? 0) + (cells.running[i] ?? 0) * cells.ms;
  });
  return lanes.map(({ worker }, i) => ({
    worker,
    attempts: undefined,
    failed: undefined,
    lost: undefined,
    busyMs: busy[i] ?? 0,
  }));
}

/** Run times of what succeeded: the share `p` of them was not longer. */
export function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)] ?? 0;
}

/** How it ended, or how far it is; what went wrong most often. */
export function verdictOf(
  { state, tasks, counts, attemptsLost }: JobView,
  { groups }: ErrorGroupsView,
): string {
  const [worst] = groups;
  const parts = [
    counts.failed > 0 ? `${count(counts.failed)} of ${count(tasks)} failed` : "",
    counts.cancelled > 0 ? `${count(counts.cancelled)} of ${count(tasks)} cancelled` : "",
  ].filter((part) => part !== "");
  const sentences = [
    endSentence(state, tasks, counts),
    parts.length > 0 ? `${parts.join(", ")}.` : "",
    worst && counts.failed > 0 ? `Most often: ${sentence(worst.message || worst.reason)}` : "",
    attemptsLost > 0 ? `${plural(attemptsLost, "attempt")} ended with the worker.` : "",
  ];
  return sentences.filter((part) => part !== "").join(" ");
}

function endSentence(state: JobView["state"], tasks: number, counts: JobView["counts"]): string {
  if (state === "succeeded") {
    return tasks === 1 ? "The task succeeded." : `All ${count(tasks)} tasks succeeded.`;
  }
  if (state === "failed" || state === "cancelled") return "";
  const done = counts.succeeded + counts.failed + counts.cancelled;
  return `Not ended: ${count(done)} of ${count(tasks)} tasks are done.`;
}

const sentenceMax = 160;

/** The first line of a text, with a full stop. */
function sentence(text: string): string {
  const line = Array.from(text.split("\n")[0]?.trim() ?? "");
  const short =
    line.length > sentenceMax ? `${line.slice(0, sentenceMax).join("")} …` : line.join("");
  return /[.!?…]$/.test(short) ? short : `${short}.`;
}
