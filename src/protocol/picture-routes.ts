// Routes that pictures are drawn from: condensed by the master, so that what a viewer is sent does not grow with the
// number of tasks.

import { z } from "zod";
import { jobRef } from "./fields.ts";
import {
  errorGroupsSchema,
  gridSchema,
  jobGraphSchema,
  overviewSchema,
  seriesSchema,
  streamSchema,
} from "./picture-views.ts";
import type { Route } from "./route.ts";

const params = z.object({ job: jobRef });
const moment = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const pictureRoutes = {
  overview: {
    method: "GET",
    path: "/v1/overview",
    summary: "Is it healthy, how busy is it, what is failing: as of half a second ago at most",
    answer: overviewSchema,
  },
  series: {
    method: "GET",
    path: "/v1/series",
    summary: "The last quarter of an hour, or day, in points of ten seconds, as this master saw it",
    query: z.object({ span: z.enum(["15m", "24h"]).default("15m") }),
    answer: seriesSchema,
  },
  stream: {
    method: "GET",
    path: "/v1/jobs/:job/stream",
    summary: "The task stream: a row per slot, a bar per attempt",
    params,
    query: z.object({
      /** Wall clock in ms; the whole run unless given. */
      from: moment.optional(),
      to: moment.optional(),
      /** More bars than these are given as cells of time. */
      bars: z.coerce.number().int().min(1).max(50_000).default(5_000),
    }),
    answer: streamSchema,
  },
  grid: {
    method: "GET",
    path: "/v1/jobs/:job/grid",
    summary:
      "The state of every task, a byte each; of several where there are more tasks than cells",
    params,
    query: z.object({ cells: z.coerce.number().int().min(1).max(100_000).default(10_000) }),
    answer: gridSchema,
  },
  errors: {
    method: "GET",
    path: "/v1/jobs/:job/errors",
    summary: "Errors of a job's attempts, those that are alike together",
    params,
    answer: errorGroupsSchema,
  },
  graph: {
    method: "GET",
    path: "/v1/jobs/:job/graph",
    summary: "The jobs that this one waits for, and those that wait for it",
    params,
    answer: jobGraphSchema,
  },
} as const satisfies Record<string, Route>;
