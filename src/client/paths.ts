// The addresses of the routes, repeated here so that a client carries no schema library. The types hold
// every line to the table in protocol/routes.ts: a route that moves, or is new, does not compile.

import type { eventStreamType, outcomeStreamType, RouteName, routes } from "../protocol/routes.ts";

type Routes = typeof routes;
type Address<Name extends RouteName> = readonly [
  method: Routes[Name]["method"],
  path: Routes[Name]["path"],
];

export const addresses: { readonly [Name in RouteName]: Address<Name> } = {
  version: ["GET", "/v1/version"],
  openapi: ["GET", "/v1/openapi.json"],
  reference: ["GET", "/v1/reference"],
  status: ["GET", "/v1/status"],
  submit: ["POST", "/v1/jobs"],
  part: ["PUT", "/v1/jobs/:job/parts/:part"],
  close: ["POST", "/v1/jobs/:job/close"],
  jobs: ["GET", "/v1/jobs"],
  job: ["GET", "/v1/jobs/:job"],
  cancelJob: ["POST", "/v1/jobs/:job/cancel"],
  retryJob: ["POST", "/v1/jobs/:job/retry"],
  cancelJobs: ["POST", "/v1/jobs:cancel"],
  retryJobs: ["POST", "/v1/jobs:retry"],
  jobAttempts: ["GET", "/v1/jobs/:job/attempts"],
  outcomes: ["GET", "/v1/jobs/:job/outcomes"],
  results: ["GET", "/v1/jobs/:job/results"],
  tasks: ["GET", "/v1/jobs/:job/tasks"],
  findTasks: ["GET", "/v1/tasks"],
  task: ["GET", "/v1/jobs/:job/tasks/:task"],
  cancelTask: ["POST", "/v1/jobs/:job/tasks/:task/cancel"],
  why: ["GET", "/v1/jobs/:job/tasks/:task/why"],
  logs: ["GET", "/v1/jobs/:job/tasks/:task/logs"],
  jobLogs: ["GET", "/v1/jobs/:job/logs"],
  pushLogs: ["POST", "/v1/worker-logs"],
  putPayload: ["PUT", "/v1/payloads/:hash"],
  payload: ["GET", "/v1/payloads/:hash"],
  loginCode: ["POST", "/v1/login-codes"],
  workers: ["GET", "/v1/workers"],
  worker: ["GET", "/v1/workers/:worker"],
  workerAttempts: ["GET", "/v1/workers/:worker/attempts"],
  cordonWorker: ["POST", "/v1/workers/:worker/cordon"],
  forgetWorker: ["DELETE", "/v1/workers/:worker"],
  drainWorker: ["POST", "/v1/workers/:worker/drain"],
  masters: ["GET", "/v1/masters"],
  stepDown: ["POST", "/v1/masters/step-down"],
  events: ["GET", "/v1/events"],
  queues: ["GET", "/v1/queues"],
  overview: ["GET", "/v1/overview"],
  series: ["GET", "/v1/series"],
  stream: ["GET", "/v1/jobs/:job/stream"],
  grid: ["GET", "/v1/jobs/:job/grid"],
  errors: ["GET", "/v1/jobs/:job/errors"],
  graph: ["GET", "/v1/jobs/:job/graph"],
  queue: ["GET", "/v1/queues/:queue"],
  setQueue: ["PATCH", "/v1/queues/:queue"],
};

export const outcomesType: typeof outcomeStreamType = "application/vnd.skein.outcomes";

export const eventsType: typeof eventStreamType = "text/event-stream";

export type Values = Readonly<Record<string, string | number | boolean | undefined>>;

/** The path of a route with its parameters filled in and what is set of a query behind it. */
export function pathOf(name: RouteName, params: Values = {}, query: Values = {}): string {
  const filled = addresses[name][1].replace(
    /\/:([a-z]+)/g,
    (_, key: string) => `/${encodeURIComponent(String(params[key] ?? ""))}`,
  );
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(String(value))}`],
  );
  return pairs.length === 0 ? filled : `${filled}?${pairs.join("&")}`;
}

/** A query as it stands in a URL; zod's coerced numbers have `unknown` as their input. */
export function text(query: Readonly<Record<string, unknown>> | undefined): Values {
  const values = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(values.map(([key, value]) => [key, String(value)]));
}
