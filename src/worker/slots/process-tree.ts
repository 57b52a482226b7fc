// Finding and killing processes: groups, strays that left their group, and what a crashed worker left.
//
// Whatever a slot starts has SKEIN_SLOT=<cookie> in its environment (as Jenkins does with BUILD_ID), so a
// daemon that left the group is found as well. /proc is Linux; elsewhere groups alone have to do.

import { readdirSync, readFileSync } from "node:fs";

export const cookieName = "SKEIN_SLOT";

/** False when there is no such group (any more). */
export function killGroup(group: number, signal: NodeJS.Signals = "SIGKILL"): boolean {
  // kill(-1) means everybody, kill(0) ourselves: neither is ever a slot's group.
  if (!Number.isInteger(group) || group <= 1) return false;
  return tryKill(-group, signal);
}

export function tryKill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // ESRCH: it is gone, which is what we want. EPERM: it is not ours, and not ours to kill.
    return false;
  }
}

/** All pids, or none where there is no /proc. */
export function listPids(): string[] {
  try {
    return readdirSync("/proc").filter((name) => name.charCodeAt(0) <= 57 && Number(name) > 0);
  } catch {
    return [];
  }
}

/** Kills processes that carry the cookie, except this one and those in `before`; says how many. */
export function killStrays(cookie: string, before?: ReadonlySet<string>): number {
  let killed = 0;
  for (const pid of listPids()) {
    if (!before?.has(pid) && killIfMarked(pid, cookie)) killed++;
  }
  return killed;
}

/** The same without holding the loop for long: there may be thousands of processes. */
export async function killStraysGently(cookie: string): Promise<void> {
  for (const [i, pid] of listPids().entries()) {
    if (i % sliceSize === sliceSize - 1) await new Promise((resolve) => setImmediate(resolve));
    killIfMarked(pid, cookie);
  }
}

/** Processes looked at in one turn of the loop: about 10 µs each. */
export const sliceSize = 100;

function killIfMarked(pid: string, cookie: string): boolean {
  if (Number(pid) === process.pid || !environment(pid).includes(`${cookieName}=${cookie}`)) {
    return false;
  }
  return tryKill(Number(pid), "SIGKILL");
}

function environment(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    // It ended meanwhile, or belongs to somebody else.
    return "";
  }
}
