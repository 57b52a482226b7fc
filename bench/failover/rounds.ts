/**
 * One round each of what may happen to a leader, and what is read from it.
 *
 *   R1. "New start": user code of a task that the next leader ordered begins on a worker. What the old leader had
 *       sent ahead starts meanwhile, and does not count: its fence is below the index of the next `elected`.
 *   R2. "First submit": a submit that was sent after the blow is acknowledged. Nobody who led before can do that.
 *   R3. All times are from just before the signal, by one clock (clock.ts); log lines have whole milliseconds.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../test/processes/process-cluster.ts";
import type { MasterProcess } from "../../test/processes/master-process.ts";
import type { LogLine } from "./log-lines.ts";
import { timelineOf } from "./timeline.ts";
import type { Timeline } from "./timeline.ts";
import type { World } from "./world.ts";

export type Blow = "killed" | "stopped" | "handed over";

export interface Round {
  readonly blow: Blow;
  /** By the clock of all processes. */
  readonly at: number;
  readonly term: number;
  /** R1. */
  readonly startMs: number;
  /** R2; of a hand-over it says little, since the old leader answers until it has resigned. */
  readonly submitMs: number;
  /** Attempts that ran at the time. */
  readonly running: number;
  readonly timeline: Timeline;
  /** What was logged, of a round that took long. */
  readonly lines: readonly string[];
}

const pollMs = 5;
const boundMs = 60_000;
const slowMs: Readonly<Record<Blow, number>> = { killed: 500, stopped: 2_500, "handed over": 500 };

export async function killLeader(world: World): Promise<Round> {
  const leader = await world.settled();
  const round = await strike(world, "killed", () => void leader.child.kill("SIGKILL"));
  await leader.restart();
  return round;
}

/** A machine that has gone silent: no connection is cut, nothing is answered. */
export async function stopLeader(world: World): Promise<Round> {
  const leader = await world.settled();
  const round = await strike(world, "stopped", () => leader.pause());
  await comeBack(leader);
  return round;
}

/** It was stopped while it held the journal's lock: then another master has killed it. Else it finds itself deposed. */
async function comeBack(leader: MasterProcess): Promise<void> {
  leader.resume();
  await sleep(50);
  if (!leader.lives) return leader.restart();
  await until(async () => (await leader.status())?.master.leads === false);
}

export async function handOver(world: World): Promise<Round> {
  await world.settled();
  let answer: Promise<unknown> = Promise.resolve();
  const round = await strike(world, "handed over", () => {
    answer = world.skein.client.stepDown({});
  });
  await answer;
  return round;
}

async function strike(world: World, blow: Blow, hit: () => void): Promise<Round> {
  const { load, notes, logs } = world;
  notes.read();
  const running = notes.running().length;
  const seen = notes.starts.length;
  const acked = load.submits.length;
  const { at, wall } = world.now();
  hit();
  load.submitNow();
  const elected = await electedSince(world, wall);
  const index = Number(elected.fields["index"]);
  let startMs = Infinity;
  let submitMs = Infinity;
  await until(async () => {
    notes.read();
    const start = notes.starts.slice(seen).find(({ fence }) => fence >= index);
    const submit = load.submits.slice(acked).find(({ sentAt }) => sentAt >= at);
    startMs = start ? start.at - at : Infinity;
    submitMs = submit ? submit.ackedAt - at : Infinity;
    if (startMs + submitMs < Infinity) return true;
    await sleep(pollMs);
    return false;
  }, boundMs);
  // The first that was read need not be the first by the clock: slots write side by side.
  await sleep(2 * pollMs);
  notes.read();
  const starts = notes.starts.slice(seen).filter(({ fence }) => fence >= index);
  startMs = Math.min(...starts.map((start) => start.at - at));
  const lines = logs.since(Math.floor(wall));
  const timeline = timelineOf(lines, wall, { startMs, submitMs });
  return {
    blow,
    at,
    term: Number(elected.fields["term"]),
    startMs,
    submitMs,
    running,
    timeline,
    lines:
      startMs > slowMs[blow] || submitMs > slowMs[blow]
        ? lines.map((line) => shown(line, wall))
        : [],
  };
}

async function electedSince({ logs }: World, wall: number): Promise<LogLine> {
  let found: LogLine | undefined;
  await until(() => {
    found = logs
      .since(Math.floor(wall))
      .find(({ from, msg, fields }) => msg === "a leader is elected" && fields["leader"] === from);
    return found !== undefined;
  }, boundMs);
  if (!found) throw new Error("nobody was elected");
  return found;
}

function shown({ from, wall, fields }: LogLine, since: number): string {
  const { ts: _ts, ...rest } = fields;
  return `+${Math.round(wall - since)} ms ${from} ${JSON.stringify(rest)}`;
}
