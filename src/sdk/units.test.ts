import { describe, expect, it } from "vitest";
import { defineCommand } from "./define-task.ts";
import { toSpec } from "./spec.ts";
import { parseDuration, parseMemoryMiB, parseSize } from "./units.ts";

describe("a duration", () => {
  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["1.5h", 5_400_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1m1s1ms", 61_001],
    [250, 250],
    [0, 0],
  ])("%s is %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "10", "s", "10 s", "10sec", "-1s", "30m1h", "1s1s", "1e3s", "1h30", "Infinity"])(
    "%j is refused",
    (text) => {
      expect(() => parseDuration(text, "timeouts.run")).toThrow(
        `timeouts.run: ${JSON.stringify(text)} is no duration.`,
      );
    },
  );

  it.each([-1, Number.NaN, Infinity, 1e13])("%d is refused", (ms) => {
    expect(() => parseDuration(ms)).toThrow("is no duration");
  });
});

describe("a size", () => {
  it.each([
    ["4096B", 4096],
    ["512MiB", 536_870_912],
    ["1.5GiB", 1_610_612_736],
    ["200MB", 200_000_000],
    ["1 KiB", 1024],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "512", "512M", "512mib", "MiB", "-1MiB", "1,5GiB", "9999999TiB"])(
    "%j is refused",
    (text) => {
      expect(() => parseSize(text)).toThrow("is no size");
    },
  );

  it("of memory may be a number of MiB", () => {
    expect([parseMemoryMiB(512), parseMemoryMiB("1GiB")]).toEqual([512, 1024]);
    expect(() => parseMemoryMiB(-1)).toThrow("is no size");
  });
});

describe("a spec", () => {
  const code = { kind: "command" as const, argv: ["true"] };

  it("says only what was set, in the units of the wire", () => {
    const plain = defineCommand({ name: "t", argv: ["true"] });
    expect(toSpec(plain, code, {})).toEqual({ task: "t", code });
    const task = defineCommand({
      name: "t",
      argv: ["true"],
      needs: { memory: "512MiB", gpu: 0.5, custom: { seat: 1 }, labels: { required: { os: "x" } } },
      timeouts: { run: "1m" },
      retry: { attempts: 3 },
    });
    const options = { timeouts: { silence: "5s" }, retry: { backoff: 100 }, delay: "2s" };
    expect(toSpec(task, code, options)).toEqual({
      task: "t",
      code,
      needs: {
        amounts: { cpu: 1_000, memory: 512_000, gpu: 500, seat: 1_000 },
        required: { os: "x" },
      },
      timeouts: { runMs: 60_000, silenceMs: 5_000 },
      retry: { attempts: 3, backoffMs: 100 },
      delayMs: 2_000,
    });
  });

  it("names the field that is wrong", () => {
    const task = defineCommand({ name: "t", argv: ["true"], needs: { cpu: -1 } });
    expect(() => toSpec(task, code, {})).toThrow("needs.cpu: -1 is no amount.");
    expect(() => toSpec(task, code, { needs: { cpu: 1, memory: "lots" } })).toThrow(
      'needs.memory: "lots" is no size.',
    );
  });
});
