// Durations and sizes as people write them. Strict: what is not understood is refused, never guessed.

import { SkeinError } from "../protocol/errors.ts";

/** Milliseconds, or text: "500ms", "10s", "1h30m", "1.5h", "2d". */
export type Duration = number | string;
/** Text such as "512MiB", "1.5GiB", "200MB", "4096B". */
export type Size = string;

const durationUnits = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const sizeUnits = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

/**
 * Milliseconds of a duration, as a whole number.
 *
 * @example
 * parseDuration("1h30m"); // 5400000
 * parseDuration(250); // 250
 * @throws SkeinError `invalid` when it is not a duration; `what` names the field in the message.
 */
export function parseDuration(value: Duration, what = "duration"): number {
  if (typeof value === "number") return checkMs(value, value, what);
  const text = value.trim();
  const pieces = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)];
  const units = pieces.map((piece) => piece[2] as keyof typeof durationUnits);
  const order = Object.keys(durationUnits);
  const falling = units.every((unit, i) => {
    const before = units[i - 1];
    return before === undefined || order.indexOf(before) < order.indexOf(unit);
  });
  if (pieces.length === 0 || !falling || pieces.map((piece) => piece[0]).join("") !== text) {
    throw notA(what, "duration", value, 'such as "10s", "1h30m" or "500ms", or milliseconds');
  }
  const ms = pieces.reduce((sum, piece, i) => {
    const unit = units[i];
    return sum + Number(piece[1]) * (unit === undefined ? 0 : durationUnits[unit]);
  }, 0);
  return checkMs(ms, value, what);
}

function checkMs(ms: number, value: Duration, what: string): number {
  if (Number.isFinite(ms) && ms >= 0 && ms <= 1e12) return Math.round(ms);
  throw notA(what, "duration", value, "from 0 to about 31 years");
}

/**
 * Bytes of a size, as a whole number. KiB, MiB, GiB, TiB count in 1024; KB, MB, GB, TB in 1000.
 *
 * @example
 * parseSize("1.5GiB"); // 1610612736
 * @throws SkeinError `invalid` when it is not a size.
 */
export function parseSize(value: Size, what = "size"): number {
  const match = /^(\d+(?:\.\d+)?) ?([KMGT]i?B|B)$/.exec(value.trim());
  const unit = match?.[2];
  if (unit === undefined || !(unit in sizeUnits)) {
    throw notA(what, "size", value, 'such as "512MiB", "1.5GiB" or "200MB"');
  }
  const bytes = Math.round(Number(match?.[1]) * sizeUnits[unit as keyof typeof sizeUnits]);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw notA(what, "size", value, "below 8 PiB");
}

/** MiB of an amount of memory: text with a unit, or a number of MiB. */
export function parseMemoryMiB(value: Size | number, what = "memory"): number {
  if (typeof value === "string") return parseSize(value, what) / 2 ** 20;
  if (Number.isFinite(value) && value >= 0) return value;
  throw notA(what, "size", value, 'such as "512MiB", or a number of MiB');
}

function notA(what: string, kind: string, value: unknown, hint: string): SkeinError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new SkeinError("invalid", `${what}: ${shown} is no ${kind}.`, {
    hint: `Write a ${kind} ${hint}.`,
  });
}
