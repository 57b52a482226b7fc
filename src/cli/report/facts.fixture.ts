// For tests: a job of which everything is known, small or large.

import type { StreamView } from "../../client/index.ts";
import { pictureStates } from "../../protocol/picture-states.ts";
import { counts, fakeJob } from "../fakes.fixture.ts";
import type { Facts } from "./facts.ts";

const from = Date.parse("2026-11-20T11:57:51.000Z");
const number = (state: (typeof pictureStates)[number]) => pictureStates.indexOf(state);

const errors: Facts["errors"] = {
  groups: [
    {
      fingerprint: "a1",
      reason: "error",
      message: "RangeError: frame 18 is outside 1..17\n    at render (render.ts:12:9)",
      count: 2,
      first: { task: 17, attempt: 1, worker: "w5", at: "2026-11-20T11:57:51.200Z" },
    },
    {
      fingerprint: "b2",
      reason: "timeout",
      message: "",
      count: 1,
      first: { task: 640, attempt: 1, worker: "w2", at: "2026-11-20T11:57:55.000Z" },
    },
  ],
  looked: 3,
  partial: null,
};

function barsOn(lanes: readonly object[]) {
  const free = lanes.map((_, i) => i * 11);
  const bars: NonNullable<StreamView["bars"]> = {
    lane: [],
    task: [],
    attempt: [],
    start: [],
    end: [],
    state: [],
  };
  const add = (lane: number, task: number, attempt: number, ms: number, state: number) => {
    const start = free[lane] ?? 0;
    bars.lane.push(lane);
    bars.task.push(task);
    bars.attempt.push(attempt);
    bars.start.push(start);
    bars.end.push(start + ms);
    bars.state.push(state);
    free[lane] = start + ms + 2;
  };
  for (let i = 0; i < 1_000; i++) {
    const lane = free.indexOf(Math.min(...free));
    const ms = i === 700 || i === 912 ? 3_400 : 60 + ((i * 7_919) % 200);
    const failed = i === 17 || i === 318 || i === 640;
    if (i === 505) add(lane, i, 1, 480, number("lost"));
    add(lane, i, i === 505 ? 2 : 1, ms, number(failed ? "failed" : "succeeded"));
  }
  return { bars, end: Math.max(...free) };
}

/** 1,000 tasks on six workers of four slots: three fail, two straggle, one attempt is lost. */
export function smallFacts(task = "render"): Facts {
  const lanes = Array.from({ length: 24 }, (_, i) => ({
    worker: `w${Math.floor(i / 4) + 1}`,
    slot: i % 4,
  }));
  const { bars, end } = barsOn(lanes);
  const states = Buffer.alloc(1_000, number("succeeded"));
  for (const i of [17, 318, 640]) states[i] = number("failed");
  return {
    job: fakeJob({
      task,
      state: "failed",
      counts: counts({ succeeded: 997, failed: 3 }),
      attempts: 1_001,
      attemptsLost: 1,
      runMs: 166_000,
      ended: new Date(from + end).toISOString(),
      labels: { shot: "42", team: "film" },
    }),
    stream: {
      from,
      to: from + end,
      lanes,
      total: bars.task.length,
      bars,
      cells: null,
      verdict: "21 % idle: 2 stragglers on w3, w5, over 4 × the median of 160 ms.",
    },
    grid: { tasks: 1_000, perCell: 1, states: states.toString("base64") },
    errors,
    at: from + 129_000,
  };
}

/** A million tasks on `workers` workers: the master gives cells of time. */
export function largeFacts(workers = 500): Facts {
  const cells: NonNullable<StreamView["cells"]> = {
    ms: 1_500,
    lane: [],
    cell: [],
    running: [],
    state: [],
  };
  for (let lane = 0; lane < workers; lane++) {
    for (let cell = 0; cell < 400; cell++) {
      const noise = (lane * 31 + cell * 17 + ((lane * cell) % 13)) % 100;
      if (noise < 4) continue;
      cells.lane.push(lane);
      cells.cell.push(cell);
      cells.running.push(cell > 380 ? 1 + (noise % 3) : 8 - (noise % 5));
      cells.state.push(number(noise === 50 && cell > 200 ? "failed" : "succeeded"));
    }
  }
  const states = Buffer.alloc(5_000, number("succeeded"));
  for (let i = 0; i < 5_000; i += 611) states[i] = number("failed");
  const small = smallFacts();
  return {
    ...small,
    job: fakeJob({
      state: "running",
      tasks: 1_000_000,
      counts: counts({ succeeded: 983_000, failed: 812, assigned: 4_000, ready: 12_188 }),
      attempts: 1_000_301,
      attemptsLost: 0,
      ended: null,
    }),
    stream: {
      from,
      to: from + 600_000,
      lanes: Array.from({ length: workers }, (_, i) => ({ worker: `worker-${i + 1}`, slot: 0 })),
      total: 984_112,
      bars: null,
      cells,
      verdict: "24 % idle, measured by each worker's own most.",
    },
    grid: { tasks: 1_000_000, perCell: 200, states: states.toString("base64") },
  };
}
