/** Processes as the tests look at them: waiting, ending, finding what is left (Linux). */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await exited;
}

export function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Waits for a condition, with a bound that only a broken system reaches. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  boundMs = 60_000,
): Promise<void> {
  const endAt = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > endAt) throw new Error(`not within ${boundMs} ms: ${holds.toString()}`);
    await sleep(5);
  }
}

/** Processes that name this directory on their command line or in their environment (Linux). */
export function processesIn(dir: string): number[] {
  return pids().filter((pid) => pid !== process.pid && mentions(pid, dir));
}

/** A process with its children and theirs. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const one of pids()) {
    const parent = Number(read(`/proc/${one}/stat`).split(") ").at(-1)?.split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const all = [pid];
  for (const one of all) all.push(...(children.get(one) ?? []));
  return all;
}

/** False for one that has ended and only waits to be read by its parent. */
export function isAlive(pid: number): boolean {
  const [, state = "Z"] = /\) (\w)/.exec(read(`/proc/${pid}/stat`)) ?? [];
  return state !== "Z";
}

export function describeProcess(pid: number): string {
  return `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`;
}

function pids(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function mentions(pid: number, dir: string): boolean {
  return [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`].some((file) => read(file).includes(dir));
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // ended meanwhile
  }
}
