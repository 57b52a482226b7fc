/**
 * P2 and P5 of cancels: one that was acknowledged has ended what it was about, once and for all; nothing is cancelled
 * that nobody wanted cancelled; and what is over starts no more, wherever its order had got to.
 */
import { calmBetween } from "./calm.ts";
import type { BatchRecord, Cancel, History, RunLine } from "./history.ts";
import type { Attempt, Replay, ReplayedJob, ReplayedTask } from "./replay.ts";

/** Once a worker can be told of a cancel it is a matter of milliseconds; after this a slot would have been killed. */
const heardMs = 5_000;

export function checkCancels(history: History, replayed: Replay): string[] {
  const cancels = history.operations.filter((one) => one.kind === "cancel");
  const asked = askedBy(history, cancels);
  return [
    ...cancels.flatMap((cancel) => checkAnswer(cancel, replayed.jobs.get(cancel.job))),
    ...[...replayed.jobs.values()].flatMap((job) => checkAsked(job, asked)),
    ...checkLateStarts(history, replayed, cancels),
  ];
}

/** "job", or "job/task". */
function askedBy({ operations }: History, cancels: readonly Cancel[]): ReadonlySet<string> {
  const asked = cancels.map(({ job, task }) => (task === null ? job : `${job}/${task}`));
  // The SDK cancels what it could not submit to the end.
  const given = operations.filter((one) => one.kind === "submit" && one.answer.kind !== "ok");
  const inputs = given.flatMap((one) => (one.kind === "submit" ? one.inputs : []));
  return new Set([...asked, ...inputs.map(({ n }) => `input ${n}`)]);
}

function checkAsked(job: ReplayedJob, asked: ReadonlySet<string>): string[] {
  if (asked.has(job.id) || job.inputs.some(({ n }) => asked.has(`input ${n}`))) return [];
  return job.tasks.flatMap(({ outcome }, task) => {
    const name = `${job.id}/${task}`;
    if (outcome?.reason !== "cancelled" || asked.has(name)) return [];
    return [`P1: task ${name} is cancelled in batch ${outcome.index}, but nobody asked for that`];
  });
}

function checkAnswer({ client, task, answer, ...cancel }: Cancel, job?: ReplayedJob): string[] {
  if (answer.kind !== "ok") return [];
  const name = task === null ? `job ${cancel.job}` : `task ${cancel.job}/${task}`;
  const text = `${client} was told that ${name} is cancelled`;
  if (!job) return [`P1: ${text}, but that job is not in the journal`];
  if (answer.ended < answer.tasks) {
    return [`P2: ${text} when ${answer.ended} of ${answer.tasks} tasks had ended`];
  }
  return job.tasks.flatMap(({ outcome }, number) => {
    if (task !== null && task !== number) return [];
    if (!outcome) return [`P2: ${text}, but task ${number} has no outcome`];
    if (answer.state === undefined || answer.state === outcome.state) return [];
    return [`P2: ${text}: it ended ${answer.state}; recorded is ${outcome.state}`];
  });
}

// ── what starts in spite of it ───────────────────────────────────────────────────────────

function checkLateStarts(history: History, replayed: Replay, cancels: readonly Cancel[]): string[] {
  const acknowledged = acknowledgedAt(cancels);
  const registered = registrationsByPid(history.batches, replayed);
  const harms = history.harms.toSorted((a, b) => a.at - b.at);
  return history.runs.flatMap((start) => {
    const task = replayed.jobs.get(start.job)?.tasks[start.task];
    const attempt = task?.attempts[start.attempt - 1];
    if (start.what !== "start" || !task || !attempt) return [];
    const text = `attempt ${start.attempt} of ${start.job}/${start.task} started on ${start.worker}`;
    const { releasedIndex } = attempt;
    if (releasedIndex > 0 && start.at > seenAt(history.batches, releasedIndex)) {
      return [`P2: ${text} after it was over there, in batch ${releasedIndex}`];
    }
    if (!wasCancelled(task, attempt)) return [];
    const ends = [`${start.job}/${start.task}`, start.job].map((one) => acknowledged.get(one));
    const at = Math.min(...ends.map((one) => one ?? Infinity));
    const heard = heardAt(start, at, registered.get(attempt.pid) ?? []);
    if (heard === undefined || start.at - heard.at <= heardMs) return [];
    // While masters or links are down nobody can be told.
    if (!calmBetween(harms, heard.from, start.at)) return [];
    return [`P2: ${text} ${Math.round(start.at - at)} ms after its cancel was acknowledged`];
  });
}

/** Its task was cancelled while this attempt was the one that was assigned. */
function wasCancelled({ outcome }: ReplayedTask, { endIndex }: Attempt): boolean {
  return outcome?.reason === "cancelled" && outcome.attempt === 0 && outcome.index === endIndex;
}

function acknowledgedAt(cancels: readonly Cancel[]): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  for (const { job, task, answer, endedAt } of cancels) {
    if (answer.kind !== "ok" || endedAt === null) continue;
    const name = task === null ? job : `${job}/${task}`;
    first.set(name, Math.min(endedAt, first.get(name) ?? Infinity));
  }
  return first;
}

interface Registered {
  /** It was appended between these two. */
  readonly from: number;
  readonly at: number;
}

function registrationsByPid(
  batches: readonly BatchRecord[],
  { registrations }: Replay,
): ReadonlyMap<number, readonly Registered[]> {
  const byPid = new Map<number, Registered[]>();
  const times = [...new Set(batches.map((batch) => batch.seenAt ?? 0))];
  const before = new Map(times.map((at, i) => [at, times[i - 1] ?? 0]));
  for (const { pid, index } of registrations) {
    const at = seenAt(batches, index);
    const known = byPid.get(pid) ?? [];
    known.push({ from: before.get(at) ?? 0, at });
    byPid.set(pid, known);
  }
  return byPid;
}

/** Batches follow each other without a gap, from the first one; else the replay has said so. */
function seenAt(batches: readonly BatchRecord[], index: number): number {
  return batches[index - 1]?.seenAt ?? Infinity;
}

/** When the process that started this could last be told of a cancel acknowledged at that time. */
function heardAt(
  start: RunLine,
  acknowledged: number,
  registered: readonly Registered[],
): Registered | undefined {
  if (acknowledged === Infinity) return undefined;
  const last = registered.findLast(({ at }) => at < start.at);
  return last && { from: Math.min(last.from, acknowledged), at: Math.max(last.at, acknowledged) };
}
