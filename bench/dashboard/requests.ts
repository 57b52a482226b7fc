/**
 * What is asked: each GET route that takes no body, as a dashboard asks it and as its slowest reader does. A route that
 * is not asked says why, so that a new one cannot be forgotten.
 */
import { routes } from "../../src/protocol/routes.ts";
import type { RouteName } from "../../src/protocol/routes.ts";
import { between } from "../failover/random.ts";
import type { Random } from "../failover/random.ts";
import { pausedQueue } from "./world.ts";
import type { Jobs } from "./world.ts";

export interface Request {
  readonly route: RouteName;
  readonly what: string;
  /** One that is asked next. */
  readonly path: (random: Random) => string;
}

/** Not measured, and why. */
export const left: Readonly<Partial<Record<string, string>>> = {
  logs: "simulated workers print nothing",
  jobLogs: "the same",
  payload: "a file of any size, sent as it is",
  outcomes: "a stream as long as its job",
  results: "a stream as long as its job",
};

/** `state:failed` as the API takes it. */
function filtered(name: string, value: string): string {
  return `filter=${encodeURIComponent(`${name}:${value}`)}`;
}

export function requestsOf(jobs: Jobs, workers: number): Request[] {
  const { wide, live, liveTasks, ended, queued } = jobs;
  const pick = (ids: readonly string[], random: Random) => ids[between(random, 0, ids.length - 1)];
  const liveJob = (random: Random) => `/v1/jobs/${pick(live, random)}`;
  const queuedJob = (random: Random) => `/v1/jobs/${pick(queued, random)}`;
  /** The last thousand that ended are in the state still. */
  const retired = ended.slice(0, Math.max(1, ended.length - 1_200));
  const retiredJob = (random: Random) => `/v1/jobs/${pick(retired, random)}`;
  const label = "filter=label.team%3Dfilm";
  return [
    to("version", "nothing: what asking costs", "/v1/version"),
    to("openapi", "", "/v1/openapi.json"),
    to("status", "", "/v1/status"),
    to("overview", "", "/v1/overview"),
    to("series", "15 min", "/v1/series?span=15m"),
    to("series", "24 h", "/v1/series?span=24h"),
    to("jobs", "newest 100", "/v1/jobs"),
    to("jobs", "1,000", "/v1/jobs?limit=1000"),
    to("jobs", "running", `/v1/jobs?${filtered("state", "running")}`),
    to("jobs", "waiting", `/v1/jobs?${filtered("state", "waiting")}`),
    to("jobs", "failed", `/v1/jobs?${filtered("state", "failed")}`),
    to("jobs", "of a queue", `/v1/jobs?${filtered("queue", "film")}`),
    to("jobs", "of a label", `/v1/jobs?${label}`),
    to("job", "running", liveJob),
    to("job", "waiting", queuedJob),
    to("job", "retired", retiredJob),
    to("job", "by a prefix", (random) => retiredJob(random).slice(0, -4)),
    to("tasks", "running job", (random) => `${liveJob(random)}/tasks`),
    to(
      "tasks",
      "running ones",
      (random) => `${liveJob(random)}/tasks?${filtered("state", "running")}`,
    ),
    to("tasks", "1,000 of 48,000", `/v1/jobs/${wide}/tasks?limit=1000`),
    to("tasks", "failed of 48,000", `/v1/jobs/${wide}/tasks?${filtered("state", "failed")}`),
    to("tasks", "retired job", (random) => `${retiredJob(random)}/tasks`),
    to("task", "running job", (random) => `${liveJob(random)}/tasks/${between(random, 0, 99)}`),
    to("task", "retired job", (random) => `${retiredJob(random)}/tasks/${between(random, 0, 9)}`),
    to("why", "ended", (random) => `${liveJob(random)}/tasks/${between(random, 0, 9)}/why`),
    to(
      "why",
      "in a paused queue",
      (random) => `${queuedJob(random)}/tasks/${between(random, 0, 9)}/why`,
    ),
    to(
      "why",
      "last of its job",
      (random) => `${liveJob(random)}/tasks/${between(random, liveTasks - 90, liveTasks - 1)}/why`,
    ),
    ...picturesOf({ wide, liveJob, retiredJob }),
    to("graph", "", (random) => `${liveJob(random)}/graph`),
    to("workers", "100", "/v1/workers"),
    to("workers", "1,000", "/v1/workers?limit=1000"),
    to("queues", "", "/v1/queues"),
    to("masters", "", "/v1/masters"),
    to("events", "newest 100", "/v1/events"),
    to("events", "1,000", "/v1/events?limit=1000"),
    to("events", "of a kind", "/v1/events?filter=kind%3Aattempt.failed"),
    to(
      "events",
      "of a worker",
      (random) => `/v1/events?filter=worker%3Aw${between(random, 1, workers)}`,
    ),
    ...later({ workers, live, wide }),
  ];
}

function to(route: RouteName, what: string, path: string | Request["path"]): Request {
  return { route, what, path: typeof path === "string" ? () => path : path };
}

interface Picked {
  readonly wide: string;
  readonly liveJob: Request["path"];
  readonly retiredJob: Request["path"];
}

function picturesOf({ wide, liveJob, retiredJob }: Picked): Request[] {
  return [
    to("stream", "up to 50,000 bars", `/v1/jobs/${wide}/stream?bars=50000`),
    to("stream", "48,000 in cells", `/v1/jobs/${wide}/stream`),
    to("stream", "running job", (random) => `${liveJob(random)}/stream`),
    to("stream", "retired job", (random) => `${retiredJob(random)}/stream`),
    to("grid", "48,000 tasks", `/v1/jobs/${wide}/grid`),
    to("grid", "running job", (random) => `${liveJob(random)}/grid`),
    to("grid", "retired job", (random) => `${retiredJob(random)}/grid`),
    to("errors", "48,000 tasks", `/v1/jobs/${wide}/errors`),
    to("errors", "running job", (random) => `${liveJob(random)}/errors`),
  ];
}

/** Of routes that this build may not have. */
function later({
  workers,
  live,
  wide,
}: {
  workers: number;
  live: readonly string[];
  wide: string;
}) {
  const all: readonly (readonly [string, string, Request["path"]])[] = [
    ["reference", "", () => "/v1/reference"],
    ["worker", "", (random) => `/v1/workers/w${between(random, 1, workers)}`],
    ["workerAttempts", "", (random) => `/v1/workers/w${between(random, 1, workers)}/attempts`],
    ["queue", "", () => `/v1/queues/${pausedQueue}`],
    ["jobAttempts", "48,000 tasks", () => `/v1/jobs/${wide}/attempts`],
    ["jobAttempts", "failed", () => `/v1/jobs/${wide}/attempts?filter=state%3Afailed`],
    ["jobAttempts", "running job", () => `/v1/jobs/${live[0]}/attempts`],
    ["findTasks", "failed", () => "/v1/tasks?filter=state%3Afailed"],
    ["findTasks", "running", () => "/v1/tasks?filter=state%3Arunning"],
    [
      "allTasks",
      "of a worker",
      (random) => `/v1/tasks?filter=worker%3Aw${between(random, 1, workers)}`,
    ],
  ];
  const isThere = (name: string): name is RouteName => name in routes;
  return all.flatMap(([route, what, path]) => (isThere(route) ? [{ route, what, path }] : []));
}

/** GET routes that are neither asked nor left out with a reason. */
export function forgotten(requests: readonly Request[]): string[] {
  const asked = new Set<string>(requests.map(({ route }) => route));
  const gets = Object.entries(routes).filter(([, { method }]) => method === "GET");
  return gets.map(([name]) => name).filter((name) => !asked.has(name) && !(name in left));
}
