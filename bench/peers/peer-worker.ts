/** One worker of a peer, in whatever process this runs. */
import { startBullmqWorker } from "./bullmq-api.ts";
import type { BullmqWorkerSettings } from "./bullmq-api.ts";
import { startGraphileWorker } from "./graphile-api.ts";
import type { GraphileWorkerSettings } from "./graphile-api.ts";

/** Plain data: it crosses to child processes. */
export type WorkerSettings = BullmqWorkerSettings | GraphileWorkerSettings;

export type PeerWorker = AsyncDisposable;

/** `onDone` is called with the task's index when the task is complete. */
export async function startPeerWorker(
  settings: WorkerSettings,
  onDone: (index: number) => void,
): Promise<PeerWorker> {
  switch (settings.kind) {
    case "bullmq":
      return startBullmqWorker(settings, onDone);
    case "graphile-worker":
      return startGraphileWorker(settings, onDone);
    default:
      return settings satisfies never;
  }
}
