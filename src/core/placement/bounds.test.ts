// K7: what one call of placement does is bounded, however many jobs, classes and workers there are. Counted in
// looks at what a worker has, since time would say more about the machine.

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { Cluster } from "../cluster.fixture.ts";
import { openTurn } from "../machine.ts";
import type { State } from "../state.ts";
import { place } from "./place.ts";

/** Workers and jobs of which nothing is placed yet. */
function filled(workers: number, cpu: number, jobs: number, needs = (_i: number) => 1_000) {
  const cluster = new Cluster();
  cluster.setQueue({}, true);
  for (let i = 0; i < workers; i++) cluster.worker(`w${i}`, { cpu });
  for (let i = 0; i < jobs; i++) {
    const amounts = { cpu: needs(i) };
    cluster.submit({ spec: { priority: i % 7, needs: { amounts, required: {}, preferred: {} } } });
  }
  pause(cluster, false);
  return cluster;
}

/** Without a turn of its own. */
function pause(cluster: Cluster, paused: boolean): void {
  const queue = cluster.state.queues.get("q");
  if (queue) queue.paused = paused;
}

/** Counts how often anybody asks what a worker has. */
function countLooks(state: State): () => number {
  let looks = 0;
  for (const { total } of state.workers.values()) {
    const get = total.get.bind(total);
    total.get = (name) => {
      looks++;
      return get(name);
    };
  }
  return () => looks;
}

function callsOf(cluster: Cluster, most = 10_000) {
  const looked = countLooks(cluster.state);
  const calls: { readonly looks: number; readonly runs: number }[] = [];
  for (let more = true; more && calls.length < most;) {
    const turn = openTurn(cluster.state, 1, cluster.time, cluster.time);
    const before = looked();
    more = place(turn, {
      tasksMax: 20_000,
      recalling: new Set<number>(),
      resting: new Set<number>(),
    }).more;
    calls.push({ looks: looked() - before, runs: turn.entries.length });
  }
  return calls;
}

describe("placement's work", () => {
  it("for many small jobs is spread over turns, and done in the end", () => {
    const calls = callsOf(filled(300, 10_000, 2_500));
    expect(calls.reduce((sum, { runs }) => sum + runs, 0)).toBe(2_500);
    expect(calls.length).toBeGreaterThan(3);
    expect(Math.max(...calls.map(({ runs }) => runs))).toBeLessThan(700);
    expect(Math.max(...calls.map(({ looks }) => looks))).toBeLessThan(50_000);
  });

  it("for classes without room is next to nothing when every worker is full", () => {
    const cluster = filled(100, 1_000, 1_500, (i) => (i < 100 ? 1_000 : 1_000 - (i % 200)));
    callsOf(cluster);
    const calls = callsOf(cluster);
    expect(cluster.state.classes.size).toBeGreaterThan(500);
    expect(calls).toEqual([{ looks: 0, runs: 0 }]);
  });

  it("is bounded for classes that fit nowhere although something is free, and reaches those behind", () => {
    // Each needs another amount, all more than any worker has in one piece; the last and least urgent one fits.
    const cluster = filled(200, 4_000, 0);
    const memory = (i: number) => ({ amounts: { cpu: 3_000, memory: 1_000 + i } });
    for (let i = 0; i < 200; i++)
      cluster.workerOf(i + 1).total.set("memory", i % 2 === 0 ? 0 : 9_000);
    for (let i = 1; i < 200; i += 2) cluster.workerOf(i + 1).used.set("cpu", 2_000);
    pause(cluster, true);
    for (let i = 0; i < 1_000; i++) {
      const needs = { ...memory(i), required: {}, preferred: {} };
      cluster.submit({ spec: { priority: 5, needs } });
    }
    const last = cluster.submit();
    pause(cluster, false);
    const calls = callsOf(cluster, 100);
    expect(calls.length).toBeGreaterThan(3);
    expect(calls.length).toBeLessThan(50);
    expect(Math.max(...calls.map(({ looks }) => looks))).toBeLessThan(100_000);
    expect(cluster.letters(last)).toBe("a");
    expect(cluster.state.passedOver.size).toBe(0);
  });

  it("for starved classes reserves each worker once and then looks no more", () => {
    const cluster = filled(50, 2_000, 50);
    callsOf(cluster);
    const needs = { amounts: { cpu: 2_000 }, required: {}, preferred: {} };
    for (let i = 0; i < 300; i++) cluster.submit({ spec: { priority: 10 + i, needs } });
    cluster.time += limits.reserveAfterMs + 1;
    callsOf(cluster);
    expect(cluster.state.reserved.size).toBe(50);
    const looks = callsOf(cluster).reduce((sum, call) => sum + call.looks, 0);
    expect(looks).toBeLessThan(2_000);
  });
});
