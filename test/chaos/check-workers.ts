/**
 * P2: attempts start at most once, and only where the journal sent them. P3: nothing restarts unless its own worker
 * was harmed. P4: what a dead worker ran runs elsewhere, and dies with it. P5: no order of a leader that was none
 * took effect: every start is an assignment of the journal, by its fence, to that very process.
 */
import type { Harm, History, RunLine } from "./history.ts";
import type { Attempt, Replay, ReplayedJob, ReplayedTask } from "./replay.ts";

/** From the kill of a worker until no process of it may do anything more (W7). */
const deathMs = 2_000;

export interface Ran {
  readonly start: RunLine;
  end: RunLine | undefined;
}
/** By attempt, as `nameOf` names it. */
export type Runs = ReadonlyMap<string, Ran>;

export function checkWorkers(history: History, replayed: Replay): string[] {
  const violations: string[] = [];
  const lines = history.runs.map((line) => withWorker(line, replayed));
  const runs = pairRuns(lines, violations);
  for (const { start } of runs.values()) violations.push(...checkStart(start, replayed));
  const harmed = harmedWorkers(history.harms);
  for (const { id, index, reason } of replayed.lost) {
    if (harmed.has(id)) continue;
    violations.push(`P3: worker ${id} is lost in batch ${index} (${reason}), but nobody harmed it`);
  }
  const killed = killsByPid(history.harms);
  for (const job of replayed.jobs.values()) {
    for (const [number, task] of job.tasks.entries()) {
      const at = { job, number, task };
      violations.push(...checkAttempts(at, runs), ...checkRepair(at, killed, history.settled));
    }
  }
  return [...violations, ...checkDeaths(lines, history.harms, killed)];
}

/** A slot whose worker was killed just before it asked for its parent: an orphan, and it says 1. */
function withWorker(line: RunLine, { jobs }: Replay): RunLine {
  if (line.pid !== 1) return line;
  const made = jobs.get(line.job)?.tasks[line.task]?.attempts[line.attempt - 1];
  return made?.workerId === line.worker ? { ...line, pid: made.pid } : line;
}

export function nameOf({ job, task, attempt }: Pick<RunLine, "job" | "task" | "attempt">): string {
  return `${job}/${task} ${attempt}`;
}

export function pairRuns(lines: readonly RunLine[], violations: string[] = []): Runs {
  const runs = new Map<string, Ran>();
  for (const line of lines) {
    const name = nameOf(line);
    const known = runs.get(name);
    const text = `attempt ${line.attempt} of ${line.job}/${line.task}`;
    if (line.what === "start") {
      if (known) {
        const where = `${known.start.worker} and ${line.worker}`;
        violations.push(`P2: ${text} started twice: on ${where}`);
      } else runs.set(name, { start: line, end: undefined });
    } else if (!known) violations.push(`P2: ${text} ended on ${line.worker} without a start`);
    else if (known.end) violations.push(`P2: ${text} ended twice`);
    else known.end = line;
  }
  return runs;
}

/** The fence names the batch that made the attempt; a leader that was none has no batch. */
function checkStart(start: RunLine, { jobs }: Replay): string[] {
  const text = `attempt ${start.attempt} of ${start.job}/${start.task}`;
  const attempts = jobs.get(start.job)?.tasks[start.task]?.attempts ?? [];
  const made = attempts[start.attempt - 1];
  if (!made) return [`P5: ${text} started on ${start.worker}, but no batch assigned it`];
  if (made.fence !== start.fence) {
    return [`P5: ${text} started by an order of batch ${start.fence}, not of ${made.fence}`];
  }
  if (made.workerId !== start.worker || made.pid !== start.pid) {
    const where = `${start.worker} (${start.pid})`;
    return [`P5: ${text} started on ${where}, assigned to ${made.workerId} (${made.pid})`];
  }
  if (made.end !== "unassigned") return [];
  return [`P2: ${text} was taken back unstarted in batch ${made.endIndex}, yet it started`];
}

/** Also by a cut between it and the masters: then silence may make it lost, as it should. */
function harmedWorkers(harms: readonly Harm[]): ReadonlySet<string> {
  return new Set(harms.filter(({ who }) => who === "worker").map(({ name }) => name));
}

function killsByPid(harms: readonly Harm[]): ReadonlyMap<number, Harm> {
  const kills = harms.filter(({ who, kind }) => who === "worker" && kind === "killed");
  return new Map(kills.map((harm) => [harm.pid, harm]));
}

interface TaskAt {
  readonly job: ReplayedJob;
  readonly number: number;
  readonly task: ReplayedTask;
}

function checkAttempts({ job, number, task }: TaskAt, runs: Runs): string[] {
  const violations: string[] = [];
  const name = `${job.id}/${number}`;
  const failing = job.inputs[number]?.failing ?? 0;
  for (const attempt of task.attempts) {
    const { end, endIndex } = attempt;
    const byPlan = attempt.number <= failing;
    if (end === "failed" && !byPlan) {
      violations.push(`P3: attempt ${attempt.number} of ${name} failed in batch ${endIndex}`);
    }
  }
  const { outcome } = task;
  if (!outcome || outcome.attempt === 0) return violations;
  const ran = runs.get(nameOf({ job: job.id, task: number, attempt: outcome.attempt }));
  if (outcome.reason !== "succeeded" && outcome.reason !== "error") return violations;
  const text = `the outcome of ${name} is of attempt ${outcome.attempt}`;
  if (!ran) violations.push(`P2: ${text}, which never started`);
  else if (!ran.end) violations.push(`P2: ${text}, which never came to its end`);
  return violations;
}

function checkRepair(
  { job, number, task }: TaskAt,
  killed: ReadonlyMap<number, Harm>,
  settled: boolean,
): string[] {
  const name = `${job.id}/${number}`;
  return task.attempts.flatMap((attempt, i) => {
    const text = `attempt ${attempt.number} of ${name}`;
    if (attempt.end === undefined && settled) {
      return [`P4: ${text} is still assigned to ${attempt.workerId} in the end`];
    }
    if (attempt.end !== "lost") return [];
    const next: Attempt | undefined = task.attempts[i + 1];
    if (!next && !task.outcome && settled) {
      return [`P4: ${text} was lost with ${attempt.workerId} and has no successor`];
    }
    if (next && next.pid === attempt.pid && killed.has(attempt.pid)) {
      return [
        `P4: ${text} was lost with ${attempt.workerId}, its successor went to the same dead process`,
      ];
    }
    return [];
  });
}

function checkDeaths(
  lines: readonly RunLine[],
  harms: readonly Harm[],
  killed: ReadonlyMap<number, Harm>,
): string[] {
  const late = lines.flatMap((line) => {
    const kill = killed.get(line.pid);
    const ms = kill ? line.at - kill.at : 0;
    if (ms <= deathMs) return [];
    const text = `${line.what} of attempt ${line.attempt} of ${line.job}/${line.task}`;
    return [`P4: ${text} on ${line.worker} ${Math.round(ms)} ms after that worker was killed`];
  });
  const survivors = harms.flatMap(({ kind, who, name, survivors: left = [] }) =>
    left.map((process) => `P4: a process of ${kind} ${who} ${name} lived on: ${process}`),
  );
  return [...late, ...survivors];
}
