// Errors as people see them: what happened, why, what to do. And the exit code that says the same.

import { SkeinError } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { exitCodes } from "./exit-codes.ts";
import { PipeClosed } from "./io.ts";
import type { Style } from "./style.ts";

/** Ends a command with a code when all that is to be said was said. */
export class Quit extends Error {
  override readonly name = "Quit";
  readonly exit: number;

  constructor(exit: number) {
    super(`exit ${exit}`);
    this.exit = exit;
  }
}

/** Their titles would add nothing to their messages. */
const selfExplaining: ReadonlySet<ErrorCode> = new Set([
  "usage",
  "bad_request",
  "invalid",
  "not_found",
  "conflict",
  "unreachable",
]);

const full: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
/** A path that was named cannot be used. */
const places: ReadonlySet<string> = new Set([
  "EACCES",
  "EEXIST",
  "EISDIR",
  "ENOENT",
  "ENOTDIR",
  "EPERM",
  "EROFS",
]);

export function usageError(message: string, hint?: string): SkeinError {
  return new SkeinError("usage", message, hint === undefined ? {} : { hint });
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Quit) return error.exit;
  if (error instanceof PipeClosed) return exitCodes.pipe;
  if (error instanceof SkeinError) return error.kind.exit;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (full.has(code)) return exitCodes.limit;
  return places.has(code) ? exitCodes.usage : exitCodes.internal;
}

/** The lines for stderr; "" when nothing is to be said. */
export function describeError(error: unknown, style: Style, debug: boolean): string {
  if (error instanceof Quit || error instanceof PipeClosed) return "";
  const lines = linesOf(error, style);
  if (debug) lines.push("", style.dim(stackOf(error)));
  return lines.map((line) => `${line}\n`).join("");
}

function linesOf(error: unknown, style: Style): string[] {
  if (error instanceof SkeinError) return skeinLines(error, style);
  if (error instanceof Error && "syscall" in error) return systemLines(error, style);
  return bugLines(error, style);
}

/** The system refused: a path that may not be written, a disk that is full. */
function systemLines(error: Error, style: Style): string[] {
  return [
    `${style.red("error:")} ${style.bold(error.message)}`,
    ...block("fix", "Look at the path, its permissions, and the free space there.", style),
  ];
}

function skeinLines(error: SkeinError, style: Style): string[] {
  const { fields = [], instance } = error.details;
  const told = selfExplaining.has(error.code) || same(error.message, error.kind.title);
  const what = told ? error.message : error.kind.title;
  const why = told ? undefined : error.message;
  // For finding the line in the master's log: of use where the master is to blame.
  const id = instance === undefined || error.kind.exit < 70 ? "" : ` (request ${instance})`;
  const lines = [`${style.red("error:")} ${style.bold(what)}${id}`];
  if (why !== undefined) lines.push(...block("why", why, style));
  for (const { pointer, detail } of fields) {
    const text = `${pointer === "" ? "(whole)" : pointer}  ${detail}`;
    if (!error.message.includes(detail)) lines.push(...block("", text, style));
  }
  if (error.hint !== "") lines.push(...block("fix", error.hint, style));
  return lines;
}

function bugLines(error: unknown, style: Style): string[] {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [
    `${style.red("error:")} ${style.bold("An error inside the CLI")}`,
    ...block("why", text, style),
    ...block("fix", "Run it again with --debug and report what it prints.", style),
  ];
}

function block(name: string, text: string, style: Style): string[] {
  const [first = "", ...rest] = text.split("\n");
  return [`  ${style.dim(name.padEnd(3))}  ${first}`, ...rest.map((line) => `       ${line}`)];
}

function same(a: string, b: string): boolean {
  const bare = (text: string) => text.replace(/[.\s]+$/, "").toLowerCase();
  return bare(a) === bare(b);
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by: ${stackOf(error.cause)}`;
  return (error.stack ?? error.message) + cause;
}
