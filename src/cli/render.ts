// Text for people: tables, lists of fields, states. What a command prints with --json is not made
// here.

import { widthOf } from "./style.ts";
import type { Style } from "./style.ts";

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly align?: "right";
  /** May be cut to make the table fit the terminal. */
  readonly shrinks?: boolean;
}

const gap = "  ";
const shrunkMin = 8;

/** A table whose lines fit `width` columns, as far as columns that may shrink allow it. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { style, width }: { readonly style: Style; readonly width: number | undefined },
): string {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[i] ?? ""))),
  );
  if (width !== undefined) shrink(columns, widths, width);
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => fit(text, widths[i] ?? 0, columns[i]?.align, style))
      .join(gap)
      .trimEnd();
  const head = style.dim(line(columns.map((column) => column.title)));
  return [head, ...cells.map(line)].map((text) => `${text}\n`).join("");
}

/** Takes from the widest column that may shrink, one by one, until the line fits. */
function shrink<Row>(columns: readonly Column<Row>[], widths: number[], width: number): void {
  const total = () => widths.reduce((sum, one) => sum + one, 0) + gap.length * (widths.length - 1);
  while (total() > width) {
    const widest = columns.reduce((best, column, i) => {
      if (!column.shrinks || (widths[i] ?? 0) <= shrunkMin) return best;
      return best < 0 || (widths[i] ?? 0) > (widths[best] ?? 0) ? i : best;
    }, -1);
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function fit(text: string, width: number, align: "right" | undefined, style: Style): string {
  const missing = width - widthOf(text);
  if (missing < 0) return cut(text, width, style);
  return align === "right" ? " ".repeat(missing) + text : text + " ".repeat(missing);
}

/** Cut to so many columns; says so with an ellipsis. Colours are dropped where it cuts. */
export function cut(text: string, width: number, style: Style): string {
  if (widthOf(text) <= width) return text;
  const { ellipsis } = style.symbols;
  return (
    Array.from(text)
      .slice(0, Math.max(0, width - ellipsis.length))
      .join("") + ellipsis
  );
}

export type Field = readonly [name: string, value: string | undefined];

/** Names and values, one pair a line; fields without a value are left out. */
export function fields(pairs: readonly Field[], style: Style): string {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown
    .map(([name, value]) => `${style.dim(name.padEnd(width))}  ${indent(value ?? "", width + 2)}\n`)
    .join("");
}

function indent(text: string, columns: number): string {
  return text.replaceAll("\n", `\n${" ".repeat(columns)}`);
}

/** A state of a job, task, worker or attempt, in its colour. The word is always there. */
export function state(word: string, style: Style): string {
  const paints: Record<string, (text: string) => string> = {
    succeeded: style.green,
    active: style.green,
    leading: style.green,
    "standing by": style.cyan,
    away: style.red,
    running: style.cyan,
    assigned: style.cyan,
    failed: style.red,
    lost: style.red,
    suspect: style.yellow,
    backoff: style.yellow,
    draining: style.yellow,
    cancelled: style.yellow,
    paused: style.yellow,
  };
  return (paints[word] ?? ((text: string) => text))(word);
}

/** A bar of `width` columns, `share` of it full. */
export function bar(share: number, width: number, style: Style): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  const { barFull, barEmpty } = style.symbols;
  return style.green(barFull.repeat(full)) + style.dim(barEmpty.repeat(width - full));
}
