// What --input means: a range, lines of a file or of stdin, or paths that fit a pattern.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { SkeinError } from "../protocol/errors.ts";
import { usageError } from "./errors.ts";
import { glob, isPattern } from "./glob.ts";
import type { Io } from "./io.ts";

export interface Inputs {
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
  /** How many, where that is known beforehand. */
  readonly size: number | undefined;
}

export interface InputOptions {
  readonly stdin: Io["stdin"];
  readonly cwd: string;
  /** Lines are texts, not JSON. */
  readonly text: boolean;
}

const rangeMax = 10_000_000;

/** All inputs that the values of --input name, in their order. */
export async function readInputs(words: readonly string[], options: InputOptions): Promise<Inputs> {
  const parts: Inputs[] = [];
  for (const word of words) parts.push(await readOne(word, options));
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const sizes = parts.map(({ size }) => size);
  const known = sizes.every((size) => size !== undefined);
  return {
    items: joined(parts),
    size: known ? sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) : undefined,
  };
}

async function readOne(word: string, options: InputOptions): Promise<Inputs> {
  const range = parseRange(word);
  if (range) return range;
  if (word === "-") {
    if (options.stdin.isTTY) {
      throw usageError("--input - reads stdin, and stdin is a terminal.", "Pipe lines into it.");
    }
    return { items: lines(options.stdin, "stdin", options.text), size: undefined };
  }
  if (isPattern(word)) {
    const paths = await glob(word, options.cwd);
    if (paths.length > 0) return { items: paths, size: paths.length };
    throw usageError(`--input: no file fits "${word}".`, "Look at the pattern and where you are.");
  }
  const file = resolve(options.cwd, word);
  const found = await stat(file).catch(() => undefined);
  if (!found) {
    throw usageError(
      `--input: there is no file "${word}", and it is no range.`,
      "Give 1..1000, a .ndjson file, a quoted pattern such as 'photos/*.jpg', or - for stdin.",
    );
  }
  if (options.text || /\.(ndjson|jsonl)$/.test(word)) {
    return { items: lines(createReadStream(file), word, options.text), size: undefined };
  }
  return { items: [file], size: 1 };
}

function parseRange(word: string): Inputs | undefined {
  const match = /^(-?\d+)\.\.(-?\d+)(?:\.\.(\d+))?$/.exec(word);
  if (!match) return undefined;
  const [first, last, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)];
  if (![first, last].every(Number.isSafeInteger) || step < 1) {
    throw usageError(`--input: "${word}" is no range.`, "Write it as 1..1000, or 0..100..5.");
  }
  const size = Math.floor(Math.abs(last - first) / step) + 1;
  if (size > rangeMax) {
    throw usageError(`--input: ${word} has more than ${rangeMax} items.`, "Use several jobs.");
  }
  const sign = last < first ? -1 : 1;
  return { items: numbers(first, sign * step, size), size };
}

function* numbers(first: number, step: number, size: number): Generator<number> {
  for (let i = 0; i < size; i++) yield first + i * step;
}

async function* joined(parts: readonly Inputs[]): AsyncGenerator<unknown> {
  for (const { items } of parts) yield* items;
}

async function* lines(
  source: AsyncIterable<Uint8Array | string>,
  name: string,
  text: boolean,
): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = "";
  let number = 0;
  for await (const chunk of source) {
    rest += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    const pieces = rest.split("\n");
    rest = pieces.pop() ?? "";
    for (const line of pieces) {
      number++;
      const value = parseLine(line, { name, number, text });
      if (value !== undefined) yield value;
    }
  }
  const value = parseLine(rest, { name, number: number + 1, text });
  if (value !== undefined) yield value;
}

/** Empty lines are no inputs. */
function parseLine(
  raw: string,
  {
    name,
    number,
    text,
  }: { readonly name: string; readonly number: number; readonly text: boolean },
): unknown {
  const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
  if (line.trim() === "") return undefined;
  if (text) return line;
  try {
    return JSON.parse(line);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SkeinError("bad_line", `Line ${number} of ${name}: ${why}`, {
      cause,
      hint: "Write one JSON value a line, or add --text to take each line as a text.",
    });
  }
}
