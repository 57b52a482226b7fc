// The one batch on its way, and who waits for it (M1, M2 of loop.ts).

import type { Recall } from "../core/placement/recall.ts";
import type { Turn } from "../core/turn.ts";
import type { EncodedBatch } from "../journal/batch.ts";
import type { Waiting } from "./inbox.ts";

export type Settle = () => void;

/** A look at the state that waits for the batch in flight; if that is lost it looks again (M2). */
export interface HeldRead {
  readonly durable: Settle;
  readonly lost: Settle;
}

export interface Flight {
  readonly batch: EncodedBatch;
  readonly turn: Turn;
  readonly recalls: readonly Recall[];
  readonly answers: Settle[];
  readonly reads: HeldRead[];
  readonly waiting: Waiting[];
  /** The last batch of this leadership, and who asked for it (L6). */
  readonly resigns: ((done: boolean) => void) | null;
  readonly since: number;
}
