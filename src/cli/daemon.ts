// What `master` and `worker` have in common: their log, and how they are told to end.

import type { Command } from "commander";
import { Option } from "commander";
import { createLog } from "../lib/log.ts";
import type { Log, LogLevel } from "../lib/log.ts";
import type { Cli } from "./cli.ts";
import { defer } from "../sdk/deferred.ts";
import { oneOf } from "./options.ts";

export interface LogOptions {
  readonly logFormat?: string;
  readonly logLevel: string;
}

export function logOptions(command: Command): Command {
  return levelOption(
    command.option(
      "--log-format <format>",
      "json or text; text on a terminal unless set",
      oneOf("json", "text"),
    ),
    "info",
  );
}

export function levelOption(command: Command, level: LogLevel): Command {
  const levels = ["debug", "info", "warn", "error"];
  return command.option("--log-level <level>", levels.join(", "), oneOf(...levels), level);
}

/**
 * For `up` and tests: whoever started this process holds its stdin, and it ends when that closes.
 */
export function ownedOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--exit-with-stdin",
      "end when stdin closes; Ctrl-C is left to the owner",
    ).hideHelp(),
  );
}

/** Whether messages on stderr are for people; else every line there is JSON. */
export function isForPeople({ logFormat }: LogOptions, cli: Cli): boolean {
  return logFormat === "text" || (logFormat === undefined && cli.io.stderr.isTTY);
}

export function makeLog(options: LogOptions, cli: Cli): Log {
  const text = isForPeople(options, cli);
  return createLog({
    // Checked by its option.
    level: options.logLevel as LogLevel,
    format: text ? "text" : "json",
    write: (line) => void cli.raw(line),
  });
}

export interface Told extends Disposable {
  /** A signal, or the owner is gone. */
  readonly asked: Promise<"signal" | "owner">;
  /** A second signal. */
  readonly insisted: Promise<void>;
}

/**
 * Listens for the wish to end. With an owner, Ctrl-C in the same terminal is the owner's affair.
 */
export function untilToldToEnd(cli: Cli, owned: boolean): Told {
  const asked = defer<"signal" | "owner">();
  const insisted = defer<void>();
  let count = 0;
  const told = () => {
    count++;
    if (count === 1) asked.resolve("signal");
    else insisted.resolve();
  };
  const stops = [cli.io.onInterrupt(owned ? () => {} : told), cli.io.onTerminate(told)];
  if (owned) void drained(cli.io.stdin).then(() => asked.resolve("owner"));
  return {
    asked: asked.promise,
    insisted: insisted.promise,
    [Symbol.dispose]: () => stops.forEach((stop) => stop()),
  };
}

/** Resolves when a stream has ended, well or not. */
export async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of stream);
  } catch {
    // A broken pipe is an end too.
  }
}
