// Lines of inputs become parts as the core takes them: at most 256 KiB each, cut at line ends (K1). Lines are
// counted and measured, and looked at no further (K2).

import { crc32 } from "node:zlib";
import type { PartInput } from "../../core/commands/submit.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";

const newline = 10;
const carriageReturn = 13;

interface Cut {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Parts with bytes of their own; `payloads` are what the lines name, booked with the first part. */
export function toParts(lines: Uint8Array, payloads: readonly string[]): PartInput[] {
  const whole = withLineEnd(lines);
  return cutLines(whole).map(({ from, to, count }, i) => {
    // A copy: the body may be a view into something much larger, and the state keeps these bytes.
    const bytes = new Uint8Array(whole.subarray(from, to));
    return { bytes, count, sum: crc32(bytes), payloads: i === 0 ? payloads : [] };
  });
}

/** One part, as its client cut it. */
export function toPart(lines: Uint8Array, payloads: readonly string[]): PartInput {
  const whole = withLineEnd(lines);
  const cuts = cutLines(whole);
  if (whole.length > limits.partBytesMax || cuts.length > 1) {
    throw new SkeinError("too_large", `A part has at most ${limits.partBytesMax} bytes.`, {
      hint: "Cut the inputs into smaller parts, at line ends.",
    });
  }
  const bytes = new Uint8Array(whole);
  return { bytes, count: cuts[0]?.count ?? 0, sum: crc32(bytes), payloads };
}

function withLineEnd(lines: Uint8Array): Uint8Array {
  if (lines.length === 0 || lines[lines.length - 1] === newline) return lines;
  const whole = new Uint8Array(lines.length + 1);
  whole.set(lines);
  whole[lines.length] = newline;
  return whole;
}

function cutLines(bytes: Uint8Array): Cut[] {
  const cuts: Cut[] = [];
  let from = 0;
  let start = 0;
  let count = 0;
  let task = 0;
  // Byte by byte: on short lines this is several times as fast as a search for each line end.
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== newline) continue;
    checkLine(bytes, start, i, task);
    const next = i + 1;
    if (next - from > limits.partBytesMax) {
      cuts.push({ from, to: start, count });
      from = start;
      count = 0;
    }
    count++;
    task++;
    start = next;
  }
  if (count > 0) cuts.push({ from, to: start, count });
  if (task > limits.tasksPerJobMax) {
    throw new SkeinError("too_large", `A job has at most ${limits.tasksPerJobMax} tasks.`);
  }
  return cuts;
}

function checkLine(bytes: Uint8Array, start: number, end: number, task: number): void {
  if (end === start || (end === start + 1 && bytes[start] === carriageReturn)) {
    throw new SkeinError("bad_line", `Line ${task + 1} of the inputs is empty.`);
  }
  if (end - start > limits.inlineBytesMax) {
    const message = `Input ${task} has ${end - start} bytes, more than ${limits.inlineBytesMax}.`;
    throw new SkeinError("too_large", message, {
      hint: `Store it with PUT /v1/payloads/{hash} and send @{"stored":{"hash":…,"size":…}}.`,
    });
  }
}
