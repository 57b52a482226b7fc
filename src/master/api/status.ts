// GET /v1/status: the cluster in one answer. What is wrong comes first, in a sentence with what to do.

import type { State, Worker } from "../../core/state.ts";
import { limits } from "../../protocol/limits.ts";
import type { TaskCounts } from "../../protocol/model.ts";
import { protocolVersion } from "../../protocol/messages.ts";
import type { MasterView, StatusView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { look } from "../context.ts";
import { freshLeader } from "../not-leading.ts";
import { cpus, oldestWait } from "../series.ts";
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
    slots: { cpu: cpus(state, "total"), used: cpus(state, "used") },
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

export function jobCounts(state: State): StatusView["jobs"] {
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

export function verdictOf(master: Master, state: State, time: number): string {
  const problems = problemsOf(master, state, time).map(({ text }) => text);
  return problems.length > 0 ? problems.join(" ") : healthy(master, state, time);
}

export interface Problem {
  readonly level: "warn" | "bad";
  /** One sentence or two. */
  readonly text: string;
  /** A command that mends it, where there is one. */
  readonly hint: string | null;
  /** Where a dashboard shows more. */
  readonly link: string | null;
}

function bad(text: string, hint: string | null = null, link: string | null = null): Problem {
  return { level: "bad", text, hint, link };
}

function warn(text: string, hint: string | null = null, link: string | null = null): Problem {
  return { level: "warn", text, hint, link };
}

/** What is wrong, the worst first as far as it is known. */
export function problemsOf(master: Master, state: State, time: number): Problem[] {
  return [...ofMaster(master), ...ofWorkers(state, time), ...ofQueues(state)];
}

function ofMaster(master: Master): Problem[] {
  const problems: Problem[] = [];
  const { share } = master.usage();
  if (!master.loop.leads) problems.push(warn(standsBy(master), null, "/masters"));
  if (master.archive.trouble) {
    problems.push(bad(`The archive cannot be written: ${master.archive.trouble.message}.`));
  }
  if (master.archive.lacks.length > 0) {
    const lost = `The archive lacks batches ${rangesText(master.archive.lacks)}`;
    problems.push(bad(`${lost}: results recorded there are gone. Restore it from a backup.`));
  }
  if (share >= limits.refuseSubmitsAt) {
    const percent = Math.floor(share * 100);
    const full = `The journal or its disk is ${percent} % full`;
    problems.push(bad(`${full}: submits are refused. Free space.`, null, "/masters"));
  }
  return problems;
}

function ofWorkers(state: State, time: number): Problem[] {
  const problems: Problem[] = [];
  if (state.brakeUntil > time) {
    const text = "Many workers fell silent at once: their work waits, at most a minute.";
    problems.push(bad(text, null, "/workers"));
  }
  const workers = [...state.workers.values()];
  const { waiting } = inQueues(state);
  if (countIn(workers, "active") === 0 && waiting > 0) {
    const wait = waiting === 1 ? "1 task waits" : `${waiting} tasks wait`;
    const text = `No worker is active, and ${wait}. Start one: "skein worker".`;
    problems.push(bad(text, "skein worker", "/workers"));
  }
  for (const [name, fate] of [
    ["suspect", "silent for a few seconds"],
    ["lost", "lost; their tasks start elsewhere"],
  ] as const) {
    const ids = workers.filter((worker) => worker.state === name).map(({ info }) => info.id);
    const link = `/workers?filter=state:${name}`;
    if (ids.length > 0) {
      problems.push(warn(`${workersText(ids.length)} ${fate}: ${listed(ids)}.`, null, link));
    }
  }
  return problems;
}

function ofQueues(state: State): Problem[] {
  const paused = [...state.queues.values()].filter((queue) => queue.paused && queue.waiting > 0);
  return paused.slice(0, 3).map(({ name, waiting }) => {
    const text = `Queue "${name}" is paused, and ${waiting} tasks wait in it.`;
    return warn(text, `skein queue resume ${name}`, "/queues");
  });
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
  const waited = oldestWait(state, time);
  const parts = [
    workers.length === 0 ? "no worker has joined yet" : workersText(workers.length),
    `${running === 1 ? "1 task" : `${running} tasks`} running`,
  ];
  if (waiting > 0) parts.push(`${waiting} waiting`);
  if (state.classes.size > 0) parts.push(`oldest wait ${Math.round(waited / 1_000)} s`);
  return `Healthy: ${parts.join(", ")}.`;
}

function workersText(count: number): string {
  return count === 1 ? "1 worker" : `${count} workers`;
}

function listed(ids: readonly string[]): string {
  const shown = ids.slice(0, 5).join(", ");
  return ids.length > 5 ? `${shown} and ${ids.length - 5} more` : shown;
}

export function inQueues(state: State): { readonly waiting: number; readonly assigned: number } {
  let waiting = 0;
  let assigned = 0;
  for (const queue of state.queues.values()) {
    waiting += queue.waiting;
    assigned += queue.assigned;
  }
  return { waiting, assigned };
}
