// docs/limits.md stays true: every limit stands in it with its value, and every error that it names exists.
// What it says of bytes per task is tested where they are counted: src/core/bytes-per-task.test.ts.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isErrorCode } from "./errors.ts";
import { limits } from "./limits.ts";
import { endReasons } from "./model.ts";

const path = new URL("../../docs/limits.md", import.meta.url);
/** Cells of tables without the spaces that align them. */
const document = readFileSync(path, "utf8").replaceAll(/ +\|/g, " |");

const grouped = (value: number): string => value.toLocaleString("en-US");

function sizeText(bytes: number): string {
  return bytes % 2 ** 20 === 0 ? `${grouped(bytes / 2 ** 20)} MiB` : `${grouped(bytes / 1024)} KiB`;
}

function timeText(ms: number): string {
  if (ms > 86_400_000 && ms % 86_400_000 === 0) return `${ms / 86_400_000} days`;
  if (ms >= 3_600_000) return `${ms / 3_600_000} h`;
  if (ms > 60_000) return `${ms / 60_000} min`;
  return ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`;
}

function valueText(name: string, value: number): string {
  if (name.endsWith("Ms")) return timeText(value);
  if (name === "labelBytesMax") return `${value} bytes`;
  if (/Bytes(Max)?$/.test(name)) return sizeText(value);
  return value < 1 ? `${Math.round(value * 100)} %` : grouped(value);
}

describe("docs/limits.md", () => {
  it.each(Object.entries(limits))("%s stands there with its value", (name, value) => {
    const row = new RegExp(`^\\| \`${name}\` \\| ([^|]*) \\|`, "m").exec(document);
    expect(row?.[1]).toBe(valueText(name, value));
  });

  it("no other limit stands there, and none twice", () => {
    const named = [...document.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name);
    expect(new Set(named)).toEqual(new Set(Object.keys(limits)));
    expect(named).toHaveLength(Object.keys(limits).length);
  });

  it("every error and end reason that it names exists", () => {
    const reasons = new Set<string>(Object.values(endReasons).map(({ name }) => name));
    const named = [...document.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, name = ""]) => name);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !isErrorCode(name) && !reasons.has(name))).toEqual([]);
  });
});

describe("limits", () => {
  it("fit into each other", () => {
    const { inlineBytesMax, partBytesMax, batchBytesMax, frameBytesMax } = limits;
    expect(inlineBytesMax).toBeLessThan(partBytesMax);
    expect(partBytesMax).toBeLessThan(batchBytesMax);
    expect(batchBytesMax * 2).toBeLessThan(frameBytesMax);
    expect(limits.suspectAfterMs).toBeLessThan(limits.lostAfterMs);
    expect(limits.renewMs * 2).toBeLessThan(limits.leaseMs);
    expect(limits.slowDispatchAt).toBeLessThan(limits.stopDispatchAt);
    expect(limits.finishedMs).toBeLessThan(limits.archiveMs);
    expect(limits.userKeyMs).toBeLessThanOrEqual(limits.finishedMs);
  });
});
