// One stream of events for each tab (docs/events.md). It tells which answers on the page are old, and those are asked for
// again, a few times a second at most; and each second how old the master's news is. A tab that nobody sees has no stream:
// a browser opens few connections to one host, and all tabs share them.

import type { Query, QueryClient } from "@tanstack/react-query";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { ClusterEvent } from "../../../src/client/index.ts";
import { client, isUnauthorized } from "./client.ts";
import { freshness } from "./freshness.ts";
import { isRefused } from "./lists.ts";
import { noteLoggedOut } from "./logged-out.ts";
import { isPaused, subscribePaused } from "./pause.ts";

const topics = ["overview", "jobs", "timeline", "workers", "queues", "masters"];

/** Which questions have another answer after a message: the first words of their keys. */
const tells: Readonly<Partial<Record<ClusterEvent["event"], readonly string[]>>> = {
  overview: ["overview", "status", "series"],
  jobs: ["jobs"],
  job: ["job", "tasks", "task", "why", "stream", "grid", "graph", "job logs"],
  workers: ["workers", "worker", "worker attempts"],
  queues: ["queues"],
  masters: ["masters"],
  timeline: ["events"],
};
/** The least time between two answers, where it is not the usual one: these are large, or move slowly. */
const rests: Readonly<Record<string, number>> = {
  stream: 2_000,
  grid: 2_000,
  graph: 2_000,
  "job logs": 1_000,
  series: 5_000,
};
const restMs = 400;
const longListMs = 5_000;
const flushMs = 200;
/** After a stream was given up. */
const againMs = 1_000;
/** It ticks each second: after so long without any answer nobody is there. */
const silenceMs = 4_000;

class Live {
  readonly #queries: QueryClient;
  #job: string | undefined;
  #stream: AbortController | undefined;
  /** Queries whose answers are old. */
  readonly #old = new Set<string>();
  #flush: ReturnType<typeof setTimeout> | undefined;

  constructor(queries: QueryClient) {
    this.#queries = queries;
  }

  /** Until what it returns is called. */
  start(): () => void {
    const look = () => (document.hidden ? this.#close() : this.#open());
    const watch = setInterval(() => {
      if (this.#stream && Date.now() - freshness.heardAt() > silenceMs) freshness.missed();
    }, 1_000);
    const unpaused = subscribePaused(() => this.#plan());
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      clearInterval(watch);
      clearTimeout(this.#flush);
      this.#flush = undefined;
      unpaused();
      document.removeEventListener("visibilitychange", look);
      this.#close();
    };
  }

  /** The job of the page. */
  follow(job: string | undefined): void {
    if (job === this.#job) return;
    this.#job = job;
    if (this.#stream) this.#open();
  }

  #close(): void {
    this.#stream?.abort();
    this.#stream = undefined;
  }

  #open(): void {
    this.#close();
    const stream = new AbortController();
    this.#stream = stream;
    freshness.listens();
    void this.#read(stream.signal);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const wanted = this.#job === undefined ? topics : [...topics, `job:${this.#job}`];
    while (!signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one stream after the other
        for await (const event of client.events({ topics: wanted, signal })) this.#take(event);
      } catch (error) {
        if (signal.aborted) return;
        if (isUnauthorized(error)) return noteLoggedOut();
      }
      // oxlint-disable-next-line no-await-in-loop -- the same
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }

  #take(message: ClusterEvent): void {
    if (message.event === "tick") return freshness.ticked(message.data);
    const names = message.event === "reset" ? undefined : (tells[message.event] ?? []);
    for (const query of this.#queries.getQueryCache().findAll({ type: "active" })) {
      const isTold = names === undefined || names.includes(String(query.queryKey[0]));
      if (isTold && !isRefused(query.state.error)) this.#old.add(query.queryHash);
    }
    this.#plan();
  }

  #plan(): void {
    if (this.#old.size === 0 || isPaused()) return;
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      this.#askAgain();
      this.#plan();
    }, flushMs);
  }

  #askAgain(): void {
    if (isPaused()) return;
    for (const hash of this.#old) {
      const query = this.#queries.getQueryCache().get(hash);
      if (query?.isActive() && !mayBeAsked(query)) continue;
      this.#old.delete(hash);
      if (!query?.isActive()) continue;
      void this.#queries.invalidateQueries({ queryKey: query.queryKey, exact: true });
    }
  }
}

/** An answer under way may be older than the message: it is waited for, and then asked again. */
function mayBeAsked({ queryKey, state }: Query): boolean {
  if (state.fetchStatus !== "idle") return false;
  const { pages } = (state.data ?? {}) as { readonly pages?: readonly unknown[] };
  const rest = (pages?.length ?? 0) > 3 ? longListMs : (rests[String(queryKey[0])] ?? restMs);
  return Date.now() - Math.max(state.dataUpdatedAt, state.errorUpdatedAt) >= rest;
}

let live: Live | undefined;

/** Of the frame: there is one. */
export function useLive(): void {
  const queries = useQueryClient();
  useEffect(() => {
    live ??= new Live(queries);
    return live.start();
  }, [queries]);
}

/** Of a screen that shows a job; `id` in full, when it is known. */
export function useLiveJob(id: string | undefined): void {
  const queries = useQueryClient();
  useEffect(() => {
    live ??= new Live(queries);
    live.follow(id);
    return () => live?.follow(undefined);
  }, [id, queries]);
}
