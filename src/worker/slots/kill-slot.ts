// The end of a slot from within: its worker is gone. Both of its threads may see that first.

import { cookieName, killGroup, killStrays } from "./process-tree.ts";
import { cell } from "./rows.ts";

/**
 * Kills the group of the command that runs, what left that group, then this process and its group. Does not
 * return.
 */
export function killSlot(cells: Int32Array): void {
  killGroup(Atomics.load(cells, cell.group));
  // Nobody may start this worker again on this machine: whoever is to kill a daemon, it is this process.
  const cookie = process.env[cookieName];
  if (cookie !== undefined && cookie !== "") killStrays(cookie);
  killGroup(process.pid);
  process.kill(process.pid, "SIGKILL");
}
