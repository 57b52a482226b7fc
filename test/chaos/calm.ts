/** When nothing was harmed: only then what is slow is late. */
import type { Harm } from "./history.ts";

/** `harms` in the order of their times. */
export function calmBetween(harms: readonly Harm[], from: number, to: number): boolean {
  const open = new Set<string>();
  for (const harm of harms) {
    const { kind, name, pid, at, goneAt = at } = harm;
    if (at > to) break;
    const repairs = kind === "healed" || kind === "continued";
    if (!repairs && goneAt >= from) return false;
    // What was still harmed when this began.
    if (at >= from) continue;
    if (kind === "cut") open.add(`cut ${name}`);
    if (kind === "stopped") open.add(`stopped ${pid}`);
    if (kind === "continued") open.delete(`stopped ${pid}`);
    if (kind === "healed") for (const one of open) if (one.startsWith("cut")) open.delete(one);
  }
  return open.size === 0;
}
