/** A child process with BullMQ workers whose jobs do not end. Its parent: bullmq-stalled.ts. */
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMs } from "../failover/clock.ts";
import { loadBullmq } from "./bullmq-api.ts";
import type { BullmqConnection } from "./bullmq-api.ts";

export interface StalledSettings {
  readonly connection: BullmqConnection;
  readonly queues: readonly string[];
}

export type FromStalled =
  | { readonly kind: "ready" }
  | { readonly kind: "started"; readonly queue: string; readonly at: number };

/** Longer than any measurement. */
const jobMs = 600_000;

process.on("message", (settings: StalledSettings) => {
  start(settings).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
process.once("disconnect", () => process.exit(0));

async function start({ connection, queues }: StalledSettings): Promise<void> {
  const { Worker } = await loadBullmq();
  for (const queue of queues) {
    const run = async (): Promise<number> => {
      send({ kind: "started", queue, at: monotonicMs() });
      await sleep(jobMs);
      return 0;
    };
    const worker = new Worker(queue, run, { connection, concurrency: 1 });
    worker.on("error", (error) => console.error("bullmq:", error));
    await worker.waitUntilReady();
  }
  send({ kind: "ready" });
}

function send(message: FromStalled): void {
  process.send?.(message);
}
