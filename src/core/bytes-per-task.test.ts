// P7: what a task costs the master in memory, as docs/limits.md says it, is what the state counts.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  bytesPerInput,
  bytesPerJob,
  bytesPerPart,
  bytesPerPayload,
  bytesPerUse,
  createColumns,
  growColumns,
  offsetBytesPerTask,
  runBytesPerTask,
  runColumns,
  stateBytesPerTask,
} from "./columns.ts";

const path = new URL("../../docs/limits.md", import.meta.url);
/** Cells of tables without the spaces that align them. */
const document = readFileSync(path, "utf8").replaceAll(/ +\|/g, " |");

describe("bytes per task (P7)", () => {
  const queued = stateBytesPerTask + offsetBytesPerTask;

  it.each([
    ["queued", queued],
    ["queued in a job that has run", queued + runBytesPerTask],
    ["running", queued + runBytesPerTask],
    ["finished", stateBytesPerTask + runBytesPerTask],
    ["retired", 0],
  ])("docs/limits.md says what one costs that is %s", (name, bytes) => {
    expect(document).toContain(`| ${name} | ${bytes} |`);
  });

  it("docs/limits.md says what a job costs", () => {
    const prose = document.replaceAll("\n", " ");
    expect(prose).toContain(`A job costs ${bytesPerJob} bytes`);
    expect(prose).toContain(`a part of its inputs costs ${bytesPerPart} and`);
    expect(prose).toContain(`its lines are here, ${bytesPerInput} more`);
    expect(prose).toContain(`a stored payload costs ${bytesPerPayload}, and ${bytesPerUse} for`);
  });

  it("the columns are as wide as they are counted", () => {
    const columns = createColumns();
    growColumns(columns, 1_000);
    const run = Object.values(runColumns(columns)) as ArrayBufferView[]; // all of its fields are columns
    expect(columns.state.byteLength).toBe(1_000 * stateBytesPerTask);
    const bytes = run.reduce((sum, column) => sum + column.byteLength, 0);
    expect(bytes).toBe(1_000 * runBytesPerTask);
  });

  it("a million queued tasks are well within what is promised: 32 MB beyond their payload", () => {
    expect(1_000_000 * queued + bytesPerJob).toBeLessThan(32_000_000);
  });
});
