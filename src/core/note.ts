// Notes: what a person wants to know and no other effect says. Facts in the order the fold met them, the same on every
// master; the words are made where they are kept.

import type { JobNumber } from "../protocol/ids.ts";
import type { QueueSettings } from "../protocol/model.ts";

export type Note =
  | {
      readonly about: "worker.joined" | "worker.back" | "worker.suspect";
      readonly worker: string;
    }
  | {
      readonly about: "worker.draining";
      readonly worker: string;
      /** It holds nothing any more. */
      readonly done: boolean;
    }
  | {
      readonly about: "worker.lost" | "worker.gone";
      readonly worker: string;
      readonly reason: string;
      /** Tasks that start elsewhere. */
      readonly tasks: number;
    }
  | { readonly about: "job.cancelled"; readonly job: JobNumber; readonly reason: number }
  | {
      readonly about: "queue.changed";
      readonly queue: string;
      readonly before: QueueFacts | null;
      readonly after: QueueFacts;
    }
  | { readonly about: "master.elected"; readonly master: string; readonly term: number }
  | { readonly about: "master.joined" | "master.left"; readonly master: string }
  | { readonly about: "master.resigned"; readonly master: string; readonly to: string | null }
  | { readonly about: "cluster.braked"; readonly silent: number }
  | { readonly about: "snapshot.taken"; readonly index: number };

export interface QueueFacts extends QueueSettings {
  readonly paused: boolean;
  readonly pausedReason: string;
}
