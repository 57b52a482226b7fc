// How old what the page shows is: noted by whoever hears a master, shown by the badge and the banner.

import type { ClusterEventData } from "../../../src/client/index.ts";

export interface Fresh {
  /** Of when the newest news is, on this page's clock. */
  readonly at: number;
  /** The host that answered last. */
  readonly master: string;
  /** Journal index that the newest answer rests on. */
  readonly index: number;
  /** What the stream said last. */
  readonly tick: ClusterEventData["tick"] | undefined;
  /** Since when nobody answers; undefined while somebody does. */
  readonly cutSince: number | undefined;
}

let now: Fresh = { at: 0, master: "", index: 0, tick: undefined, cutSince: undefined };
let heardAt = 0;
let tickedAt = 0;
const listeners = new Set<() => void>();

function set(next: Fresh): void {
  now = next;
  for (const listener of listeners) listener();
}

/** After so long without a tick, answers alone say how old the page is. */
const tickLostMs = 3_000;

export const freshness = {
  heard: (master: string, index: number): void => {
    heardAt = Date.now();
    const ticks = heardAt - tickedAt < tickLostMs;
    const same = now.master === master && now.cutSince === undefined && now.index >= index;
    // Twice a second is often enough for whoever looks.
    if (same && (ticks || heardAt - now.at < 500)) return;
    const at = ticks ? now.at : heardAt;
    set({ ...now, at, master, index: Math.max(now.index, index), cutSince: undefined });
  },
  /** The master's own word on how old its news may be. */
  ticked: (tick: ClusterEventData["tick"]): void => {
    heardAt = tickedAt = Date.now();
    const at = heardAt - tick.ageMs;
    set({ ...now, at, index: Math.max(now.index, tick.index), tick, cutSince: undefined });
  },
  missed: (): void => {
    if (now.cutSince === undefined) set({ ...now, cutSince: Date.now() });
  },
  /** A stream is being opened: silence counts from here. */
  listens: (): void => {
    heardAt = Date.now();
  },
  heardAt: (): number => heardAt,
  get: (): Fresh => now,
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};
