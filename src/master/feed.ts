// From effects to the archive and to those who follow a job (A2): the same on every master, in batch order.

import type { Effect } from "../core/effect.ts";
import type { Note } from "../core/note.ts";
import type { State } from "../core/state.ts";
import { endReasons } from "../protocol/model.ts";
import type { Archive, ArchiveEvent } from "./archive/archive.ts";
import { noteWords } from "./archive/timeline-words.ts";
import type { Hub } from "./hub.ts";
import { jobView } from "./views.ts";

export interface FedBatch {
  readonly index: number;
  readonly wall: number;
  readonly effects: readonly Effect[];
}

/** Archives a batch. The position of an effect is its batch's index and its own place in it. */
export function feedArchive(state: State, batch: FedBatch, archive: Pick<Archive, "add">): void {
  const events: ArchiveEvent[] = [];
  for (const [n, effect] of batch.effects.entries()) {
    const event = toEvent(state, effect, n);
    if (event) events.push(event);
  }
  archive.add(batch.index, batch.wall, events);
}

function toEvent(state: State, effect: Effect, n: number): ArchiveEvent | undefined {
  switch (effect.kind) {
    case "jobCreated": {
      const job = state.jobs.get(effect.job);
      if (!job) return undefined;
      const { number, id, spec, createdWall } = job;
      const { queue, labels, task, by } = spec;
      const json = JSON.stringify({ ...jobView(job), spec });
      return { kind: "job", number, id, queue, labels, task, by, created: createdWall, json };
    }
    case "inputs": {
      const { job, first, count, bytes } = effect;
      return { kind: "inputs", job, first, count, bytes };
    }
    case "outcomes": {
      const { job, block } = effect;
      return { kind: "outcomes", job, n, worker: workerId(state, effect.worker), block };
    }
    case "attempt": {
      const { job, task, attempt, reason, charged, started, micros, logBytes, error } = effect;
      const worker = workerId(state, effect.worker);
      return {
        kind: "attempt",
        job,
        task,
        attempt,
        worker,
        code: reason,
        charged,
        started,
        micros,
        logBytes,
        error: error ?? lossOf(state, effect),
      };
    }
    case "jobEnded": {
      const job = state.jobs.get(effect.job);
      if (!job || job.ended === "") return undefined;
      const json = JSON.stringify({ ...jobView(job), spec: job.spec });
      return { kind: "jobEnded", job: effect.job, state: job.ended, json };
    }
    case "retired":
      return { kind: "retired", job: effect.job };
    case "note":
      return toNoted(state, effect.note);
    default:
      return undefined;
  }
}

/** Why the worker was declared lost: said of each attempt, since the worker may come back and be lost again. */
function lossOf(state: State, { reason, worker }: EndedAttempt): Uint8Array | null {
  const why = state.workers.get(worker)?.lostReason;
  if (reason !== endReasons.workerLost.code || !why) return null;
  return Buffer.from(JSON.stringify({ name: endReasons.workerLost.name, message: why }));
}

type EndedAttempt = Extract<Effect, { kind: "attempt" }>;

function toNoted(state: State, note: Note): ArchiveEvent {
  const job = "job" in note ? state.jobs.get(note.job) : undefined;
  const { kind: about, ...said } = noteWords(note, {
    id: job?.id ?? "",
    queue: job?.spec.queue ?? "",
  });
  return { kind: "note", about, ...said };
}

function workerId(state: State, number: number): string {
  return state.workers.get(number)?.info.id ?? "";
}

/** Rings for those who follow; after the archive was fed, so that a reader who looks there finds it. */
export function ringHub(state: State, batch: FedBatch, hub: Hub): void {
  hub.batch(batch.effects);
  if (hub.size === 0) return;
  for (const [n, effect] of batch.effects.entries()) {
    if (effect.kind === "outcomes") hub.block(effect.job, { index: batch.index, n }, effect.block);
    else if (effect.kind === "jobEnded") {
      const ended = state.jobs.get(effect.job)?.ended;
      if (ended) hub.end(effect.job, { index: batch.index, n }, ended);
    }
  }
}
