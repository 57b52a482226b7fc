/** The settings under which graphile-worker is measured. */
import type { GraphilePreset } from "./graphile-api.ts";

export interface Variant {
  readonly label: string;
  readonly preset: GraphilePreset;
  readonly note: string;
  /** One job at a time would make long rounds of no use: a rate needs no more tasks than this. */
  readonly tasksMax: number;
  readonly measuresTrips: boolean;
}

const COMMITS = "fsync on, synchronous_commit on: every commit is on disk";
const AT_ONCE = { concurrentJobs: 24, maxPoolSize: 25 };

export const VARIANTS: readonly Variant[] = [
  {
    label: "default preset",
    preset: {},
    note: COMMITS,
    tasksMax: 5_000,
    measuresTrips: true,
  },
  {
    label: "default, 24 at once",
    preset: AT_ONCE,
    note: COMMITS,
    tasksMax: 5_000,
    measuresTrips: false,
  },
  {
    label: "tuned preset",
    // https://worker.graphile.org/docs/performance
    preset: {
      ...AT_ONCE,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
    note: `${COMMITS}; a crashed worker keeps ≤ 500 jobs locked for 4 h`,
    tasksMax: Number.POSITIVE_INFINITY,
    measuresTrips: true,
  },
];
