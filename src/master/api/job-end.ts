// Waiting for the end of a job, in the words of the hub.

import type { ServerResponse } from "node:http";
import type { HubListener } from "../hub.ts";
import type { ApiContext } from "./handlers.ts";

/** Why a wait is over; `gone`: nobody waits for the answer any more. */
export type WaitEnd = "ended" | "over" | "gone";

export interface JobWait {
  readonly job: number;
  readonly ms: number;
  readonly response: ServerResponse;
  readonly onBlock?: HubListener["onBlock"];
}

/**
 * Listens from now on, and calls `done` once. Whoever needs the job's end must look whether it had ended before
 * this was called. Returns a function that ends the wait without a call.
 */
export function awaitEnd(
  context: ApiContext,
  wait: JobWait,
  done: (how: WaitEnd) => void,
): () => void {
  const { response, onBlock } = wait;
  const stop = () => {
    clearTimeout(timer);
    unlisten();
    leave();
    response.off("close", gone);
  };
  const finish = (how: WaitEnd) => {
    stop();
    done(how);
  };
  const gone = () => finish("gone");
  const timer = setTimeout(() => finish("over"), wait.ms);
  const unlisten = context.master.hub.listen(wait.job, {
    ...(onBlock && { onBlock }),
    onEnd: () => finish("ended"),
    // It may have ended: whoever asks again is told.
    onMissed: () => finish("over"),
  });
  const leave = context.open.add(() => finish("over"));
  response.on("close", gone);
  return stop;
}
