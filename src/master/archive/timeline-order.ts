// Positions in the timeline: `index.n`, n from 1; `index.0` is before all rows of that batch.

import type { Position } from "../../protocol/outcome-stream.ts";

export function isBefore(a: Position, b: Position): boolean {
  return a.index < b.index || (a.index === b.index && a.n < b.n);
}

export function higher(a: Position, b: Position): Position {
  return isBefore(a, b) ? b : a;
}

/** Behind every row of a batch. */
export function afterIndex(index: number): Position {
  return { index: index + 1, n: 0 };
}
