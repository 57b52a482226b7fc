// Every question that a screen asks, as a hook. What is shown stays while it is asked again: when the stream tells that
// there is another answer (live.ts), and slowly without it.

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { JobView, Page, TaskView } from "../../../src/client/index.ts";
import { client } from "./client.ts";
import { isRefused, listQuery } from "./lists.ts";
import { isPaused } from "./pause.ts";
import type { TaskGrid } from "./types.ts";

const every = (ms: number) => () => (isPaused() ? false : ms);
/** The stream tells when these change: this is for what it might have missed. */
const fallback = every(15_000);
/** What no event tells: what workers report between batches, whether masters are there, reasons to wait. */
const untold = every(5_000);
/** Of a list that somebody filters: what the master refused it would refuse again. */
const unlessRefused = (query: { readonly state: { readonly error: unknown } }) =>
  isRefused(query.state.error) ? false : fallback();

export const useStatus = () =>
  useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => client.status({ signal }),
    refetchInterval: fallback,
  });

export const useOverview = () =>
  useQuery({
    queryKey: ["overview"],
    queryFn: ({ signal }) => client.overview({ signal }),
    refetchInterval: fallback,
  });

export const useSeries = (span: "15m" | "24h") =>
  useQuery({
    queryKey: ["series", span],
    queryFn: ({ signal }) => client.series({ span }, { signal }),
    refetchInterval: untold,
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
    refetchInterval: unlessRefused,
    placeholderData: keepPreviousData,
  });

export const useJob = (job: string) =>
  useQuery({
    queryKey: ["job", job],
    queryFn: ({ signal }) => client.job(job, { signal }),
    refetchInterval: fallback,
  });

export const useTasks = (job: string, filter: string) =>
  useInfiniteQuery({
    queryKey: ["tasks", job, filter],
    queryFn: ({ signal, pageParam }): Promise<Page<TaskView>> =>
      client.tasks(job, listQuery(filter, pageSize, pageParam), { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    refetchInterval: unlessRefused,
    placeholderData: keepPreviousData,
  });

export const useTask = (job: string, task: number) =>
  useQuery({
    queryKey: ["task", job, task],
    queryFn: ({ signal }) => client.task(job, task, { signal }),
    // Its progress is told by nobody else.
    refetchInterval: ({ state }) =>
      state.data?.state === "assigned" || state.data?.state === "running"
        ? every(2_000)()
        : fallback(),
  });

export const useWhy = (job: string, task: number) =>
  useQuery({
    queryKey: ["why", job, task],
    queryFn: ({ signal }) => client.why(job, task, { signal }),
    refetchInterval: untold,
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
    refetchInterval: live ? fallback : false,
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
    refetchInterval: live ? fallback : false,
  });

export const useGraph = (job: string) =>
  useQuery({
    queryKey: ["graph", job],
    queryFn: ({ signal }) => client.graph(job, { signal }),
    refetchInterval: fallback,
  });

export const useWorkers = () =>
  useQuery({
    queryKey: ["workers"],
    queryFn: ({ signal }) => client.workers({ limit: 1_000 }, { signal }),
    refetchInterval: untold,
  });

export const useWorker = (worker: string) =>
  useQuery({
    queryKey: ["worker", worker],
    queryFn: ({ signal }) => client.worker(worker, { signal }),
    refetchInterval: untold,
  });

export const useWorkerAttempts = (worker: string) =>
  useQuery({
    queryKey: ["worker attempts", worker],
    queryFn: ({ signal }) => client.workerAttempts(worker, { limit: 100 }, { signal }),
    refetchInterval: untold,
  });

/** Lines of all its attempts, merged by time; more are asked for from where looking ended. */
export const useJobLogs = (job: string, grep: string, live: boolean) =>
  useInfiniteQuery({
    queryKey: ["job logs", job, grep],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: 1_000, ...(grep === "" ? {} : { grep }) };
      return client.jobLogs(
        job,
        pageParam === undefined ? query : { ...query, cursor: pageParam },
        { signal },
      );
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    // What is printed makes no event.
    refetchInterval: (query) =>
      isRefused(query.state.error) ? false : live ? untold() : fallback(),
    placeholderData: keepPreviousData,
  });

export const useQueues = () =>
  useQuery({
    queryKey: ["queues"],
    queryFn: ({ signal }) => client.queues({ limit: 1_000 }, { signal }),
    refetchInterval: fallback,
  });

export const useMasters = () =>
  useQuery({
    queryKey: ["masters"],
    queryFn: ({ signal }) => client.masters({ signal }),
    refetchInterval: untold,
  });

export const useEvents = (filter: string) =>
  useQuery({
    queryKey: ["events", filter],
    queryFn: ({ signal }) => client.eventList(listQuery(filter, 500, undefined), { signal }),
    refetchInterval: unlessRefused,
    placeholderData: keepPreviousData,
  });
