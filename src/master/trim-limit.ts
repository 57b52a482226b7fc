// How far the journal may be trimmed (A5): what goes must be in a snapshot of two masters, and in the archive of
// whoever lives.

import type { Standing } from "./peer-ports.ts";

/**
 * `upTo`: the last batch under the leader's own older snapshot. `others`: more masters are known, alive or not.
 * 0: nothing may go.
 */
export function trimLimit(
  upTo: number,
  others: boolean,
  live: readonly Pick<Standing, "snapshot" | "watermark">[],
): number {
  if (!others) return upTo;
  if (live.length === 0) return 0;
  const snapshot = Math.max(...live.map((standby) => standby.snapshot));
  const watermark = Math.min(...live.map((standby) => standby.watermark));
  return Math.min(upTo, snapshot, watermark);
}
