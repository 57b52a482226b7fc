// Colours and symbols: whether a stream gets them, decided for stdout and stderr apart.

import type { Io, Sink } from "./io.ts";

export interface StyleFlags {
  readonly noColor: boolean;
  readonly ascii: boolean;
}

type Paint = (text: string) => string;

export interface Style {
  readonly colours: boolean;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly symbols: Symbols;
}

export interface Symbols {
  readonly ok: string;
  readonly fail: string;
  readonly warn: string;
  readonly dot: string;
  readonly ellipsis: string;
  readonly arrow: string;
  readonly barFull: string;
  readonly barEmpty: string;
  /** From low to high. */
  readonly ramp: string;
}

const unicode: Symbols = {
  ok: "✔",
  fail: "✖",
  warn: "!",
  dot: "·",
  ellipsis: "…",
  arrow: "→",
  barFull: "█",
  barEmpty: "░",
  ramp: "▁▂▃▄▅▆▇█",
};

const ascii: Symbols = {
  ok: "ok",
  fail: "x",
  warn: "!",
  dot: "-",
  ellipsis: "...",
  arrow: "->",
  barFull: "#",
  barEmpty: ".",
  ramp: "_.-:=+*#",
};

export function styleFor(sink: Sink, env: Io["env"], flags: StyleFlags): Style {
  const colours = hasColours(sink, env, flags);
  const paint = (open: number, close: number): Paint =>
    colours ? (text) => `\u001b[${open}m${text}\u001b[${close}m` : (text) => text;
  return {
    colours,
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    bold: paint(1, 22),
    dim: paint(2, 22),
    symbols: flags.ascii || !readsUnicode(env) ? ascii : unicode,
  };
}

/** The flag wins, then FORCE_COLOR, then NO_COLOR and SKEIN_NO_COLOR, then what the stream is. */
function hasColours(sink: Sink, env: Io["env"], flags: StyleFlags): boolean {
  if (flags.noColor) return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  if (env["NO_COLOR"] || env["SKEIN_NO_COLOR"]) return false;
  return env["TERM"] !== "dumb" && sink.isTTY;
}

/**
 * A locale that is set and not UTF-8 cannot show the symbols; one that is not set most often can.
 */
function readsUnicode(env: Io["env"]): boolean {
  if (env["TERM"] === "dumb" || env["TERM"] === "linux") return false;
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"];
  return !locale || /utf-?8/i.test(locale);
}

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

export function plainText(text: string): string {
  return text.replace(escapes, "");
}

/** Columns that a text takes in a terminal, near enough: colours take none. */
export function widthOf(text: string): number {
  return Array.from(plainText(text)).length;
}
