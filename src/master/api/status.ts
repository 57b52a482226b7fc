// GET /v1/status: the cluster in one answer. What is wrong comes first, in a sentence with what to do.

import type { Job, State, Worker } from "../../core/state.ts";
import { unended } from "../../core/commands/end-job.ts";
import { limits } from "../../protocol/limits.ts";
import type { TaskCounts } from "../../protocol/model.ts";
import { protocolVersion } from "../../protocol/messages.ts";
import type { MasterView, StatusView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { look } from "../context.ts";
import { freshLeader } from "../not-leading.ts";
import { countsOf } from "../views.ts";
import type { Answer, ApiContext } from "./handlers.ts";
import { rangesText } from "./lookup.ts";
import { mastersIn } from "./masters.ts";
import { survives } from "./survives.ts";

export async function version({ master }: ApiContext): Promise<Answer<"version">> {
  return { version: master.version, protocol: protocolVersion, node: process.version };
}

export async function status({ master }: ApiContext): Promise<StatusView> {
  return look(master, (state, time) => statusView(master, state, time));
}

function statusView(master: Master, state: State, time: number): StatusView {
  const { identity, journal, loop, archive } = master;
  const workers = [...state.workers.values()];
  const tasks = countTasks(state);
  return {
    verdict: verdictOf(master, state, time),
    journal: {
      id: journal.journalId,
      engine: journal.engine,
      index: state.index,
      trimmed: Math.max(0, state.trimIndex - 1),
      bytes: master.usage().journalBytes,
    },
    master: {
      id: identity.id,
      incarnation: identity.incarnation,
      version: master.version,
      node: process.version,
      pid: process.pid,
      leads: loop.leads,
      term: state.term,
      address: identity.addresses[0] ?? "",
      since: new Date(master.startedWall).toISOString(),
    },
    leader: leaderView(master, state),
    masters: othersOf(master, state),
    survives: survives(master),
    workers: {
      active: countIn(workers, "active"),
      suspect: countIn(workers, "suspect"),
      draining: countIn(workers, "draining") + countIn(workers, "drained"),
      lost: countIn(workers, "lost"),
    },
    slots: { cpu: cpus(workers, "total"), used: cpus(workers, "used") },
    jobs: jobCounts(state),
    tasks,
    stateBytes: state.bytes,
    snapshot: state.snapshotIndex > 0 ? { index: state.snapshotIndex } : null,
    archive: { watermark: archive.watermark },
  };
}

function leaderView(master: Master, { leader }: State): StatusView["leader"] {
  if (!leader || !(master.loop.leads || freshLeader(master))) return null;
  const { id, term, addresses, electedWall } = leader;
  return { id, term, address: addresses[0] ?? "", since: new Date(electedWall).toISOString() };
}

function othersOf(master: Master, state: State): StatusView["masters"] {
  const others = mastersIn(master, state).filter(({ id }) => id !== master.identity.id);
  const idsOf = (word: MasterView["state"]) =>
    others.filter((one) => one.state === word).map(({ id }) => id);
  return { standingBy: idsOf("standing by"), away: idsOf("away"), unknown: idsOf("unknown") };
}

function countIn(workers: readonly Worker[], state: Worker["state"]): number {
  return workers.filter((worker) => worker.state === state).length;
}

function cpus(workers: readonly Worker[], which: "total" | "used"): number {
  const here = workers.filter(({ state }) => state !== "lost" && state !== "gone");
  return here.reduce((sum, worker) => sum + (worker[which].get("cpu") ?? 0), 0) / 1_000;
}

function jobCounts(state: State): StatusView["jobs"] {
  const unfinished = state.jobs.size - state.finished.size;
  return { unfinished, finished: state.totals.submitted - unfinished };
}

/** Of all jobs there ever were: what has ended comes from totals, what has not from the jobs that have not. */
function countTasks(state: State): TaskCounts {
  const { succeeded, failed, cancelled } = state.totals;
  const sum = { waiting: 0, ready: 0, backoff: 0, assigned: 0, succeeded, failed, cancelled };
  for (const job of state.jobs.values()) {
    if (job.ended !== "") continue;
    const counts = countsOf(job);
    sum.waiting += counts.waiting;
    sum.ready += counts.ready;
    sum.backoff += counts.backoff;
    sum.assigned += counts.assigned;
  }
  return sum;
}

// ── the verdict ──────────────────────────────────────────────────────────────────────────

function verdictOf(master: Master, state: State, time: number): string {
  const problems = problemsOf(master, state, time);
  return problems.length > 0 ? problems.join(" ") : healthy(master, state, time);
}

function problemsOf(master: Master, state: State, time: number): string[] {
  const problems: string[] = [];
  const { share } = master.usage();
  const workers = [...state.workers.values()];
  if (!master.loop.leads) problems.push(standsBy(master));
  if (master.archive.trouble) {
    problems.push(`The archive cannot be written: ${master.archive.trouble.message}.`);
  }
  if (master.archive.lacks.length > 0) {
    const lost = `The archive lacks batches ${rangesText(master.archive.lacks)}`;
    problems.push(`${lost}: results recorded there are gone. Restore it from a backup.`);
  }
  if (share >= limits.refuseSubmitsAt) {
    const percent = Math.floor(share * 100);
    problems.push(`The journal or its disk is ${percent} % full: submits are refused. Free space.`);
  }
  if (state.brakeUntil > time) {
    problems.push("Many workers fell silent at once: their work waits, at most a minute.");
  }
  const active = countIn(workers, "active");
  const { waiting } = inQueues(state);
  if (active === 0 && waiting > 0) {
    const wait = waiting === 1 ? "1 task waits" : `${waiting} tasks wait`;
    problems.push(`No worker is active, and ${wait}. Start one: "skein worker".`);
  }
  for (const [name, fate] of [
    ["suspect", "silent for a few seconds"],
    ["lost", "lost; their tasks start elsewhere"],
  ] as const) {
    const ids = workers.filter((worker) => worker.state === name).map(({ info }) => info.id);
    if (ids.length > 0) problems.push(`${workersText(ids.length)} ${fate}: ${listed(ids)}.`);
  }
  const paused = [...state.queues.values()].filter((queue) => queue.paused && queue.waiting > 0);
  for (const { name, waiting: held } of paused.slice(0, 3)) {
    problems.push(`Queue "${name}" is paused, and ${held} tasks wait in it.`);
  }
  return problems;
}

function standsBy(master: Master): string {
  const leader = freshLeader(master);
  if (leader) return `Stands by: ${leader.id} at ${leader.addresses[0] ?? "?"} leads.`;
  return "No master is known to lead: nothing is taken or started.";
}

function healthy({ sessions }: Master, state: State, time: number): string {
  const workers = [...state.workers.values()].filter((worker) => worker.state === "active");
  const running = workers.reduce(
    (sum, { number }) => sum + sessions.liveOf(state, number).running,
    0,
  );
  const { waiting } = inQueues(state);
  const oldest = oldestReady(state);
  const parts = [
    workers.length === 0 ? "no worker has joined yet" : workersText(workers.length),
    `${running === 1 ? "1 task" : `${running} tasks`} running`,
  ];
  if (waiting > 0) parts.push(`${waiting} waiting`);
  if (oldest) parts.push(`oldest wait ${Math.max(0, Math.round((time - oldest.since) / 1_000))} s`);
  return `Healthy: ${parts.join(", ")}.`;
}

function workersText(count: number): string {
  return count === 1 ? "1 worker" : `${count} workers`;
}

function listed(ids: readonly string[]): string {
  const shown = ids.slice(0, 5).join(", ");
  return ids.length > 5 ? `${shown} and ${ids.length - 5} more` : shown;
}

function inQueues(state: State): { readonly waiting: number } {
  let waiting = 0;
  for (const queue of state.queues.values()) waiting += queue.waiting;
  return { waiting };
}

/** The job that has had ready tasks longest: the head of a class. */
function oldestReady(state: State): { readonly since: number } | undefined {
  let oldest: Job | undefined;
  for (const { jobs, head } of state.classes.values()) {
    const job = state.jobs.get(jobs[head] ?? 0);
    if (job && unended(job) > 0 && job.createdTime < (oldest?.createdTime ?? Infinity))
      oldest = job;
  }
  return oldest && { since: Math.max(oldest.createdTime, oldest.wakeTime) };
}
