/**
 * How long BullMQ takes to run a job again whose worker was killed, with its defaults: a lock of 30 s, and a look for
 * stalled jobs every 30 s.
 *
 * B1. Rounds have queues of their own and run side by side: nearly all of the time is spent in waiting.
 * B2. The worker that takes over stands ready, with free hands, before the other one is killed.
 * B3. Kills are spread over the time between two looks, or all would have the same phase.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { monotonicMs } from "../failover/clock.ts";
import { connectionTo, loadBullmq, readRedisFacts } from "./bullmq-api.ts";
import { keepChild, stopChild } from "./cleanup.ts";
import { ensurePeersInstalled, peerVersion } from "./install.ts";
import { startRedis } from "./servers.ts";
import type { FromStalled, StalledSettings } from "./stalled-worker.ts";

export type StalledResult =
  | { readonly what: "measured"; readonly version: string; readonly againMs: readonly number[] }
  | { readonly what: "skipped"; readonly reason: string };

const spreadMs = 30_000;
const boundMs = 150_000;
const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

export async function benchStalled(
  rounds: number,
  log: (line: string) => void,
): Promise<StalledResult> {
  try {
    ensurePeersInstalled(log);
  } catch (error) {
    return { what: "skipped", reason: error instanceof Error ? error.message : String(error) };
  }
  const redis = await startRedis("everysec");
  if (redis.kind === "missing") return { what: "skipped", reason: redis.reason };
  await using server = redis.server;
  const connection = connectionTo(server);
  const queues = Array.from({ length: rounds }, (_, i) => `stalled-${i}`);
  const { Queue } = await loadBullmq();
  const victims = await Promise.all(
    queues.map(async (queue) => {
      const victim = await startWorker({ connection, queues: [queue] });
      const writer = new Queue(queue, { connection });
      const started = startOf(victim, queue);
      await writer.add("job", { index: 0 });
      await started;
      await writer.close();
      return { queue, victim };
    }),
  );
  const heir = await startWorker({ connection, queues });
  try {
    const waits = victims.map(async ({ queue, victim }, i) => {
      await sleep((i * spreadMs) / rounds);
      const again = startOf(heir, queue);
      const at = monotonicMs();
      victim.kill("SIGKILL");
      return (await again) - at;
    });
    const againMs = await Promise.all(waits);
    const { version } = await readRedisFacts(connection);
    return { what: "measured", version: `${peerVersion("bullmq")}, Redis ${version}`, againMs };
  } finally {
    await Promise.all(
      [heir, ...victims.map(({ victim }) => victim)].map((one) => stopChild(one, "SIGKILL")),
    );
  }
}

async function startWorker(settings: StalledSettings): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "stalled-worker.ts"), {
    execArgv: ["--import", TSX],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  keepChild(child, "SIGKILL");
  const ready = messageOf(child, ({ kind }) => kind === "ready");
  child.send(settings);
  await ready;
  return child;
}

async function startOf(child: ChildProcess, queue: string): Promise<number> {
  const message = await messageOf(child, (one) => one.kind === "started" && one.queue === queue);
  return message.kind === "started" ? message.at : Number.NaN;
}

function messageOf(
  child: ChildProcess,
  fits: (message: FromStalled) => boolean,
): Promise<FromStalled> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`BullMQ: nothing in ${boundMs} ms`)), boundMs);
    const take = (message: FromStalled): void => {
      if (!fits(message)) return;
      clearTimeout(timer);
      child.off("message", take);
      resolve(message);
    };
    child.on("message", take);
  });
}
