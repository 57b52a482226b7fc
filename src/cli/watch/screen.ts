// The terminal while something is watched: its other screen, so that what stood there before comes back.
//
//   W1. Whatever ends the watch, the first screen and the cursor come back.
//   W2. A picture is drawn over the one before in one write, and never wider or higher than the terminal.

import type { Sink } from "../io.ts";
import { cut } from "../render.ts";
import { plainText, widthOf } from "../style.ts";
import type { Style } from "../style.ts";

const enter = "\u001b[?1049h\u001b[?25l\u001b[2J";
const leave = "\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const lineEnd = "\u001b[K";
const below = "\u001b[J";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export function sizeOf({ columns, rows }: Sink): Size {
  return { columns: Math.max(20, columns ?? 80), rows: Math.max(6, rows ?? 24) };
}

export class Screen implements Disposable {
  readonly #sink: Sink;
  readonly #style: Style;
  #last: readonly string[] = [];
  #open = false;

  constructor(sink: Sink, style: Style) {
    this.#sink = sink;
    this.#style = style;
  }

  draw(lines: readonly string[]): void {
    const { columns, rows } = sizeOf(this.#sink);
    this.#last = fitted(lines, { columns, rows }, this.#style);
    const start = this.#open ? home : enter + home;
    this.#open = true;
    this.#sink.write(start + this.#last.map((line) => line + lineEnd).join("\r\n") + below);
  }

  /** The last picture stays on the first screen. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#sink.write(leave + this.#last.map((line) => `${line}\n`).join(""));
  }
}

export function fitted(lines: readonly string[], { columns, rows }: Size, style: Style): string[] {
  const shown = lines.slice(0, rows - 1);
  return shown.map((line) =>
    widthOf(line) <= columns ? line : cut(plainText(line), columns, style),
  );
}
