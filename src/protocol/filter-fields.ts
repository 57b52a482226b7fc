// What the lists of the API can be filtered by: the fields of each, and what their values are.

export type FieldKind =
  /** One of a few words. */
  | { readonly kind: "word"; readonly words: readonly string[] }
  /** A text that must be equal, as a whole. */
  | { readonly kind: "text" }
  /** label.NAME=VALUE */
  | { readonly kind: "labels" }
  /** A moment: above and below only. */
  | { readonly kind: "time" };

const text = { kind: "text" } as const;
const time = { kind: "time" } as const;
const labels = { kind: "labels" } as const;
const words = (...all: readonly string[]) => ({ kind: "word", words: all }) as const;

/** `unfinished` is open, waiting or running. */
export const jobStateWords = [
  "open",
  "waiting",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "unfinished",
] as const;
/** `assigned` is what the journal knows; `running` those of them that a worker says have begun. */
export const taskStateWords = [
  "waiting",
  "ready",
  "backoff",
  "assigned",
  "running",
  "succeeded",
  "failed",
  "cancelled",
] as const;
export const attemptStateWords = [
  "assigned",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "lost",
  "given_back",
] as const;
export const workerStateWords = [
  "active",
  "suspect",
  "draining",
  "drained",
  "lost",
  "gone",
] as const;

export const filterFields = {
  jobs: {
    state: words(...jobStateWords),
    queue: text,
    task: text,
    label: labels,
    by: text,
    created: time,
    ended: time,
  },
  tasks: { state: words(...taskStateWords), worker: text, reason: text },
  attempts: { state: words(...attemptStateWords), worker: text, reason: text },
  workers: { state: words(...workerStateWords), label: labels, pool: text },
  queues: { state: words("paused", "open") },
  events: { kind: text, job: text, worker: text, queue: text, master: text, at: time },
} as const satisfies Record<string, Readonly<Record<string, FieldKind>>>;

export type FilterResource = keyof typeof filterFields;
