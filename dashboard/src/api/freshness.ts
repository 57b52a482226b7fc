// How old what the page shows is: noted by whoever asks, shown by the badge and the banner.

export interface Fresh {
  /** When a master answered last, on this page's clock. */
  readonly at: number;
  readonly master: string;
  /** Journal index that the newest answer rests on. */
  readonly index: number;
  /** Since when nobody answers; undefined while somebody does. */
  readonly cutSince: number | undefined;
}

let now: Fresh = { at: 0, master: "", index: 0, cutSince: undefined };
const listeners = new Set<() => void>();

function set(next: Fresh): void {
  now = next;
  for (const listener of listeners) listener();
}

export const freshness = {
  heard: (master: string, index: number): void => {
    const at = Date.now();
    const same = now.master === master && now.cutSince === undefined && now.index >= index;
    // Twice a second is often enough for whoever looks.
    if (same && at - now.at < 500) return;
    set({ at, master, index: Math.max(now.index, index), cutSince: undefined });
  },
  missed: (): void => {
    if (now.cutSince === undefined) set({ ...now, cutSince: Date.now() });
  },
  get: (): Fresh => now,
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};
