/**
 * The checker of rounds: a history in, sentences out, one for each breach of a promise (design.md §2: P1 to P5). No
 * sentence: nothing that was recorded speaks against them. Pure, and O(n log n).
 *
 * The journal is the serialization: it is replayed by a second hand (replay.ts), and everything that clients and
 * workers saw is held against it. So no search over orders is needed.
 */
import { checkCancels } from "./check-cancels.ts";
import { checkClients } from "./check-clients.ts";
import { checkEnds } from "./check-ends.ts";
import { checkPayloads, withInputs } from "./check-payloads.ts";
import { checkReads } from "./check-reads.ts";
import { checkWorkers } from "./check-workers.ts";
import type { History } from "./history.ts";
import { replay } from "./replay.ts";

export function check(history: History): string[] {
  const replayed = replay(withInputs(history));
  return [
    ...replayed.violations,
    ...checkClients(history, replayed),
    ...checkReads(history, replayed),
    ...checkWorkers(history, replayed),
    ...checkPayloads(history, replayed),
    ...checkCancels(history, replayed),
    ...checkEnds(history, replayed),
  ];
}
