// An attempt on its way through a slot. Made once per attempt and in one shape: at 100,000 a second
// a copy by spread costs more than all the rest of the agent.

import type { SlotAttempt } from "./executor.ts";

export interface Assigned extends SlotAttempt {
  /** The slot said that it runs. */
  started: boolean;
  /** It was asked back by the leader: if the slot drops it, it is returned, not queued again. */
  recalled: boolean;
  /** The leader wants it ended, for this reason. */
  cancelCode: number | undefined;
}

export function assigned(
  task: number,
  attempt: number,
  fence: number,
  input: Uint8Array,
): Assigned {
  return { task, attempt, fence, input, started: false, recalled: false, cancelCode: undefined };
}
