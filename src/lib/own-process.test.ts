import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import type { ProcessName } from "./own-process.ts";
import { hasEnded, isAlive, nameOf, stopOf } from "./own-process.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const elsewhere = process.platform !== "linux";

async function start(): Promise<{ child: ChildProcess; name: ProcessName }> {
  const child = spawn("sleep", ["60"]);
  children.push(child);
  await once(child, "spawn");
  const name = nameOf(child.pid ?? 0);
  if (!name) throw new Error("/proc does not tell");
  return { child, name };
}

async function stop(name: ProcessName): Promise<string> {
  process.kill(name.pid, "SIGSTOP");
  await expect.poll(() => stopOf(name)).toBeDefined();
  return stopOf(name) ?? "";
}

test.skipIf(elsewhere)(
  "a process is stopped from SIGSTOP to SIGCONT, and its next stop is another one (skipped where there is no /proc)",
  async () => {
    const { name } = await start();
    expect(stopOf(name)).toBe(undefined);
    const first = await stop(name);
    expect(stopOf(name)).toBe(first);
    process.kill(name.pid, "SIGCONT");
    await expect.poll(() => stopOf(name)).toBe(undefined);
    expect(await stop(name)).not.toBe(first);
  },
);

test.skipIf(elsewhere)(
  "SIGCONT and SIGSTOP at once are another stop too (skipped where there is no /proc)",
  async () => {
    const { name } = await start();
    let last = await stop(name);
    for (let times = 0; times < 100; times++) {
      process.kill(name.pid, "SIGCONT");
      process.kill(name.pid, "SIGSTOP");
      await expect.poll(() => stopOf(name), { interval: 1 }).toBeDefined();
      expect(stopOf(name)).not.toBe(last);
      last = stopOf(name) ?? "";
    }
  },
);

test.skipIf(elsewhere)(
  "another process of that pid, or of another boot, is not stopped; nor is one that ended (skipped where there is no /proc)",
  async () => {
    const { child, name } = await start();
    await stop(name);
    expect(stopOf({ ...name, started: "1" })).toBe(undefined);
    expect(stopOf({ ...name, machine: "another boot" })).toBe(undefined);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    expect(stopOf(name)).toBe(undefined);
    expect([isAlive(name), hasEnded(name)]).toEqual([false, true]);
  },
);
