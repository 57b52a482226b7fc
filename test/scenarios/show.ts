// Entries, orders and states as lines that people read: the golden output of scenarios.

import { stateOf } from "../../src/core/columns.ts";
import type { Effect } from "../../src/core/effect.ts";
import type { AttemptFailed, Entry, WorkerLost } from "../../src/core/entry.ts";
import { explain } from "../../src/core/explain/explain.ts";
import type { Job, State } from "../../src/core/state.ts";
import { endReason, taskState, taskStates } from "../../src/protocol/model.ts";
import { decodeOutcomes, storedBit } from "../../src/protocol/outcome-block.ts";

/** How scripts call what the core numbers. */
export interface Names {
  readonly job: (number: number) => string;
  readonly worker: (number: number) => string;
}

export function showTime(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

export function showRange(
  names: Names,
  range: { readonly job: number; readonly first: number; readonly count: number },
): string {
  const { job, first, count } = range;
  return `${names.job(job)}/${first}${count > 1 ? `..${first + count - 1}` : ""}`;
}

const reasonName = (code: number) => endReason(code & ~storedBit).name;

// ── entries ──────────────────────────────────────────────────────────────────────────────

export function showEntry(names: Names, entry: Entry, time: number): string {
  return `${entry.kind} ${wordsOf(names, entry, time)}`.trimEnd();
}

function wordsOf(names: Names, entry: Entry, time: number): string {
  switch (entry.kind) {
    case "jobCreated":
    case "partAdded":
    case "jobClosed":
    case "jobStopping":
    case "swept":
    case "woken":
    case "retired":
    case "forgotten":
      return jobWords(names, entry);
    case "assigned":
    case "outcomes":
    case "attemptFailed":
    case "released":
    case "unassigned":
    case "reported":
      return attemptWords(names, entry, time);
    case "workerRegistered":
    case "workerChanged":
    case "workerLost":
    case "workerForgotten":
    case "braked":
    case "reserved":
      return workerWords(names, entry, time);
    default:
      return otherWords(entry);
  }
}

type JobEntry = Extract<
  Entry,
  {
    kind:
      | "jobCreated"
      | "partAdded"
      | "jobClosed"
      | "jobStopping"
      | "swept"
      | "woken"
      | "retired"
      | "forgotten";
  }
>;

function jobWords(names: Names, entry: JobEntry): string {
  if (entry.kind === "forgotten") return entry.jobs.map(names.job).join(" ");
  const name = names.job(entry.job);
  switch (entry.kind) {
    case "jobCreated": {
      const all = entry.waitsFor.map(names.job).join(" ");
      const each = entry.pairedWith.map(names.job).join(" ");
      const waits = `${all && ` after all of ${all}`}${each && ` after each of ${each}`}`;
      const { queue, priority } = entry.spec;
      return `${name} in ${queue}${priority === 0 ? "" : ` priority ${priority}`}${waits}`;
    }
    case "partAdded":
      return `${name} part ${entry.part}, ${entry.count} tasks`;
    case "jobStopping":
      return `${name} (${reasonName(entry.reason)})`;
    case "swept":
      return `${showRange(names, entry)} (${reasonName(entry.reason)})`;
    case "woken":
      return showRange(names, entry);
    case "jobClosed":
    case "retired":
      return name;
    default:
      return entry satisfies never;
  }
}

type AttemptEntry = Extract<
  Entry,
  {
    kind: "assigned" | "outcomes" | "attemptFailed" | "released" | "unassigned" | "reported";
  }
>;

function attemptWords(names: Names, entry: AttemptEntry, time: number): string {
  const worker = names.worker(entry.worker);
  switch (entry.kind) {
    case "assigned":
      return `${showRange(names, entry)}@${entry.attempt} to ${worker}`;
    case "outcomes":
      return `${showBlock(names, entry.job, entry.block)} from ${worker}`;
    case "attemptFailed":
      return failureWords(names, entry, time);
    case "released": {
      const tasks = entry.tasks.map((task) => `${names.job(entry.job)}/${task}`);
      return `${tasks.join(" ")} by ${worker}`;
    }
    case "unassigned":
      return `${showRange(names, entry)} from ${worker}`;
    case "reported":
      return `${worker} up to ${entry.n}`;
    default:
      return entry satisfies never;
  }
}

function failureWords(names: Names, entry: AttemptFailed, time: number): string {
  const { job, task, attempt, worker, reason, charged, until } = entry;
  const where = `${names.job(job)}/${task}@${attempt} on ${names.worker(worker)}`;
  const again = until > time ? `again in ${until - time}ms` : "again at once";
  return `${where} (${reasonName(reason)}${charged ? "" : ", not charged"}), ${again}`;
}

type WorkerEntry = Extract<
  Entry,
  {
    kind:
      | "workerRegistered"
      | "workerChanged"
      | "workerLost"
      | "workerForgotten"
      | "braked"
      | "reserved";
  }
>;

function workerWords(names: Names, entry: WorkerEntry, time: number): string {
  switch (entry.kind) {
    case "workerRegistered": {
      const { id, incarnation, amounts } = entry.info;
      const has = Object.entries(amounts).map(([name, amount]) => `${name} ${amount / 1000}`);
      return `${id}#${incarnation} with ${has.join(", ")}`;
    }
    case "workerChanged": {
      const deadline = entry.deadline > 0 ? `, deadline in ${showTime(entry.deadline - time)}` : "";
      const exit = entry.exit ? ", then exit" : "";
      return `${names.worker(entry.worker)} is ${entry.state}${deadline}${exit}`;
    }
    case "workerLost":
      return lossWords(names, entry);
    case "workerForgotten":
      return names.worker(entry.worker);
    case "braked":
      return `for ${showTime(entry.until - time)}, ${entry.silent} are silent`;
    case "reserved":
      return `${names.worker(entry.worker)} for ${entry.classKey}`;
    default:
      return entry satisfies never;
  }
}

function lossWords(names: Names, { worker, gone, reason, charged }: WorkerLost): string {
  const deaths = charged.map(([job, task]) => `${names.job(job)}/${task}`).join(" ");
  const how = gone ? "gone" : "lost";
  return `${names.worker(worker)} is ${how}: ${reason}; charged: ${deaths || "nothing"}`;
}

type OtherEntry = Exclude<Entry, JobEntry | AttemptEntry | WorkerEntry>;

function otherWords(entry: OtherEntry): string {
  switch (entry.kind) {
    case "elected":
      return `${entry.id}#${entry.incarnation} term ${entry.term}`;
    case "resigned":
      return `to ${entry.to ?? "nobody"}`;
    case "masterJoined":
    case "masterLeft":
      return entry.id;
    case "featureLevel":
      return String(entry.level);
    case "queueSet": {
      const { weight, runningMax, queuedMax } = entry.settings;
      const paused = entry.paused ? `, paused: ${entry.pausedReason}` : "";
      return `${entry.name} weight ${weight / 1000} running ${runningMax} queued ${queuedMax}${paused}`;
    }
    case "keysForgotten":
      return [...entry.clients, ...entry.userKeys].join(" ");
    case "payloadsFreed":
      return entry.hashes.map((hash) => hash.slice(0, 8)).join(" ");
    case "snapshotTaken":
      return `at ${entry.index}`;
    case "trimmed":
      return `below ${entry.below}`;
    case "renewed":
    case "digest":
      return "";
    default:
      return entry satisfies never;
  }
}

/** "a/0..2@1 succeeded a/3@2 error": neighbours of equal attempt and reason in one word. */
export function showBlock(names: Names, job: number, block: Uint8Array): string {
  const columns = decodeOutcomes(block);
  const runs: { first: number; count: number; attempt: number; code: number }[] = [];
  for (let i = 0; i < columns.count; i++) {
    const first = columns.tasks[i] ?? 0;
    const attempt = columns.attempts[i] ?? 0;
    const code = columns.codes[i] ?? 0;
    const last = runs.at(-1);
    const follows = last && last.first + last.count === first;
    if (follows && last.attempt === attempt && last.code === code) last.count++;
    else runs.push({ first, count: 1, attempt, code });
  }
  const words = runs.map(({ first, count, attempt, code }) => {
    const stored = (code & storedBit) === 0 ? "" : " (stored)";
    return `${showRange(names, { job, first, count })}@${attempt} ${reasonName(code)}${stored}`;
  });
  return words.join(" ");
}

// ── effects ──────────────────────────────────────────────────────────────────────────────

/** Orders to workers that hear them, and what is worth telling beside the entries. */
export function showEffects(
  state: State,
  names: Names,
  effects: readonly Effect[],
  hears: (worker: number) => boolean,
): string[] {
  return joined(effects).flatMap((effect) => {
    if (effect.kind === "start" || effect.kind === "cancel") {
      if (!hears(effect.worker)) return [];
      const what = `${showRange(names, effect)}@${effect.attempt}`;
      const more =
        effect.kind === "start" ? `fence ${effect.fence}` : `(${reasonName(effect.reason)})`;
      return [`-> ${names.worker(effect.worker)}: ${effect.kind} ${what} ${more}`];
    }
    if (effect.kind === "drain" || effect.kind === "recorded") {
      if (!hears(effect.worker)) return [];
      const what = effect.kind === "drain" ? drainWords(state, effect.worker) : effect.n;
      return [`-> ${names.worker(effect.worker)}: ${effect.kind} ${what}`];
    }
    if (effect.kind === "jobEnded") {
      return [`== ${names.job(effect.job)} ended ${state.jobs.get(effect.job)?.ended ?? "?"}`];
    }
    if (effect.kind === "outcomes" && effect.worker === 0) {
      return [`== ${showBlock(names, effect.job, effect.block)}`];
    }
    if (effect.kind === "attempt" && reasonName(effect.reason) === "worker_lost") {
      return [`== ${names.job(effect.job)}/${effect.task}@${effect.attempt} worker_lost`];
    }
    return [];
  });
}

function drainWords(state: State, worker: number): string {
  const name = state.workers.get(worker)?.state;
  return name === "draining" || name === "drained" ? "on" : "off";
}

/** Orders to cancel come one a task: neighbours are shown as one. */
function joined(effects: readonly Effect[]): Effect[] {
  const all: Effect[] = [];
  for (const effect of effects) {
    const last = all.at(-1);
    if (effect.kind === "cancel" && last?.kind === "cancel") {
      const follows = last.job === effect.job && last.first + last.count === effect.first;
      if (follows && last.worker === effect.worker && last.attempt === effect.attempt) {
        all[all.length - 1] = { ...last, count: last.count + effect.count };
        continue;
      }
    }
    all.push(effect);
  }
  return all;
}

// ── what scripts ask ─────────────────────────────────────────────────────────────────────

export function showExplanation(
  state: State,
  job: Job,
  task: number,
  at: { readonly time: number; readonly name: string },
): string[] {
  const { state: name, verdict, reasons } = explain(state, job, task, at.time);
  const lines = reasons.map(({ rule, text }) => `   ${rule}: ${text}`);
  const isFirst = reasons[0]?.text === verdict;
  return [`${at.name}/${task} is ${name}${isFirst ? "" : `: ${verdict}`}`, ...lines];
}

export function showState(state: State, names: Names): string[] {
  return [...jobLines(state, names), ...workerLines(state), ...queueLines(state)];
}

function jobLines(state: State, names: Names): string[] {
  return [...state.jobs.values()].map((job) => {
    const counts = taskStates.flatMap((name) => {
      const count = job.tasks.counts[taskState[name]] ?? 0;
      return count === 0 ? [] : [`${count} ${name}`];
    });
    if (job.tasks.held > 0) counts.push(`${job.tasks.held} held`);
    const is = job.ended !== "" ? job.ended : job.open ? "open" : "closed";
    return `job ${names.job(job.number)} ${is}: ${counts.join(", ") || "no tasks"}`;
  });
}

function workerLines(state: State): string[] {
  return [...state.workers.values()].map((worker) => {
    const amounts = [...worker.total].map(([name, total]) => {
      return `${name} ${(worker.used.get(name) ?? 0) / 1000}/${total / 1000}`;
    });
    const ahead = worker.aheadCount > 0 ? `, ${worker.aheadCount} ahead` : "";
    return `worker ${worker.info.id} ${worker.state}: ${amounts.join(", ")}${ahead}`;
  });
}

function queueLines(state: State): string[] {
  const queues = [...state.queues.values()].map((queue) => {
    const { name, assigned, waiting, jobs } = queue;
    return `queue ${name}: ${jobs} jobs, ${waiting} waiting, ${assigned} assigned`;
  });
  const keys = [...state.concurrency].map(([key, use]) => {
    return `key ${key}: ${use.active} of ${use.limit}`;
  });
  return [...queues, ...keys];
}

/** P6: every task that is neither running nor ended has a reason. */
export function unexplained(state: State, time: number): string[] {
  const found: string[] = [];
  for (const job of state.jobs.values()) {
    for (let task = 0; task < job.tasks.count; task++) {
      if (stateOf(job.tasks, task) >= taskState.assigned) continue;
      const { reasons, verdict } = explain(state, job, task, time);
      if (reasons.length === 0 || verdict === "") found.push(`${job.id}/${task}`);
    }
  }
  return found;
}
