import { beforeEach, expect, test } from "vitest";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { limits } from "../protocol/limits.ts";
import { Recalls } from "./recalls.ts";

let clock: HandClock;
let recalls: Recalls;

beforeEach(() => {
  clock = new HandClock();
  recalls = new Recalls(clock);
});

test("a worker that gives work back unasked rests a while, and then no longer", () => {
  recalls.returned(1);
  expect([...recalls.resting()]).toEqual([1]);
  clock.pass(limits.returnedRestMs);
  expect(recalls.restIsOver()).toBe(true);
  expect(recalls.resting().size).toBe(0);
  expect(recalls.restIsOver()).toBe(false);
});

test("what was asked for makes no worker rest, however many reports it comes in", () => {
  recalls.asked(1);
  recalls.returned(1);
  recalls.returned(1);
  expect(recalls.resting().size).toBe(0);
  expect(recalls.recalling().size).toBe(0);
  clock.pass(60_000);
  recalls.returned(1);
  expect([...recalls.resting()]).toEqual([1]);
});

test("a worker that registers anew has not given anything back", () => {
  recalls.asked(1);
  recalls.returned(2);
  recalls.forget(1);
  recalls.forget(2);
  expect(recalls.recalling().size + recalls.resting().size).toBe(0);
});
