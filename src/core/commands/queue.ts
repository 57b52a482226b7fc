// Queues: named lines that jobs wait in. A queue comes into being with its first job (K9).

import type { JobSpec, QueueSettings } from "../../protocol/model.ts";
import type { Effect } from "../effect.ts";
import type { QueueSet } from "../entry.ts";
import type { QueueFacts } from "../note.ts";
import type { Answer } from "../refusal.ts";
import type { Queue, State } from "../state.ts";
import { emit } from "../turn.ts";
import type { Turn } from "../turn.ts";

export const defaultQueueSettings: QueueSettings = { weight: 1000, runningMax: 0, queuedMax: 0 };

export interface SetQueueRequest {
  readonly kind: "setQueue";
  readonly name: string;
  readonly namespace: string;
  readonly by: string;
  readonly settings: Partial<QueueSettings>;
  readonly paused: boolean | null;
  readonly pausedReason: string;
}

export function setQueue(turn: Turn, request: SetQueueRequest): Answer {
  const before = turn.state.queues.get(request.name);
  const paused = request.paused ?? before?.paused ?? false;
  emit(turn, {
    kind: "queueSet",
    v: 1,
    name: request.name,
    namespace: before?.namespace ?? request.namespace,
    by: before?.by ?? request.by,
    settings: { ...defaultQueueSettings, ...before?.settings, ...request.settings },
    paused,
    pausedReason: paused ? request.pausedReason || (before?.pausedReason ?? "") : "",
  });
  return { ok: true };
}

/** Makes the job's queue with default limits where there is none. */
export function ensureQueue(turn: Turn, spec: JobSpec): void {
  if (turn.state.queues.has(spec.queue)) return;
  emit(turn, {
    kind: "queueSet",
    v: 1,
    name: spec.queue,
    namespace: spec.namespace,
    by: spec.by,
    settings: defaultQueueSettings,
    paused: false,
    pausedReason: "",
  });
}

export function applyQueueSet(state: State, entry: QueueSet, effects: Effect[]): void {
  const queue = state.queues.get(entry.name);
  const before = queue ? factsOf(queue) : null;
  const note = {
    about: "queue.changed",
    queue: entry.name,
    before,
    after: factsOf(entry),
  } as const;
  effects.push({ kind: "note", note });
  if (queue) {
    queue.settings = entry.settings;
    queue.paused = entry.paused;
    queue.pausedReason = entry.pausedReason;
    return;
  }
  const made: Queue = {
    name: entry.name,
    namespace: entry.namespace,
    by: entry.by,
    settings: entry.settings,
    paused: entry.paused,
    pausedReason: entry.pausedReason,
    used: new Map(),
    assigned: 0,
    waiting: 0,
    jobs: 0,
  };
  state.queues.set(entry.name, made);
}

function factsOf({ settings, paused, pausedReason }: Queue | QueueSet): QueueFacts {
  return { ...settings, paused, pausedReason };
}
