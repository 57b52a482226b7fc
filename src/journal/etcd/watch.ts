// Rings when the journal may have grown: a watch on the key of its head.
//
// W1  It rings once whenever the watch is set up anew: what happened in between is not known. So no
//     watch ever starts in the past, and compaction cannot be in its way.
// W2  A watch that ends for any reason but its owner's is set up again, with back-off.

import { backoffMs } from "../../lib/backoff.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import { JournalHalt } from "../halt.ts";
import type { EtcdClient } from "./client.ts";
import { methods, watchEnded, watchKey } from "./messages.ts";

const backoff = { firstMs: 50, maxMs: 1_000 };

export function followKey(
  client: EtcdClient,
  { key, clock, ring }: { key: string; clock: Clock; ring: () => void },
): () => void {
  let ended = false;
  let tries = 0;
  let end: () => void = () => {};
  let cancel: CancelTimer = () => {};

  const again = () => {
    if (ended) return;
    cancel();
    cancel = clock.after(backoffMs(tries++, backoff), () => void open());
  };
  const onMessage = (message: Buffer) => {
    if (ended) return;
    if (watchEnded(message) !== undefined) return end();
    tries = 0;
    ring(); // W1: the first message says that the watch is set up.
  };
  const open = async () => {
    try {
      end = await client.stream(methods.watch, watchKey(key), { onMessage, onEnd: again });
      if (ended) end();
    } catch (error) {
      // A halt is met by whoever reads; there is nothing more to hear of.
      if (!(error instanceof JournalHalt)) again();
    }
  };

  void open();
  return () => {
    ended = true;
    cancel();
    end();
  };
}
