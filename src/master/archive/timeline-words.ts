// What rows of the timeline say. Pure: the same words on every master.

import type { Note, QueueFacts } from "../../core/note.ts";
import type { EventKind, EventLevel } from "../../protocol/event.ts";
import { endReason } from "../../protocol/model.ts";
import type { EndReason } from "../../protocol/model.ts";
import type { JobView } from "../../protocol/views.ts";

/** A row without its place. */
export interface Said {
  readonly kind: EventKind;
  readonly level: EventLevel;
  readonly text: string;
  /** Ids; empty where none is concerned. */
  readonly job: string;
  readonly worker: string;
  readonly queue: string;
  readonly master: string;
}

const nobody = { job: "", worker: "", queue: "", master: "" };

// ── notes ────────────────────────────────────────────────────────────────────────────────

/** `job` is the id of the job that the note is about, its queue beside it. */
export function noteWords(note: Note, job: { readonly id: string; readonly queue: string }): Said {
  const kind = note.about;
  switch (note.about) {
    case "worker.joined":
      return ofWorker(note.worker, kind, "info", "has joined");
    case "worker.back":
      return ofWorker(note.worker, kind, "info", "is back and takes work");
    case "worker.suspect":
      return ofWorker(note.worker, kind, "warn", "has fallen silent: it gets no new work");
    case "worker.draining": {
      const text = note.done
        ? "is drained: it holds no task any more"
        : "finishes and takes nothing new";
      return ofWorker(note.worker, kind, "info", text);
    }
    case "worker.gone":
      return ofWorker(note.worker, kind, "info", `has left${held(note.tasks)}`);
    case "worker.lost":
      return ofWorker(note.worker, kind, "bad", `is lost: ${note.reason}${held(note.tasks)}`);
    case "job.cancelled": {
      const text = `Job ${job.id} is stopped: ${stopWords(endReason(note.reason))}`;
      return { ...nobody, kind, level: "warn", text, job: job.id, queue: job.queue };
    }
    case "queue.changed":
      return queueWords(note.queue, note.before, note.after);
    case "master.elected":
      return ofMaster(note.master, kind, "info", `leads in term ${note.term}`);
    case "master.joined":
      return ofMaster(note.master, kind, "info", "stands by");
    case "master.left":
      return ofMaster(
        note.master,
        kind,
        "warn",
        "has long been away: nothing waits for it any more",
      );
    case "master.resigned": {
      const to = note.to === null ? "whoever stands first" : note.to;
      return ofMaster(note.master, kind, "info", `gives the lead to ${to}`);
    }
    case "cluster.braked": {
      const text = `${note.silent} workers fell silent at once: their work waits, at most a minute`;
      return { ...nobody, kind, level: "bad", text };
    }
    case "snapshot.taken":
      return { ...nobody, kind, level: "info", text: `There is a snapshot at batch ${note.index}` };
    default:
      return note satisfies never;
  }
}

function ofWorker(worker: string, kind: EventKind, level: EventLevel, text: string): Said {
  return { ...nobody, kind, level, text: `Worker ${worker} ${text}`, worker };
}

function ofMaster(master: string, kind: EventKind, level: EventLevel, text: string): Said {
  return { ...nobody, kind, level, text: `Master ${master} ${text}`, master };
}

function held(tasks: number): string {
  return tasks === 0 ? "" : `; it held ${counted(tasks, "task")}`;
}

/** Why a whole job is stopped: the reasons speak of tasks. */
function stopWords({ name, text }: EndReason): string {
  if (name === "cancelled") return "somebody cancelled it";
  if (name === "upstream") return "a job it needs did not succeed";
  if (name === "stopped") return "one of its tasks failed";
  return text;
}

function queueWords(queue: string, before: QueueFacts | null, after: QueueFacts): Said {
  const changes =
    before === null
      ? ["is there now", ...changesOf({ ...after, paused: false }, after)]
      : changesOf(before, after);
  const text = `Queue ${queue} ${changes.length === 0 ? "is as it was" : changes.join(", ")}`;
  const pausedNow = after.paused && !before?.paused;
  return { ...nobody, kind: "queue.changed", level: pausedNow ? "warn" : "info", text, queue };
}

function changesOf(before: QueueFacts, after: QueueFacts): string[] {
  const changes: string[] = [];
  if (after.paused && !before.paused) {
    changes.push(after.pausedReason === "" ? "is paused" : `is paused (${after.pausedReason})`);
  }
  if (before.paused && !after.paused) changes.push("goes on");
  if (after.weight !== before.weight) changes.push(`has weight ${after.weight}`);
  if (after.runningMax !== before.runningMax) changes.push(`runs ${atMost(after.runningMax)}`);
  if (after.queuedMax !== before.queuedMax) changes.push(`holds ${atMost(after.queuedMax)}`);
  return changes;
}

function atMost(limit: number): string {
  return limit === 0 ? "any number of tasks" : `at most ${counted(limit, "task")}`;
}

// ── jobs and attempts ────────────────────────────────────────────────────────────────────

export function createdWords(id: string, queue: string, json: string): Said {
  const view = JSON.parse(json) as Partial<JobView>;
  const many = view.open ? "open for more tasks" : counted(view.tasks ?? 0, "task");
  const again = view.retryOf ? `, a retry of ${view.retryOf}` : "";
  const text = `Job ${id} "${view.task ?? ""}" was submitted: ${many}${again}`;
  return { ...nobody, kind: "job.created", level: "info", text, job: id, queue };
}

export function endedWords(
  id: string,
  queue: string,
  state: "succeeded" | "failed" | "cancelled",
  json: string,
): Said {
  const { counts, tasks = 0 } = JSON.parse(json) as Partial<JobView>;
  const parts = [
    counts && counts.failed > 0 ? `${counts.failed} failed` : "",
    counts && counts.cancelled > 0 ? `${counts.cancelled} cancelled` : "",
  ].filter((part) => part !== "");
  const more = parts.length === 0 ? "" : `, ${parts.join(", ")}`;
  const text = `Job ${id} ${state === "cancelled" ? "is cancelled" : state}: ${counted(tasks, "task")}${more}`;
  const level = state === "succeeded" ? "info" : state === "failed" ? "bad" : "warn";
  return { ...nobody, kind: "job.ended", level, text, job: id, queue };
}

export interface FailedAttempt {
  readonly task: number;
  readonly attempt: number;
  readonly code: number;
  readonly worker: string;
  /** What a failed outcome carries: a TaskError as JSON. */
  readonly error: Uint8Array | null;
  /** The task has failed; else it tries again. */
  readonly last: boolean;
}

export function failedWords(id: string, queue: string, failed: FailedAttempt): Said {
  const { task, attempt, code, worker, error, last } = failed;
  const where = worker === "" ? "" : ` on ${worker}`;
  const what = messageOf(error);
  const why = `${endReason(code).text}${what === "" ? "" : `: ${what}`}`;
  const then = last ? "" : "; it tries again";
  const text = `${id}/${task} failed in attempt ${attempt}${where}: ${why}${then}`;
  const level = last ? "bad" : "warn";
  return { ...nobody, kind: "attempt.failed", level, text, job: id, worker, queue };
}

const messageMax = 200;

/** The first line of an error's message. */
function messageOf(error: Uint8Array | null): string {
  if (error === null || error.length === 0) return "";
  try {
    const { message } = JSON.parse(new TextDecoder().decode(error)) as { message?: unknown };
    const line = typeof message === "string" ? (message.split("\n", 1)[0] ?? "") : "";
    return line.length > messageMax ? `${line.slice(0, messageMax)}…` : line;
  } catch {
    return ""; // A worker's own words: what cannot be read is on the task's page as it is.
  }
}

// ── what is left out ─────────────────────────────────────────────────────────────────────

const names: Partial<Record<EventKind, string>> = {
  "job.created": "jobs were submitted",
  "job.ended": "jobs ended",
  "job.cancelled": "jobs were stopped",
  "attempt.failed": "attempts failed",
};

export function manyWords(kind: EventKind, most: number, seconds: number): Said {
  const what = names[kind] ?? `events "${kind}" came`;
  const text = `More than ${most} ${what} within ${seconds} s: the rest of them is left out`;
  return { ...nobody, kind, level: "info", text };
}

export function leftWords(kind: EventKind, left: number): Said {
  const what = names[kind] ?? `events "${kind}" came`;
  const text = `${left.toLocaleString("en-US")} more ${what} and ${left === 1 ? "is" : "are"} left out here`;
  return { ...nobody, kind, level: "info", text };
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count.toLocaleString("en-US")} ${what}s`;
}
