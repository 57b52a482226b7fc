/** What masters and workers log, as it comes. */
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

export interface LogLine {
  /** Who wrote it: m1, w2 … */
  readonly from: string;
  /** Wall clock, whole milliseconds. */
  readonly wall: number;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A round looks back a few seconds; nobody needs more. */
const linesMax = 5_000;

export class LogLines {
  #lines: LogLine[] = [];

  listen(from: string, child: ChildProcess): void {
    if (child.stderr)
      createInterface({ input: child.stderr }).on("line", (line) => this.#take(from, line));
  }

  /** Since a moment of the wall clock, in the order in which they came. */
  since(wall: number): LogLine[] {
    return this.#lines.filter((line) => line.wall >= wall);
  }

  #take(from: string, line: string): void {
    const fields = parse(line);
    if (!fields) return;
    this.#lines.push({
      from,
      wall: Date.parse(String(fields["ts"])),
      msg: String(fields["msg"]),
      fields,
    });
    if (this.#lines.length > 2 * linesMax) this.#lines = this.#lines.slice(-linesMax);
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // not of our log: a warning of Node, say
  }
}
