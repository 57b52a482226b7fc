// Options that many commands share, and the parsers of their values.

import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { parseTaskName } from "../protocol/ids.ts";
import { usageError } from "./errors.ts";

const placeGroup = "Which cluster:";
const showGroup = "Everywhere:";

/** --url, --token-file, --data: which cluster. */
export function placeOptions(command: Command): Command {
  return command
    .addOption(new Option("--url <url>", "address of a master (SKEIN_URL)").helpGroup(placeGroup))
    .addOption(
      new Option("--token-file <file>", "file that holds the token (SKEIN_TOKEN)").helpGroup(
        placeGroup,
      ),
    )
    .addOption(
      new Option("--data <dir>", "data directory of the cluster (SKEIN_DATA)").helpGroup(
        placeGroup,
      ),
    );
}

/** Flags that work before and after a command; program.ts reads them before anything else. */
export function showOptions(command: Command): Command {
  return command
    .addOption(new Option("--no-color", "no colours (NO_COLOR)").helpGroup(showGroup))
    .addOption(new Option("--ascii", "plain characters only").helpGroup(showGroup))
    .addOption(
      new Option("--debug", "with an error, print where it came from").helpGroup(showGroup),
    );
}

/** What every command that talks to a cluster takes. */
export function clusterOptions(command: Command): Command {
  return showOptions(placeOptions(command));
}

export function jsonOption(command: Command, text = "print one JSON document"): Command {
  return command.option("--json", text);
}

export function dryRunOption(command: Command): Command {
  return command.option("-n, --dry-run", "say what would be done, and do nothing");
}

/** Help that shows how it is used before it lists what there is. */
export function described(command: Command, text: string, examples: readonly string[]): Command {
  const [summary = ""] = text.split("\n");
  const lines = examples.map((example) => `  ${example}\n`).join("");
  return command
    .summary(command.summary() || summary)
    .description(examples.length === 0 ? text : `${text}\n\nExamples:\n${lines}`.trimEnd());
}

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^-?\d+$/.test(text) && number >= min && number <= max) return number;
    const most = max === Number.MAX_SAFE_INTEGER ? " on" : ` to ${max}`;
    throw new InvalidArgumentError(`It must be a whole number from ${min}${most}.`);
  };
}

/** A parser that knows its words: completion offers them. */
export interface WordParser {
  (text: string): string;
  readonly words: readonly string[];
}

export function oneOf(...words: readonly string[]): WordParser {
  const parse = (text: string) => {
    if (words.includes(text)) return text;
    throw new InvalidArgumentError(`It is one of ${words.join(", ")}.`);
  };
  return Object.assign(parse, { words });
}

/** Some of these words, with commas between. */
export function someOf(...words: readonly string[]): (text: string) => readonly string[] {
  return (text) => {
    const some = text.split(",");
    if (some.every((word) => words.includes(word))) return some;
    throw new InvalidArgumentError(`It is one of ${words.join(", ")}.`);
  };
}

/** Collects `name=value` of an option given several times, or once with commas. */
export function pairs(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const more = text.split(",").map((pair) => {
    const at = pair.indexOf("=");
    if (at <= 0) throw new InvalidArgumentError("Write it as name=value.");
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
  });
  return { ...before, ...Object.fromEntries(more) };
}

/** Collects the values of an option given several times. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** A job's id or prefix as typed; a task's name is cut to its job where only a job makes sense. */
export function jobArgument(text: string): string {
  const name = parseTaskName(text.toLowerCase());
  if (!name) throw badId(text);
  if (name.task === undefined) return name.job;
  throw usageError(`"${text}" names a task; a job is wanted here.`, `Leave out "/${name.task}".`);
}

/** JOB or JOB/TASK. */
export function taskArgument(text: string): { readonly job: string; readonly task?: number } {
  const name = parseTaskName(text.toLowerCase());
  if (!name) throw badId(text);
  return name;
}

function badId(text: string) {
  return usageError(
    `"${text}" is no id of a job or task.`,
    "An id has 4 to 16 digits 0-9 a-f, and for a task /NUMBER behind it: 4f2a91c0 or 4f2a91c0/17.",
  );
}
