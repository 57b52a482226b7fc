// SQLite only: a file's lock cannot fence a process that is stopped inside its transaction. Nobody could append until
// it goes on; so who stands for election kills it. docs/protocol-of-masters.md says who kills whom, and what can go
// wrong with it.
//
//   K1. It must be beyond doubt who that is: named in the journal by pid, start time and boot, and by the kernel as
//       the one that holds the lock.
//   K2. It must be stopped, not busy: at two looks in succession, by one and the same stop.
//   K3. A lease has passed without a batch, and what the journal has was read between the looks (D2, L7).
//   K4. Where the kernel does not tell who holds a lock, another lease without an answer stands for that.

import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ProcessName } from "../lib/own-process.ts";
import { limits } from "../protocol/limits.ts";

export interface StoppedWriterPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** An `elected` of this master is wanted. */
  stands(): boolean;
  /** It may be appended as things are: this master has a sound state (L10). */
  ready(): boolean;
  /** Since the last batch, by this process's clock. */
  silentMs(): number;
  /** Has the tail look; `done(false)` when the journal did not answer. */
  look(done: (answered: boolean) => void): void;
  /** The other masters that the journal names, where they told their process. */
  others(): readonly { readonly id: string; readonly process: ProcessName }[];
  /** Pids of who keeps others from appending; undefined where the kernel does not tell. */
  lockedBy(): readonly number[] | undefined;
  /** The stop that this process is in, if it is in one: equal at two looks, it has not run in between. */
  stopOf(process: ProcessName): string | undefined;
  kill(pid: number): void;
}

interface Stopped {
  readonly id: string;
  readonly pid: number;
  /** Of this process, and of no other one or later one. */
  readonly stop: string;
}

export class StoppedWriters {
  readonly #ports: StoppedWriterPorts;
  #looks = false;
  /** The stop that was found at the last look. */
  #seen = "";
  #signalled = new Set<string>();
  #told = "";

  constructor(ports: StoppedWriterPorts) {
    this.#ports = ports;
  }

  /** This master stands: it looks until it does not any more. */
  standing(): void {
    if (this.#looks) return;
    this.#looks = true;
    this.#seen = "";
    this.#later();
  }

  /** Its `elected` has had no answer for a lease. */
  stuck(): void {
    const holders = this.#ports.lockedBy();
    if (holders === undefined) {
      for (const found of this.#stopped()) this.#kill(found); // K4
    } else if (holders.join() !== this.#told) {
      this.#told = holders.join();
      this.#ports.log.warn("the journal is locked", { pids: holders });
    }
  }

  #later(): void {
    this.#ports.clock.after(limits.stoppedLookMs, () => {
      if (!this.#stillStands()) return;
      this.#ports.look((answered) => {
        if (!this.#stillStands()) return;
        this.#judge(answered);
        this.#later();
      });
    });
  }

  #stillStands(): boolean {
    this.#looks = this.#ports.stands();
    return this.#looks;
  }

  #judge(answered: boolean): void {
    const ports = this.#ports;
    const may = answered && ports.ready() && ports.silentMs() >= limits.leaseMs;
    const holders = may ? ports.lockedBy() : undefined;
    const found = holders && this.#stopped().find(({ pid }) => holders.includes(pid));
    if (found && found.stop === this.#seen) this.#kill(found);
    this.#seen = found?.stop ?? "";
  }

  #stopped(): Stopped[] {
    return this.#ports.others().flatMap(({ id, process }) => {
      const stop = this.#ports.stopOf(process);
      const { pid, started } = process;
      return stop === undefined ? [] : [{ id, pid, stop: `${pid} ${started} ${stop}` }];
    });
  }

  /** Once for each stop: one that cannot be killed is not told of again and again. */
  #kill({ id, pid, stop }: Stopped): void {
    const { log } = this.#ports;
    if (this.#signalled.has(stop)) return;
    try {
      this.#ports.kill(pid);
      log.error("a stopped master holds the journal: it is killed", { id, pid });
    } catch (error) {
      const why = "this process may not kill it: end it by hand, or let it go on";
      log.error(why, { id, pid, error });
    }
    this.#signalled = new Set([...this.#signalled, stop].slice(-signalledMax));
  }
}

const signalledMax = 16;
