// The task stream in words: how much of the slots' time nothing ran, and what held the end up.

import type { Bar } from "./task-stream.ts";

/** A straggler takes so many times the median … */
const stragglerFactor = 4;
/** … and at least this long. */
const stragglerMs = 1_000;
const namesMax = 3;

export function verdictOfSpans(
  bars: readonly Bar[],
  lanes: number,
  { from, to }: { readonly from: number; readonly to: number },
): string {
  if (bars.length === 0) return "Nothing ran in this time.";
  const wanted = bars.filter(({ state }) => state !== "given_back");
  const spent = (of: readonly Bar[]) => of.reduce((sum, bar) => sum + within(bar, from, to), 0);
  const idle = 1 - spent(wanted) / (lanes * (to - from));
  const wasted = spent(wanted.filter(({ state }) => state === "failed" || state === "lost"));
  const parts = [`${percent(idle)} idle${stragglersIn(wanted)}.`];
  if (wasted > 0) {
    parts.push(
      `${percent(wasted / spent(wanted))} of the run time went into attempts that failed or were lost.`,
    );
  }
  return parts.join(" ");
}

function within({ start, end }: Bar, from: number, to: number): number {
  return Math.max(0, Math.min(end, to) - Math.max(start, from));
}

function stragglersIn(bars: readonly Bar[]): string {
  const times = bars.map(({ start, end }) => end - start).toSorted((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  const slow = bars.filter(
    ({ start, end }) => end - start > Math.max(stragglerMs, median * stragglerFactor),
  );
  if (slow.length === 0 || slow.length * 10 > bars.length) return "";
  const workers = [...new Set(slow.map(({ worker }) => worker))];
  const more = workers.length > namesMax ? ` and ${workers.length - namesMax} more` : "";
  const what = slow.length === 1 ? "1 straggler" : `${slow.length} stragglers`;
  const long = `over ${stragglerFactor} × the median of ${spoken(median)}`;
  return `: ${what} on ${workers.slice(0, namesMax).join(", ")}${more}, ${long}`;
}

function spoken(ms: number): string {
  if (ms < 1) return "under 1 ms";
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Of cells only the load is known: how far each worker was below its own most. */
export function verdictOfCells(
  { worker, running }: { readonly worker: readonly number[]; readonly running: readonly number[] },
  cells: number,
): string {
  const most = new Map<number, number>();
  const sum = new Map<number, number>();
  for (const [i, one] of worker.entries()) {
    const busy = running[i] ?? 0;
    most.set(one, Math.max(most.get(one) ?? 0, busy));
    sum.set(one, (sum.get(one) ?? 0) + busy);
  }
  let could = 0;
  let did = 0;
  for (const [one, busy] of sum) {
    could += Math.max(1, Math.ceil((most.get(one) ?? 0) - 0.05)) * cells;
    did += busy;
  }
  return could === 0
    ? "Nothing ran in this time."
    : `${percent(1 - did / could)} idle, measured by each worker's own most.`;
}

function percent(share: number): string {
  return `${Math.max(0, Math.min(100, Math.round(share * 100)))} %`;
}
