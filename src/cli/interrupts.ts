// Ctrl-C: the first is a wish, the second is meant.

import type { Io } from "./io.ts";

/** Calls `first`, then `second`, on Ctrl-C. Disposing gives Ctrl-C its usual meaning back. */
export function onInterrupts(io: Io, first: () => void, second: () => void): Disposable {
  let count = 0;
  const stop = io.onInterrupt(() => {
    count++;
    if (count === 1) first();
    else if (count === 2) second();
  });
  return { [Symbol.dispose]: stop };
}
