// Every question that a screen asks, as a hook. What is shown stays while it is asked again.

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { JobView, Page, TaskView } from "../../../src/client/index.ts";
import { client } from "./client.ts";
import { listQuery } from "./lists.ts";
import { isPaused } from "./pause.ts";
import type { TaskGrid } from "./types.ts";

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
  useQuery({
    queryKey: ["overview"],
    queryFn: ({ signal }) => client.overview({ signal }),
    refetchInterval: soon,
  });

export const useSeries = (span: "15m" | "24h") =>
  useQuery({
    queryKey: ["series", span],
    queryFn: ({ signal }) => client.series({ span }, { signal }),
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
  useQuery({
    queryKey: ["errors", job, failed],
    enabled: failed > 0,
    queryFn: ({ signal }) => client.errors(job, { signal }),
    placeholderData: keepPreviousData,
  });

export const useTaskStream = (job: string, live: boolean) =>
  useQuery({
    queryKey: ["stream", job],
    queryFn: ({ signal }) => client.stream(job, { bars: 20_000 }, { signal }),
    refetchInterval: live ? soon : false,
  });

export const useGrid = (job: string, live: boolean) =>
  useQuery<TaskGrid>({
    queryKey: ["grid", job],
    queryFn: async ({ signal }) => {
      const packed = await client.grid(job, { cells: 20_000 }, { signal });
      const bytes = atob(packed.states);
      return { ...packed, states: Uint8Array.from(bytes, (char) => char.charCodeAt(0)) };
    },
    structuralSharing: false,
    refetchInterval: live ? soon : false,
  });

export const useGraph = (job: string) =>
  useQuery({
    queryKey: ["graph", job],
    queryFn: ({ signal }) => client.graph(job, { signal }),
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

export const useEvents = (filter: string) =>
  useQuery({
    queryKey: ["events", filter],
    queryFn: ({ signal }) =>
      client.eventList({ limit: 500, ...(filter === "" ? {} : { filter }) }, { signal }),
    refetchInterval: soon,
    placeholderData: keepPreviousData,
  });
