// What may stand where the cursor is: found by walking commander's own tree along the words before it.

import type { Command, Option } from "commander";

export interface Candidate {
  readonly value: string;
  readonly text: string;
}

/** Names that only the cluster knows. */
export type Kind = "jobs" | "workers" | "queues";

export interface Candidates {
  readonly items: readonly Candidate[];
  /** To be asked of the cluster. */
  readonly kind?: Kind | undefined;
  /** Names of files are the shell's business. */
  readonly files?: boolean;
  /** Which cluster, as the words before the cursor say. */
  readonly place: Place;
}

export interface Place {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly data?: string;
}

interface Spot {
  readonly command: Command;
  /** Arguments of the command before the cursor. */
  readonly args: number;
  /** The option whose value stands at the cursor. */
  readonly option: Option | undefined;
  readonly used: ReadonlySet<Option>;
  readonly place: Place;
}

/** `words`: all after the program's name, the last one as far as it is typed. */
export function candidatesFor(program: Command, words: readonly string[]): Candidates {
  const current = words.at(-1) ?? "";
  const spot = walk(program, words.slice(0, -1));
  // Bash gives "--name=value" as three words.
  const found = spot.option ? valuesOf(spot.option) : wordsAt(spot, current);
  const typed = spot.option && current === "=" ? "" : current;
  return {
    ...found,
    items: found.items.filter(({ value }) => value.startsWith(typed)),
    place: spot.place,
  };
}

function walk(program: Command, words: readonly string[]): Spot {
  let command = program;
  let args = 0;
  let option: Option | undefined;
  let only = false;
  const used = new Set<Option>();
  const place: Record<string, string> = {};
  for (const word of words) {
    if (option) {
      if (word === "=") continue;
      place[option.attributeName()] = word;
      option = undefined;
    } else if (only) args++;
    else if (word === "--") only = true;
    else if (word.startsWith("-")) {
      const [name, value] = word.split("=", 2);
      const named = command.options.find((one) => one.long === name || one.short === name);
      if (named) used.add(named);
      if (named && value !== undefined) place[named.attributeName()] = value;
      else if (named?.required) option = named;
    } else {
      const child = args === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (child) command = child;
      else args++;
    }
  }
  return { command, args, option, used, place };
}

const none = { items: [] };

function valuesOf(option: Option): Omit<Candidates, "place"> {
  const words = wordsOf(option);
  if (words) return { items: words.map((value) => ({ value, text: "" })) };
  if (option.long === "--queue") return { ...none, kind: "queues" };
  return /<(file|dir|path)/.test(option.flags) ? { ...none, files: true } : none;
}

function wordsOf({ argChoices, parseArg }: Option): readonly string[] | undefined {
  if (argChoices) return argChoices;
  // Parsers of `oneOf` know their words.
  return parseArg && "words" in parseArg ? (parseArg.words as readonly string[]) : undefined;
}

function wordsAt({ command, args, used }: Spot, current: string): Omit<Candidates, "place"> {
  if (current.startsWith("-")) {
    const items = command.options
      .filter((one) => !one.hidden && one.long !== undefined && (!used.has(one) || one.variadic))
      .map(({ long, description }) => ({ value: long ?? "", text: description }));
    return { items: [...items, { value: "--help", text: "help on this command" }] };
  }
  const children = args > 0 ? [] : command.commands.filter((one) => !isHidden(one));
  const items = children.map((one) => ({ value: one.name(), text: one.summary() }));
  const { registeredArguments: known } = command;
  const last = known.at(-1);
  const argument = known[args] ?? (last?.variadic ? last : undefined);
  if (!argument) return { items };
  if (argument.argChoices) {
    const words = argument.argChoices.map((value) => ({ value, text: "" }));
    return { items: [...items, ...words] };
  }
  const name = argument.name();
  const kind = name.startsWith("job") ? "jobs" : kinds.get(name);
  if (kind) return { items, kind };
  if (name !== "topic") return { items, files: true };
  const all = command.parent?.commands.filter((one) => !isHidden(one)) ?? [];
  return { items: all.map((one) => ({ value: one.name(), text: one.summary() })) };
}

const kinds: ReadonlyMap<string, Kind> = new Map([
  ["worker", "workers"],
  ["queue", "queues"],
]);

/** Commander keeps it to itself. */
function isHidden(command: Command): boolean {
  return command.name().startsWith("__");
}
