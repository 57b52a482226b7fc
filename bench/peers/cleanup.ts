/**
 * What must not outlive the benchmark: its processes and its temporary directories.
 *
 * C1. Only processes spawned here are signalled, through their live child handle: a process id that
 *     the system has handed to somebody else can not be hit.
 * C2. However this process ends, short of SIGKILL, its children end and its directories go.
 *     After SIGKILL, `setpriv --pdeathsig` (Linux) still ends the servers; directories then stay.
 */
import type { ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const children = new Map<ChildProcess, NodeJS.Signals>();
const directories = new Set<string>();
let watching = false;

/** `signal` ends the child when there is no time to ask kindly. */
export function keepChild(child: ChildProcess, signal: NodeJS.Signals): void {
  watchForTheEnd();
  children.set(child, signal);
  child.once("exit", () => children.delete(child));
}

export function makeTemporaryDirectory(label: string, owner?: Account): string {
  watchForTheEnd();
  const directory = mkdtempSync(join(tmpdir(), `skein-bench-${label}-`));
  directories.add(directory);
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  return directory;
}

export function removeTemporaryDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  directories.delete(directory);
}

/** Ends a child: asks with `signal`, insists with SIGKILL after `graceMs`. */
export async function stopChild(
  child: ChildProcess,
  signal: NodeJS.Signals,
  graceMs = 10_000,
): Promise<void> {
  if (!isAlive(child)) return;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await exited;
  clearTimeout(timer);
}

export function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function watchForTheEnd(): void {
  if (watching) return;
  watching = true;
  process.once("exit", endEverything);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      endEverything();
      // Another listener has its own idea of the end; without one, end as the signal would have.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}

/** Synchronous: an `exit` listener gets no further turn of the event loop. */
function endEverything(): void {
  for (const [child, signal] of children) if (isAlive(child)) child.kill(signal);
  waitWhile(anyChildRuns, 3_000);
  for (const child of children.keys()) if (isAlive(child) && runs(child)) child.kill("SIGKILL");
  waitWhile(anyChildRuns, 500);
  for (const directory of directories) removeTemporaryDirectory(directory);
}

function anyChildRuns(): boolean {
  return [...children.keys()].some(runs);
}

function waitWhile(condition: () => boolean, msMax: number): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; waitedMs < msMax && condition(); waitedMs += 20) {
    Atomics.wait(cell, 0, 0, 20);
  }
}

/** A child that ended is a zombie until the event loop turns, which here it never does again. */
function runs(child: ChildProcess): boolean {
  if (child.pid === undefined) return false;
  if (!existsSync("/proc/self/stat")) return isAlive(child);
  try {
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false; // No such process: it has ended and was reaped.
  }
}
