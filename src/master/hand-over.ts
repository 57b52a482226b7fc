// The end of a leader that is told to stop: it hands over first, so that nobody has to find out (L6).

import { delay } from "../lib/abort.ts";
import type { Wired } from "./wiring.ts";

/** Whoever is asked to lead needs one append; without an answer in this time the others find out by themselves. */
const handOverMs = 2_000;
const lookMs = 10;

/** Resolves when another leads, or nobody can: what this master held has its answer then. */
export async function handOver({
  loop,
  leadership,
  peers,
}: Pick<Wired, "loop" | "leadership" | "peers">): Promise<void> {
  const hasOthers = loop.leads && peers.live().length > 0;
  const until = performance.now() + handOverMs;
  const late = delay(handOverMs);
  await Promise.race([new Promise<void>((resolve) => leadership.leave(resolve)), late]);
  if (!hasOthers) return;
  while (!loop.halted && performance.now() < until) {
    if (loop.peek(({ leader }) => leader !== null) && !loop.leads) return;
    await delay(lookMs);
  }
}
