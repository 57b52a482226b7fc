// One change to several things: each is tried, each is told, and the exit code says whether all
// went well.

import type { Cli } from "./cli.ts";
import { describeError, exitCodeOf, Quit, usageError } from "./errors.ts";
import { exitCodes } from "./exit-codes.ts";

/** Ids as given; "-" stands for those on stdin, separated by white space. */
export async function idsFrom(words: readonly string[], cli: Cli): Promise<readonly string[]> {
  if (!words.includes("-")) return words;
  if (cli.io.stdin.isTTY) {
    throw usageError('"-" reads ids from stdin, and stdin is a terminal.', "Pipe ids into it.");
  }
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of cli.io.stdin) {
    text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
  }
  const piped = text.split(/\s+/).filter((id) => id !== "");
  return words.flatMap((word) => (word === "-" ? piped : [word]));
}

/** Runs `change` for each; one that fails does not keep the others from being tried. */
export async function forEach<Result>(
  ids: readonly string[],
  cli: Cli,
  change: (id: string) => Promise<Result>,
): Promise<readonly Result[]> {
  const done: Result[] = [];
  let failure: unknown;
  for (const id of ids) {
    try {
      done.push(await change(id));
    } catch (error) {
      if (ids.length === 1 || cli.io.signal.aborted) throw error;
      failure ??= error;
      cli.say(`${cli.err.symbols.fail} ${id}`);
      cli.raw(describeError(error, cli.err, cli.flags.debug));
    }
  }
  if (failure === undefined) return done;
  cli.exitCode = done.length > 0 ? exitCodes.partly : exitCodeOf(failure);
  if (done.length === 0) throw new Quit(cli.exitCode);
  return done;
}
