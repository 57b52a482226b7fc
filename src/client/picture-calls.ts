// Calls whose answers are condensed by the master for pictures: the cluster over time, and one job from all sides.

import type {
  ErrorGroupsView,
  GridView,
  JobGraphView,
  OverviewView,
  SeriesView,
  StreamView,
} from "../protocol/picture-views.ts";
import type { CallOptions } from "./calls.ts";
import type { Ask, Query } from "./client.ts";
import { text } from "./paths.ts";

export interface PictureClient {
  overview(options?: CallOptions): Promise<OverviewView>;
  series(query?: Partial<Query<"series">>, options?: CallOptions): Promise<SeriesView>;
  stream(job: string, query?: Partial<Query<"stream">>, options?: CallOptions): Promise<StreamView>;
  grid(job: string, query?: Partial<Query<"grid">>, options?: CallOptions): Promise<GridView>;
  errors(job: string, options?: CallOptions): Promise<ErrorGroupsView>;
  graph(job: string, options?: CallOptions): Promise<JobGraphView>;
}

export function pictureCalls(ask: Ask) {
  return {
    overview: (options) => ask("overview", {}, options),
    series: (query, options) => ask("series", { query: text(query) }, options),
    stream: (job, query, options) =>
      ask("stream", { params: { job }, query: text(query) }, options),
    grid: (job, query, options) => ask("grid", { params: { job }, query: text(query) }, options),
    errors: (job, options) => ask("errors", { params: { job } }, options),
    graph: (job, options) => ask("graph", { params: { job } }, options),
  } satisfies PictureClient;
}
