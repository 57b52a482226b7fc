// Pictures made here from lists, for masters that do not draw them themselves (an older version during an upgrade).
// Each says how much of the cluster it has looked at.

import type { JobView, StatusView, TaskDetailView, TaskView } from "../../../src/client/index.ts";
import { client } from "./client.ts";
import type { Attention, JobErrors, JobGraph, Overview, Series } from "./types.ts";
import type { ErrorGroup, TaskGrid, TaskStream } from "./types.ts";

type Signal = AbortSignal | undefined;

export async function overview(signal: Signal): Promise<Overview> {
  const [status, workers, jobs] = await Promise.all([
    client.status({ signal }),
    client.workers({ limit: 1_000 }, { signal }),
    client.jobs({ state: "running", limit: 20 }, { signal }),
  ]);
  note(status);
  const attention = attentionOf(status);
  return {
    verdict: status.verdict,
    level: status.leader ? (attention.length > 0 ? "warn" : "ok") : "bad",
    workers: workers.items
      .filter(({ state }) => state !== "gone")
      .map(({ id, state, amounts, used, running }) => ({
        id,
        state,
        used: used["cpu"] ?? 0,
        total: amounts["cpu"] ?? 0,
        running,
      })),
    running: jobs.items.map((job) => ({ ...job, etaMs: etaOf(job) })),
    attention,
    errors: [],
    rates: rates(),
    oldestWaitMs: null,
  };
}

/** From the rate so far: tasks that ended since it started. */
export function etaOf(job: Pick<JobView, "counts" | "tasks" | "started">): number | null {
  const { succeeded, failed, cancelled } = job.counts;
  const done = succeeded + failed + cancelled;
  if (job.started === null || done === 0) return null;
  const spentMs = Date.now() - Date.parse(job.started);
  return (spentMs / done) * (job.tasks - done);
}

function attentionOf({ leader, workers, masters }: StatusView): Attention[] {
  const found: Attention[] = [];
  const add = (level: Attention["level"], text: string, hint: string, link: string) =>
    found.push({ level, text, hint, link });
  if (!leader) add("bad", "No master leads", "Nothing new starts until one does.", "/masters");
  if (workers.lost > 0) {
    add("warn", `${workers.lost} worker(s) lost`, "Their tasks start elsewhere.", "/workers");
  }
  if (workers.suspect > 0) {
    add("warn", `${workers.suspect} worker(s) silent`, "They get no new work.", "/workers");
  }
  if (workers.active === 0) {
    add("bad", "No worker is active", "Start one with `skein worker`.", "/workers");
  }
  if (masters.away.length > 0) {
    const text = `${masters.away.join(", ")} away`;
    add("warn", text, "Start it again, or forget it.", "/masters");
  }
  return found;
}

// ── what this page has seen of the cluster since it was opened ──────────────────────────────

interface Point {
  readonly at: number;
  readonly status: StatusView;
}
const stepMs = 2_000;
const points: Point[] = [];

function note(status: StatusView): void {
  const at = Date.now();
  const last = points.at(-1);
  if (last && at - last.at < stepMs / 2) return;
  points.push({ at, status });
  if (points.length > 450) points.shift();
}

const perSecond = (points_: readonly Point[], at: number, key: "succeeded" | "failed") => {
  const [before, after] = [points_[at - 1], points_[at]];
  if (!before || !after) return null;
  const more = after.status.tasks[key] - before.status.tasks[key];
  // Counts of finished jobs leave with them: what follows is no rate.
  return more < 0 ? null : (more / (after.at - before.at)) * 1_000;
};

function rates(): Overview["rates"] {
  const at = points.length - 1;
  return {
    succeeded: perSecond(points, at, "succeeded") ?? 0,
    failed: perSecond(points, at, "failed") ?? 0,
  };
}

export async function series(signal: Signal): Promise<Series> {
  note(await client.status({ signal }));
  const of = (value: (status: StatusView) => number) => points.map(({ status }) => value(status));
  return {
    stepMs,
    from: points[0]?.at ?? Date.now(),
    succeeded: points.map((_, at) => perSecond(points, at, "succeeded")),
    failed: points.map((_, at) => perSecond(points, at, "failed")),
    queued: of(({ tasks }) => tasks.ready + tasks.waiting + tasks.backoff),
    running: of(({ tasks }) => tasks.assigned),
    used: of(({ slots }) => slots.used),
    total: of(({ slots }) => slots.cpu),
    oldestWaitMs: points.map(() => null),
  };
}

// ── of one job ──────────────────────────────────────────────────────────────────────────────

const lookedMax = 120;

async function details(job: string, items: readonly TaskView[], signal: Signal) {
  return Promise.all(items.map(({ task }) => client.task(job, task, { signal })));
}

export async function errors(job: string, signal: Signal): Promise<JobErrors> {
  const page = await client.tasks(job, { state: "failed", limit: 20 }, { signal });
  const groups = new Map<string, ErrorGroup>();
  for (const detail of await details(job, page.items, signal)) {
    const group = groupOf(detail);
    const known = groups.get(group.fingerprint);
    groups.set(group.fingerprint, known ? { ...known, count: known.count + 1 } : group);
  }
  const looked = page.items.length;
  return {
    groups: [...groups.values()].toSorted((a, b) => b.count - a.count),
    failed: page.total,
    looked,
    ...(looked < page.total ? { partial: `of the first ${looked} failed tasks` } : {}),
  };
}

function groupOf({ task, reason, error, attempts }: TaskDetailView): ErrorGroup {
  const last = attempts.at(-1);
  const { name = "", message = "" } = (error ?? last?.error ?? {}) as Record<string, string>;
  const text = [name, message].filter((part) => part !== "").join(": ") || (reason ?? "failed");
  const fingerprint = `${reason}|${text.replaceAll(/\d+/g, "#").slice(0, 200)}`;
  const { attempt = 0, worker = "", ended = null } = last ?? {};
  const first = { task, attempt, worker, at: ended };
  return { fingerprint, reason: reason ?? "failed", message: text, count: 1, first };
}

export async function stream(job: string, signal: Signal): Promise<TaskStream> {
  const page = await client.tasks(job, { limit: lookedMax }, { signal });
  const all = await details(job, page.items, signal);
  const attempts = all
    .flatMap(({ task, attempts: of }) => of.map((attempt) => ({ task, ...attempt })))
    .flatMap((one) => {
      const ended = one.ended === null ? Date.now() : Date.parse(one.ended);
      return one.started === null ? [] : [{ ...one, from: Date.parse(one.started), ended }];
    })
    .toSorted((a, b) => a.from - b.from);
  const from = attempts[0]?.from ?? Date.now();
  const to = Math.max(from + 1, ...attempts.map(({ ended }) => ended));
  const lanes: { worker: string; slot: number; free: number }[] = [];
  const lane = attempts.map(({ worker, from: start, ended: free }) => {
    const found = lanes.findIndex((one) => one.worker === worker && one.free <= start);
    const at = found < 0 ? lanes.length : found;
    const slot = lanes[found]?.slot ?? lanes.filter((one) => one.worker === worker).length;
    lanes[at] = { worker, slot, free };
    return at;
  });
  const order = lanes
    .map((_, at) => at)
    .toSorted((a, b) => (place(lanes[a]) < place(lanes[b]) ? -1 : 1));
  return {
    from,
    to,
    lanes: order.flatMap((at) => lanes[at] ?? []),
    bars: {
      lane: lane.map((at) => order.indexOf(at)),
      task: attempts.map(({ task }) => task),
      attempt: attempts.map(({ attempt }) => attempt),
      start: attempts.map((one) => one.from - from),
      end: attempts.map(({ ended }) => ended - from),
      state: attempts.map(({ state }) => state),
    },
    aggregated: false,
    verdict: "",
    ...(page.total > page.items.length
      ? { partial: `the first ${page.items.length} of ${page.total} tasks` }
      : {}),
  };
}

const place = (lane: { worker: string; slot: number } | undefined): string =>
  `${lane?.worker} ${String(lane?.slot).padStart(4, "0")}`;

const stateBytes: Readonly<Record<string, number>> = {
  waiting: 0,
  ready: 1,
  backoff: 2,
  assigned: 3,
  running: 4,
  succeeded: 5,
  failed: 6,
  cancelled: 7,
};
const gridMax = 5_000;

export async function grid(job: string, signal: Signal): Promise<TaskGrid> {
  const states: number[] = [];
  let total = 0;
  for (let cursor: string | undefined; states.length < gridMax;) {
    const page = await client.tasks(job, { limit: 1_000, ...(cursor && { cursor }) }, { signal });
    for (const { state } of page.items) states.push(stateBytes[state] ?? 0);
    total = page.total;
    cursor = page.nextCursor ?? undefined;
    if (cursor === undefined) break;
  }
  return {
    tasks: states.length,
    perCell: 1,
    states: Uint8Array.from(states),
    ...(states.length < total ? { partial: `the first ${states.length} of ${total} tasks` } : {}),
  };
}

export async function graph(job: string, signal: Signal): Promise<JobGraph> {
  const nodes = new Map<string, JobGraph["nodes"][number]>();
  const edges: { from: string; to: string; mode: string }[] = [];
  const visit = async (id: string): Promise<void> => {
    if (nodes.has(id) || nodes.size >= 50) return;
    const view = await client.job(id, { signal });
    const { counts, tasks, state, task } = view;
    const done = counts.succeeded + counts.failed + counts.cancelled;
    nodes.set(id, { job: id, task, state, tasks, done });
    for (const { job: from, mode } of view.after) {
      edges.push({ from, to: id, mode });
      await visit(from);
    }
  };
  await visit(job);
  const partial = "jobs that this one waits for; not those that wait for it";
  return { nodes: [...nodes.values()], edges, partial };
}
