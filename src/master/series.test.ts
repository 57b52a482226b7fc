import { expect, test } from "vitest";
import { createState } from "../core/state.ts";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { Series } from "./series.ts";

test("a series has a point every ten seconds, and counts what ended between", () => {
  const state = createState("test");
  const clock = new HandClock(1_700_000_000_000);
  const series = new Series({ clock, peek: (see) => see(state) });
  for (let second = 0; second < 30; second++) {
    state.totals.succeeded += 2;
    clock.pass(1_000);
  }
  expect(series.rates()).toEqual({ succeeded: 2, failed: 0 });
  expect(series.view("15m")).toMatchObject({ stepMs: 10_000, succeeded: [20, 20, 20] });
  clock.pass(10_000);
  expect(series.rates().succeeded).toBe(0);
});

test("a series keeps a day, and shows a quarter of an hour of it", () => {
  const state = createState("test");
  const clock = new HandClock(1_700_000_000_000);
  const series = new Series({ clock, peek: (see) => see(state) });
  clock.pass(100_000_000);
  expect(series.view("24h").waiting.length).toBe(8_639);
  expect(series.view("15m").waiting.length).toBe(90);
});
