// What falls due when: a binary heap of small records, derived from state and rebuilt with it. A record may
// be stale (its task moved on): whoever takes it looks at the state before deciding anything.

export type Timer =
  | { readonly at: number; readonly kind: "backoff"; readonly job: number; readonly task: number }
  | QueuedTimer
  | { readonly at: number; readonly kind: "wake"; readonly job: number }
  | { readonly at: number; readonly kind: "drain"; readonly worker: number }
  | { readonly at: number; readonly kind: "key"; readonly key: string }
  | { readonly at: number; readonly kind: "keys"; readonly client: string }
  | { readonly at: number; readonly kind: "payload"; readonly hash: string };

/** Tasks of one part, waiting in their queue. */
export interface QueuedTimer {
  readonly at: number;
  readonly kind: "queued";
  readonly job: number;
  readonly first: number;
  readonly count: number;
}

export interface Timers {
  readonly heap: Timer[];
}

export function createTimers(): Timers {
  return { heap: [] };
}

export function addTimer(timers: Timers, timer: Timer): void {
  const heap = timers.heap;
  let i = heap.length;
  heap.push(timer);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || above.at <= timer.at) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = timer;
}

export function nextTimerAt(timers: Timers): number {
  return timers.heap[0]?.at ?? Number.MAX_SAFE_INTEGER;
}

/** Takes the earliest timer due at `time`, or undefined. */
export function takeTimer(timers: Timers, time: number): Timer | undefined {
  const heap = timers.heap;
  const first = heap[0];
  if (first === undefined || first.at > time) return undefined;
  const last = heap.pop();
  if (last !== undefined && heap.length > 0) sink(heap, last);
  return first;
}

function sink(heap: Timer[], timer: Timer): void {
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if ((heap[child + 1]?.at ?? Number.MAX_SAFE_INTEGER) < (heap[child]?.at ?? 0)) child++;
    const below = heap[child];
    if (below === undefined || below.at >= timer.at) break;
    heap[i] = below;
    i = child;
  }
  heap[i] = timer;
}
