/** Series of milliseconds as percentiles, and what they are held against. */
import { percentile } from "../peers/statistics.ts";

export interface Figures {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface Row {
  /** What happened, and what was waited for. */
  readonly what: string;
  /** Of Skein: the engine of the journal; else the peer. */
  readonly on: string;
  readonly figures: Figures;
  /** In the order measured. */
  readonly all: readonly number[];
  /** docs: the targets of the design, of p99. */
  readonly targetMs?: number;
}

export function row(what: string, on: string, all: readonly number[], targetMs?: number): Row {
  const rounded = all.map((value) => Math.round(value * 10) / 10);
  const figures = {
    n: rounded.length,
    p50: percentile(rounded, 0.5),
    p90: percentile(rounded, 0.9),
    p99: percentile(rounded, 0.99),
    max: Math.max(...rounded),
  };
  return { what, on, figures, all: rounded, ...(targetMs === undefined ? {} : { targetMs }) };
}

/** Sentences: which target was missed, and by how much. */
export function shortfallsOf(rows: readonly Row[]): string[] {
  return rows.flatMap(({ what, on, figures, targetMs }) => {
    if (targetMs === undefined || figures.p99 <= targetMs) return [];
    return [`${what} (${on}): p99 is ${figures.p99} ms, the target is ${targetMs} ms`];
  });
}
