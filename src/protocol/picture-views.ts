// What pictures are drawn from: columns instead of objects wherever there may be thousands.

import { z } from "zod";
import { counts } from "./views.ts";

// ── the cluster ──────────────────────────────────────────────────────────────────────────

const level = z.enum(["ok", "warn", "bad"]);

export const overviewSchema = z.object({
  /** One sentence or a few; what is wrong comes first. */
  verdict: z.string(),
  level,
  index: z.int(),
  term: z.int(),
  /** Who answers. */
  master: z.string(),
  /** Tasks that ended per second, over the last five. */
  rates: z.object({ succeeded: z.number(), failed: z.number() }),
  tasks: z.object({ waiting: z.int(), assigned: z.int() }),
  jobs: z.object({ unfinished: z.int(), finished: z.int() }),
  cpu: z.object({ used: z.number(), total: z.number() }),
  /** Of the task that has been ready longest; 0 when none is. */
  oldestWaitMs: z.number(),
  workers: z.object({
    total: z.int(),
    /** At most 1,000. */
    items: z.array(
      z.object({
        id: z.string(),
        state: z.enum(["active", "suspect", "draining", "drained", "lost", "gone"]),
        used: z.number(),
        total: z.number(),
        running: z.int(),
      }),
    ),
  }),
  /** At most 20, the newest first. */
  running: z.array(
    z.object({
      id: z.string(),
      task: z.string(),
      queue: z.string(),
      tasks: z.int(),
      counts,
      started: z.string().nullable(),
      /** By the rate so far; null while there is none. */
      etaMs: z.number().nullable(),
    }),
  ),
  /** Of the newest jobs with failures, five. */
  failing: z.array(z.object({ id: z.string(), task: z.string(), failed: z.int(), tasks: z.int() })),
  attention: z.array(
    z.object({ level, text: z.string(), hint: z.string().nullable(), link: z.string().nullable() }),
  ),
});
export type OverviewView = z.infer<typeof overviewSchema>;

/** What of it the stream of events says each second. */
export type OverviewBrief = Omit<OverviewView, "workers" | "running" | "failing" | "attention"> & {
  readonly workers: { readonly total: number };
};

export const seriesSchema = z.object({
  /** Wall clock in ms of the first point, and from one to the next. */
  from: z.number(),
  stepMs: z.int(),
  /** Ended in the step before the point. */
  succeeded: z.array(z.int()),
  failed: z.array(z.int()),
  /** At the point. */
  waiting: z.array(z.int()),
  assigned: z.array(z.int()),
  used: z.array(z.number()),
  total: z.array(z.number()),
  oldestWaitMs: z.array(z.int()),
});
export type SeriesView = z.infer<typeof seriesSchema>;

// ── a job ────────────────────────────────────────────────────────────────────────────────

const column = z.array(z.number());

export const streamSchema = z.object({
  /** Wall clock in ms; times below are ms after `from`. */
  from: z.number(),
  to: z.number(),
  /** A row per slot; of cells a row per worker. */
  lanes: z.array(z.object({ worker: z.string(), slot: z.int() })),
  /** Attempts between from and to, however they are given. */
  total: z.int(),
  bars: z
    .object({
      lane: column,
      task: column,
      attempt: column,
      start: column,
      end: column,
      /** Number in `pictureStates`. */
      state: column,
    })
    .nullable(),
  /** Instead of bars, where there are too many. */
  cells: z
    .object({
      ms: z.number(),
      lane: column,
      cell: column,
      /** How many ran, on the average of the cell. */
      running: column,
      /** The worst end in it. */
      state: column,
    })
    .nullable(),
  /** In words: how idle, and why. */
  verdict: z.string(),
});
export type StreamView = z.infer<typeof streamSchema>;

export const gridSchema = z.object({
  tasks: z.int(),
  /** Tasks in a cell, the last one perhaps with fewer. */
  perCell: z.int(),
  /** Base64: a byte a cell, the number in `pictureStates`; of several tasks the one that needs a look most. */
  states: z.string(),
});
export type GridView = z.infer<typeof gridSchema>;

export const errorGroupsSchema = z.object({
  groups: z.array(
    z.object({
      fingerprint: z.string(),
      reason: z.string(),
      message: z.string(),
      count: z.int(),
      first: z.object({ task: z.int(), attempt: z.int(), worker: z.string(), at: z.string() }),
    }),
  ),
  /** Failed attempts that were looked at. */
  looked: z.int(),
  /** Why this is not all, or null. */
  partial: z.string().nullable(),
});
export type ErrorGroupsView = z.infer<typeof errorGroupsSchema>;

export const jobGraphSchema = z.object({
  nodes: z.array(
    z.object({
      job: z.string(),
      task: z.string(),
      state: z.string(),
      tasks: z.int(),
      ended: z.int(),
      failed: z.int(),
    }),
  ),
  /** `to` waits for `from`. */
  edges: z.array(z.object({ from: z.string(), to: z.string(), mode: z.enum(["all", "each"]) })),
  /** Why this is not all, or null. */
  partial: z.string().nullable(),
});
export type JobGraphView = z.infer<typeof jobGraphSchema>;
