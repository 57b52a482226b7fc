/**
 * Ends that were asked for, by a signal or by `step-down` (L6): they take a bounded time, leave nothing behind, and
 * nothing that a worker had started is lost with it.
 */
import type { Harm, History, RunLine } from "./history.ts";
import { pairRuns } from "./check-workers.ts";
import type { Replay } from "./replay.ts";

/** As for a killed worker: from its end until no process of it may do anything more (W7). */
const deathMs = 2_000;

export function checkEnds(history: History, replayed: Replay): string[] {
  const ended = history.harms.filter(({ kind }) => kind === "ended");
  return [
    ...ended.flatMap((harm) => checkExit(harm, replayed)),
    ...checkWorkersLines(history.runs, ended),
    ...checkLosses(history, ended, replayed),
    ...history.harms.flatMap((harm) => checkStepDown(harm, replayed)),
  ];
}

function checkExit(harm: Harm, { registrations }: Replay): string[] {
  const { who, name, pid, at, goneAt = at, exit } = harm;
  const text = `${who} ${name} was told to end`;
  const ms = Math.round(goneAt - at);
  if (exit === 0) return [];
  if (exit === "SIGKILL") return [`P6: ${text}, and had to be killed after ${ms} ms`];
  // A process that has only begun to start does not listen yet; nor has it anything to put in order.
  const begun = who === "worker" && !registrations.some((one) => one.pid === pid);
  return begun && exit === "SIGTERM" ? [] : [`P4: ${text}, and ended by ${exit}`];
}

function checkWorkersLines(lines: readonly RunLine[], ended: readonly Harm[]): string[] {
  const byPid = new Map(ended.map((harm) => [harm.pid, harm]));
  return lines.flatMap((line) => {
    const { goneAt = Infinity } = byPid.get(line.pid) ?? {};
    const ms = line.at - goneAt;
    if (ms <= deathMs) return [];
    const text = `${line.what} of attempt ${line.attempt} of ${line.job}/${line.task}`;
    return [`P4: ${text} on ${line.worker} ${Math.round(ms)} ms after that worker had ended`];
  });
}

/** A worker that may take its time lets end what it has started, and gives back the rest. */
function checkLosses({ harms, runs }: History, ended: readonly Harm[], { jobs }: Replay): string[] {
  const struck = new Set(harms.filter(({ kind }) => kind !== "ended").map(({ pid }) => pid));
  const cut = new Set(harms.filter(({ kind }) => kind === "cut").map(({ name }) => name));
  const gentle = ended.filter((one) => !struck.has(one.pid) && !cut.has(one.name));
  const pids = new Set(gentle.filter(({ who }) => who === "worker").map(({ pid }) => pid));
  return [...pairRuns(runs).values()].flatMap(({ start }) => {
    const attempt = jobs.get(start.job)?.tasks[start.task]?.attempts[start.attempt - 1];
    if (attempt?.end !== "lost" || !pids.has(attempt.pid)) return [];
    const text = `attempt ${start.attempt} of ${start.job}/${start.task}`;
    return [`P3: ${text} was lost with ${start.worker}, which was only told to end`];
  });
}

function checkStepDown({ name, term, to }: Harm, { elections, resignations }: Replay): string[] {
  if (term === undefined) return [];
  const text = `${name} was told that term ${term} is given up`;
  const resigned = resignations.find((one) => one.term === term);
  if (resigned && to && resigned.to !== to) {
    return [`P5: ${text} for ${to}; in batch ${resigned.index} it is given to ${resigned.to}`];
  }
  if (elections.some((one) => one.term > term)) return [];
  return [`P5: ${text}, but nobody was elected after it`];
}
