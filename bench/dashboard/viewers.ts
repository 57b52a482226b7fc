/** Readers of the event stream, as a dashboard opens it: bytes a second, and what many of them cost the master. */
import { setTimeout as sleep } from "node:timers/promises";
import { setMaxListeners } from "node:events";
import { Agent, request } from "undici";
import type { World } from "./world.ts";

export interface Viewing {
  readonly viewers: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** Of the master's event loop meanwhile. */
  readonly stallMaxMs: number;
  readonly stallP999Ms: number;
  /** Of one core. */
  readonly masterCpuPercent: number;
  /** Longest time between two ticks, which are sent each second. */
  readonly tickGapMaxMs: number;
}

const settleMs = 3_000;

export async function view(world: World, viewers: number, seconds: number): Promise<Viewing> {
  const { cluster, jobs } = world;
  const topics = `overview,timeline,job:${jobs.live[0]}`;
  const ended = new AbortController();
  setMaxListeners(viewers, ended.signal);
  const agent = new Agent({ bodyTimeout: 0 });
  let bytes = 0;
  let gap = 0;
  let counting = false;
  const one = async (): Promise<void> => {
    const answer = await request(`${cluster.url}/v1/events?topics=${topics}`, {
      dispatcher: agent,
      signal: ended.signal,
      headers: { authorization: `Bearer ${cluster.token}`, accept: "text/event-stream" },
    });
    let tickAt = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      if (!counting) continue;
      bytes += chunk.length;
      if (!chunk.includes("event: tick")) continue;
      const now = performance.now();
      if (tickAt > 0) gap = Math.max(gap, now - tickAt);
      tickAt = now;
    }
  };
  const all = Array.from({ length: viewers }, () => one().catch(unlessEnded(ended.signal)));
  await sleep(settleMs);
  const before = await world.look();
  counting = true;
  const began = performance.now();
  await sleep(seconds * 1_000);
  counting = false;
  const ms = performance.now() - began;
  const after = await world.look();
  ended.abort();
  await Promise.all(all);
  await agent.destroy();
  const cpu = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  return {
    viewers,
    seconds,
    bytesPerSecond: Math.round((bytes * 1_000) / ms / viewers),
    stallMaxMs: Math.round(after.stalls.maxMs),
    stallP999Ms: Math.round(after.stalls.p999Ms),
    masterCpuPercent: Math.round(cpu / 10 / ms),
    tickGapMaxMs: Math.round(gap),
  };
}

function unlessEnded(signal: AbortSignal) {
  return (error: unknown): void => {
    if (!signal.aborted) throw error;
  };
}
