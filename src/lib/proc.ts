// What the system tells of a process and of the boot it lives in; undefined where it does not tell.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What tells a process from a later one with the same pid; undefined when there is none. */
export function startTime(pid: number): string | undefined {
  // In clock ticks since boot.
  if (process.platform === "linux") return statFields(pid)?.[19];
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

/** Fields of /proc/<pid>/stat from the third on: state, parent, group, session … (proc_pid_stat(5)). Linux only. */
export function statFields(pid: number | string): string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** How often its main thread was given the CPU and left it: the same at two looks, it has not run between. Linux only. */
export function switchesOf(pid: number): string | undefined {
  const counts = read(`/proc/${pid}/status`)?.match(/(?<=ctxt_switches:\s+)\d+/g);
  return counts?.join(" ");
}

/** Of this machine since it booted. Linux only. */
export function bootId(): string | undefined {
  return read("/proc/sys/kernel/random/boot_id")?.trim();
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1");
  } catch {
    // It ended meanwhile, or there is no /proc.
    return undefined;
  }
}
