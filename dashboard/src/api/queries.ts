// Every question that a screen asks, as a hook. What is shown stays while it is asked again.

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { JobView, Page, TaskView } from "../../../src/client/index.ts";
import { ask, client } from "./client.ts";
import { listQuery } from "./lists.ts";
import { isPaused } from "./pause.ts";
import * as standIns from "./stand-ins.ts";
import type {
  JobErrors,
  JobGraph,
  Overview,
  Series,
  TaskGrid,
  TaskStream,
  TimelineEvent,
} from "./types.ts";

const every = (ms: number) => () => (isPaused() ? false : ms);
const soon = every(2_000);
const later = every(5_000);

export const useStatus = () =>
  useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => client.status({ signal }),
    refetchInterval: soon,
  });

export const useOverview = () =>
  useQuery<Overview>({
    queryKey: ["overview"],
    queryFn: async ({ signal }) =>
      (await ask<Overview>("/v1/overview", signal)) ?? standIns.overview(signal),
    refetchInterval: soon,
  });

export const useSeries = (span: "15m" | "24h") =>
  useQuery<Series>({
    queryKey: ["series", span],
    queryFn: async ({ signal }) =>
      (await ask<Series>(`/v1/series?span=${span}`, signal)) ?? standIns.series(signal),
    refetchInterval: later,
    placeholderData: keepPreviousData,
  });

const pageSize = 200;

export const useJobs = (filter: string) =>
  useInfiniteQuery({
    queryKey: ["jobs", filter],
    queryFn: ({ signal, pageParam }): Promise<Page<JobView>> =>
      client.jobs(listQuery(filter, pageSize, pageParam), { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 3 ? later() : soon()),
    placeholderData: keepPreviousData,
  });

export const useJob = (job: string) =>
  useQuery({
    queryKey: ["job", job],
    queryFn: ({ signal }) => client.job(job, { signal }),
    refetchInterval: ({ state }) =>
      state.data && state.data.ended !== null ? later() : every(1_000)(),
  });

export const useTasks = (job: string, filter: string) =>
  useInfiniteQuery({
    queryKey: ["tasks", job, filter],
    queryFn: ({ signal, pageParam }): Promise<Page<TaskView>> =>
      client.tasks(job, listQuery(filter, pageSize, pageParam), { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 3 ? later() : soon()),
    placeholderData: keepPreviousData,
  });

export const useTask = (job: string, task: number) =>
  useQuery({
    queryKey: ["task", job, task],
    queryFn: ({ signal }) => client.task(job, task, { signal }),
    refetchInterval: every(1_000),
  });

export const useWhy = (job: string, task: number) =>
  useQuery({
    queryKey: ["why", job, task],
    queryFn: ({ signal }) => client.why(job, task, { signal }),
    refetchInterval: soon,
  });

export const useErrors = (job: string, failed: number) =>
  useQuery<JobErrors>({
    queryKey: ["errors", job, failed],
    enabled: failed > 0,
    queryFn: async ({ signal }) =>
      (await ask<JobErrors>(`/v1/jobs/${job}/errors`, signal)) ?? standIns.errors(job, signal),
    placeholderData: keepPreviousData,
  });

export const useTaskStream = (job: string, live: boolean) =>
  useQuery<TaskStream>({
    queryKey: ["stream", job],
    queryFn: async ({ signal }) =>
      (await ask<TaskStream>(`/v1/jobs/${job}/stream?bars=20000`, signal)) ??
      standIns.stream(job, signal),
    refetchInterval: live ? soon : false,
  });

interface PackedGrid extends Omit<TaskGrid, "states"> {
  readonly states: string;
}

export const useGrid = (job: string, live: boolean) =>
  useQuery<TaskGrid>({
    queryKey: ["grid", job],
    queryFn: async ({ signal }) => {
      const packed = await ask<PackedGrid>(`/v1/jobs/${job}/grid?cells=20000`, signal);
      if (!packed) return standIns.grid(job, signal);
      const bytes = atob(packed.states);
      return { ...packed, states: Uint8Array.from(bytes, (char) => char.charCodeAt(0)) };
    },
    structuralSharing: false,
    refetchInterval: live ? soon : false,
  });

export const useGraph = (job: string) =>
  useQuery<JobGraph>({
    queryKey: ["graph", job],
    queryFn: async ({ signal }) =>
      (await ask<JobGraph>(`/v1/jobs/${job}/graph`, signal)) ?? standIns.graph(job, signal),
    refetchInterval: later,
  });

export const useWorkers = () =>
  useQuery({
    queryKey: ["workers"],
    queryFn: ({ signal }) => client.workers({ limit: 1_000 }, { signal }),
    refetchInterval: soon,
  });

export const useQueues = () =>
  useQuery({
    queryKey: ["queues"],
    queryFn: ({ signal }) => client.queues({ limit: 1_000 }, { signal }),
    refetchInterval: soon,
  });

export const useMasters = () =>
  useQuery({
    queryKey: ["masters"],
    queryFn: ({ signal }) => client.masters({ signal }),
    refetchInterval: soon,
  });

export interface Events {
  /** False where this master keeps no timeline. */
  readonly known: boolean;
  readonly items: readonly TimelineEvent[];
  readonly total: number;
}

export const useEvents = (filter: string) =>
  useQuery<Events>({
    queryKey: ["events", filter],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ limit: "500", ...(filter === "" ? {} : { filter }) });
      const page = await ask<Page<TimelineEvent>>(`/v1/events?${query.toString()}`, signal);
      return page ? { known: true, ...page } : { known: false, items: [], total: 0 };
    },
    refetchInterval: soon,
    placeholderData: keepPreviousData,
  });
