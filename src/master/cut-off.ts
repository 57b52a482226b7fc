// L8: many workers fell silent at once. If a standby hears them, it is this leader that is cut off: it hands over.

import type { Wired } from "./wiring.ts";
import { limits } from "../protocol/limits.ts";

/**
 * Hands over to a standby that hears at least half of the silent workers, and more workers in all than this leader
 * does. Once for each brake, and only in the term that it was put on in: two leaders of which each hears its own half
 * must not pass the lead to and fro.
 */
export function handOverIfCutOff(
  { loop, peers, leadership, sessions }: Pick<Wired, "loop" | "peers" | "leadership" | "sessions">,
  silent: readonly number[],
): void {
  const brake = loop.peek((state) => {
    const began = state.brakeUntil - limits.brakeMs;
    const own = state.leader !== null && state.leader.electedAt <= began;
    const working = [...state.workers.values()].filter(
      ({ state: is }) => is !== "lost" && is !== "gone",
    );
    return own ? { working: working.map(({ number }) => number) } : undefined;
  });
  if (!brake) return;
  const { working } = brake;
  const own = loop.peek((state) => sessions.hears(state, working)).length;
  peers.whoHears(working, (heard) => {
    const wanted = new Set(silent);
    const better = [...heard].filter(([, workers]) => {
      const ofSilent = workers.filter((worker) => wanted.has(worker)).length;
      return ofSilent * 2 >= silent.length && workers.length > own;
    });
    const [best] = better.toSorted(([, a], [, b]) => b.length - a.length);
    if (best) leadership.stepDown(best[0], () => {});
  });
}
