// A process, named beyond doubt: pid, its start time and the boot of its machine. Linux only; elsewhere undefined.

import { bootId, startTime, statFields, switchesOf } from "./proc.ts";

export interface ProcessName {
  readonly pid: number;
  /** In clock ticks since boot, as /proc says it. */
  readonly started: string;
  /** Of the machine since it booted. */
  readonly machine: string;
}

/** This process; an empty object where the system does not tell. */
export function ownProcess(): { readonly process?: ProcessName } {
  const name = nameOf(process.pid);
  return name ? { process: name } : {};
}

/** The process that has this pid now; undefined when there is none, or the system does not tell. */
export function nameOf(pid: number): ProcessName | undefined {
  const machine = bootId();
  if (machine === undefined) return undefined;
  const started = startTime(pid);
  return started === undefined ? undefined : { pid, started, machine };
}

/** Whether exactly this process lives here; false too when it ran on another machine. */
export function isAlive({ pid, started, machine }: ProcessName): boolean {
  return machine === bootId() && startTime(pid) === started;
}

/** Whether this process is known to have ended: it ran on this machine since its last boot, and does not now. */
export function hasEnded(name: ProcessName): boolean {
  return name.machine === bootId() && !isAlive(name);
}

/**
 * The stop (SIGSTOP, Ctrl-Z) that exactly this process is in, here; undefined when it is in none, or a debugger holds
 * it (state t). Equal at two looks: it is the same stop, and the process has not run in between.
 */
export function stopOf(name: ProcessName): string | undefined {
  // The counts first: what is said of them holds if it is stopped after they were read.
  const switches = switchesOf(name.pid) ?? "";
  return isAlive(name) && statFields(name.pid)?.[0] === "T" ? switches : undefined;
}
