import { describe, expect, it } from "vitest";
import { addTimer, createTimers, nextTimerAt, takeTimer } from "./timers.ts";

describe("timers", () => {
  it("come in the order of their time, whatever the order they were added in", () => {
    const timers = createTimers();
    const times = Array.from({ length: 500 }, (_, i) => (i * 7_919) % 503);
    for (const at of times) addTimer(timers, { at, kind: "wake", job: at });
    const taken: number[] = [];
    for (let next = takeTimer(timers, 1_000); next; next = takeTimer(timers, 1_000)) {
      taken.push(next.at);
    }
    expect(taken).toEqual(times.toSorted((a, b) => a - b));
  });

  it("are not taken before they are due", () => {
    const timers = createTimers();
    expect(nextTimerAt(timers)).toBe(Number.MAX_SAFE_INTEGER);
    addTimer(timers, { at: 10, kind: "wake", job: 1 });
    expect([nextTimerAt(timers), takeTimer(timers, 9)]).toEqual([10, undefined]);
    expect(takeTimer(timers, 10)?.at).toBe(10);
    expect(takeTimer(timers, 10)).toBeUndefined();
  });
});
