// GET …/why: why a task is where it is, what became of its attempts, and what would let it run. The words are made
// here and in the core; CLI and dashboard show them as they are.

import { explain } from "../../core/explain/explain.ts";
import type { Explanation, Reason } from "../../core/explain/explain.ts";
import type { Change } from "../../core/explain/change.ts";
import { counted } from "../../core/explain/forecast.ts";
import type { InLine } from "../../core/explain/in-line.ts";
import { outlook } from "../../core/explain/outlook.ts";
import type { Outlook } from "../../core/explain/outlook.ts";
import { words } from "../../core/placement/filters.ts";
import { asError } from "../../lib/as-error.ts";
import { taskName } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { endReasons } from "../../protocol/model.ts";
import type { Amounts, Labels } from "../../protocol/model.ts";
import type { WhyView } from "../../protocol/views.ts";
import type { AttemptRecord, TaskRecord } from "../archive/archive.ts";
import type { Master } from "../context.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { checkArchived, findJob, seeJob } from "./lookup.ts";
import { parsed, reasonOf, runMsOf } from "./outcome-json.ts";
import { isRunning, noSuchTask } from "./tasks.ts";

interface Live extends Explanation, Outlook {
  readonly id: string;
  readonly running: boolean;
  /** Attempts that its own failures may take (K4). */
  readonly tries: number;
}

export async function why(context: ApiContext, { params }: Call<"why">): Promise<WhyView> {
  const { master } = context;
  const { task } = params;
  const job = await findJob(context, params.job);
  const live = await seeJob<Live | string>(
    context,
    job,
    (found, state, time) => {
      if (task >= found.tasks.count) throw noSuchTask(found.id, task);
      const running = isRunning(master, found, task);
      const said = explain(state, found, task, time, running);
      const ahead = outlook(state, found, task, time);
      return { id: found.id, running, tries: found.spec.retry.attempts, ...said, ...ahead };
    },
    ({ id }) => id,
  );
  if (typeof live === "string") {
    await checkArchived(context, job);
    return retired(live, task, await master.archive.task(job, task));
  }
  // A full disk is when people ask: what the state knows is told whatever the archive cannot.
  const record = await master.archive.task(job, task).catch(asError);
  if (!(record instanceof Error)) return alive(master, live, task, record);
  const view = alive(master, live, task, { outcome: undefined, attempts: [] });
  const text = `What became of its earlier attempts cannot be read: ${record.message}.`;
  return { ...view, reasons: [...view.reasons, { rule: "archive", text, workers: [] }] };
}

function alive(master: Master, live: Live, task: number, record: TaskRecord): WhyView {
  const stopped = live.state === "ready" ? dispatchStopped(master) : undefined;
  const reasons = stopped ? [stopped, ...live.reasons] : live.reasons;
  const view = plain(taskName(live.id, task), live.running ? "running" : live.state, record);
  return {
    ...view,
    verdict: stopped?.text ?? live.verdict,
    reasons: reasons.map((reason) => ({ ...reason, workers: [...reason.workers] })),
    line: live.line && { tasks: live.line.tasks, jobs: live.line.jobs, text: lineText(live.line) },
    forecast: live.forecast,
    change: live.change.map(toStep),
    attempts: attemptsOf(record, live.tries),
  };
}

function retired(id: string, task: number, record: TaskRecord): WhyView {
  if (!record.outcome) throw noSuchTask(id, task);
  const { state, text } = reasonOf(record.outcome.code);
  const verdict = `It has ended: ${text}.`;
  const reasons = [{ rule: "ended", text: verdict, workers: [] }];
  return { ...plain(taskName(id, task), state, record), verdict, reasons };
}

function plain(task: string, state: string, record: TaskRecord) {
  const attempts = attemptsOf(record, undefined);
  return { task, state, line: null, forecast: null, change: [], attempts };
}

/** What keeps all ready tasks waiting is no part of the state: the room that is left on this master (J7). */
function dispatchStopped({ usage }: Master): Reason | undefined {
  const { share } = usage();
  if (share < limits.stopDispatchAt) return undefined;
  const percent = Math.min(100, Math.round(share * 100));
  const text = `Nothing is started: the journal or its disk is ${percent} % full. Free space.`;
  return { rule: "journal", text, workers: [] };
}

function lineText({ before, tasks, jobs }: InLine): string {
  if (tasks === 0) return "Nothing goes before it.";
  const whose = jobs > 0 ? [counted(jobs, "other job")] : [];
  if (before.length > jobs) whose.push(jobs > 0 ? "its own" : "its own job");
  return `${counted(tasks, "task")} ${tasks === 1 ? "goes" : "go"} before it, of ${whose.join(" and ")}.`;
}

// ── what would let it run ────────────────────────────────────────────────────────────────

/** As a person does it. */
function toStep(change: Change): WhyView["change"][number] {
  switch (change.kind) {
    case "resume":
      return {
        text: `Let queue "${change.queue}" go on.`,
        command: `skein queue resume ${change.queue}`,
      };
    case "runningMax":
      return {
        text: `Let queue "${change.queue}" run ${counted(change.to, "task")} at once.`,
        command: `skein queue set ${change.queue} --running-max ${change.to}`,
      };
    case "undrain":
      return {
        text: `Let worker ${change.worker} take work again.`,
        command: `skein worker drain ${change.worker} --undo`,
      };
    case "label":
      return {
        text: `Start worker ${change.worker} anew with ${labelWords(change.labels)}.`,
        command: `skein worker --id ${change.worker}${labelOptions(change.labels)}`,
      };
    case "worker":
      return {
        text: `Start another worker with at least ${needWords(change.amounts, change.labels)}.`,
        command: `skein worker${amountOptions(change.amounts)}${labelOptions(change.labels)}`,
      };
  }
}

function needWords(amounts: Amounts, labels: Labels): string {
  const parts = Object.entries(amounts).map(([name, amount]) => words(name, amount));
  if (Object.keys(labels).length > 0) parts.push(labelWords(labels));
  return parts.length === 0 ? "a free slot" : parts.join(", ");
}

function labelWords(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `label ${name}=${value}`)
    .join(", ");
}

function amountOptions(amounts: Amounts): string {
  return Object.entries(amounts)
    .map(([name, thousandths]) => {
      if (name === "cpu") return ` --cpus ${Math.ceil(thousandths / 1_000)}`;
      if (name === "memory") return ` --memory ${Math.ceil(thousandths / 1_000)}MiB`;
      return ` --amount ${name}=${Math.ceil(thousandths / 1_000)}`;
    })
    .join("");
}

function labelOptions(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => ` --label ${shellWord(`${name}=${value}`)}`)
    .join("");
}

/** A label's value may be any text, and the command is there to be pasted. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

// ── what became of its attempts ──────────────────────────────────────────────────────────

/** A sentence for each that has ended, in their order: why it ended, and why the task was tried again. */
function attemptsOf({ attempts, outcome }: TaskRecord, tries: number | undefined) {
  let failures = 0;
  const told = attempts
    .toSorted((a, b) => a.attempt - b.attempt)
    .map((record) => {
      if (record.charged && record.code !== endReasons.workerLost.code) failures++;
      const { attempt, worker } = record;
      return { attempt, worker, text: attemptText(record, failures, tries) };
    });
  if (outcome && outcome.attempt > 0) {
    const { attempt, worker } = outcome;
    const ran = runMsOf(outcome);
    const text = `${sentence(reasonOf(outcome.code).text)} after ${ran} ms; that is its outcome.`;
    told.push({ attempt, worker, text });
  }
  return told;
}

function attemptText(record: AttemptRecord, failures: number, tries: number | undefined): string {
  const { code, charged } = record;
  const { message } = errorOf(record);
  const reason = sentence(reasonOf(code).text);
  if (code === endReasons.workerLost.code) {
    const why = message === undefined ? "" : `: ${message}`;
    const mind = charged
      ? "It may have been running, so this death is counted"
      : "It was not running";
    return `${reason}${why}. ${mind}; the task was placed anew.`;
  }
  const why = message === undefined ? "" : `: ${message}`;
  if (!charged) return `${reason}${why}. That costs it no try.`;
  const of = tries === undefined ? "" : ` of ${tries}`;
  return `${reason}${why}. Failure ${failures}${of}; it was tried again.`;
}

function errorOf({ error }: AttemptRecord): { readonly message?: string } {
  const said = error === null || error.length === 0 ? undefined : parsed(error);
  if (typeof said !== "object" || said === null || !("message" in said)) return {};
  return { message: String(said.message).split("\n", 1)[0] ?? "" };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
