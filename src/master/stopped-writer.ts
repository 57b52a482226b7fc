// SQLite only: a file's lock cannot fence a writer that is stopped inside its transaction. Nobody could append until
// it goes on; so a candidate that has got no answer for a lease kills it. It must be beyond doubt who that is:
// named in the journal by pid, start time and boot, and found stopped by the kernel's own word.

import type { State } from "../core/state.ts";
import type { Log } from "../lib/log.ts";
import { isStopped } from "../lib/own-process.ts";

/** Kills stopped masters of this machine that the journal names. */
export function killStoppedWriters(state: State, own: string, log: Log): void {
  for (const { id, process: name } of state.masters.values()) {
    if (id === own || name === null || !isStopped(name)) continue;
    log.error("a stopped master holds the journal: it is killed", { id, pid: name.pid });
    try {
      process.kill(name.pid, "SIGKILL");
    } catch (error) {
      const why = "this process may not kill it: end it by hand, or let it go on";
      log.error(why, { id, pid: name.pid, error });
    }
  }
}
