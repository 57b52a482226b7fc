// The end of a slot from within: its worker is gone. Both of its threads may see that first.

import { killGroup } from "./process-tree.ts";
import { cell } from "./rows.ts";

/** Kills the group of the command that runs, then this process and its group. Does not return. */
export function killSlot(cells: Int32Array): void {
  killGroup(Atomics.load(cells, cell.group));
  killGroup(process.pid);
  process.kill(process.pid, "SIGKILL");
}
