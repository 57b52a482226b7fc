import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import type { ProcessId } from "../core/entry.ts";
import { createState } from "../core/state.ts";
import type { State } from "../core/state.ts";
import { hasEnded, isStopped, nameOf } from "../lib/own-process.ts";
import { silentLog } from "../lib/log.ts";
import { killStoppedWriters } from "./stopped-writer.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that stands for a master; undefined where the system does not tell start times. */
async function start(): Promise<{ child: ChildProcess; name: ProcessId } | undefined> {
  const child = spawn("sleep", ["60"]);
  children.push(child);
  await once(child, "spawn");
  const name = nameOf(child.pid ?? 0);
  return name && { child, name };
}

function stateWith(masters: Readonly<Record<string, ProcessId>>): State {
  const state = createState("j");
  for (const [id, process] of Object.entries(masters)) {
    const about = { incarnation: "1", addresses: [], levels: [1, 1] as const };
    state.masters.set(id, { id, ...about, process });
  }
  return state;
}

async function stop(name: ProcessId): Promise<void> {
  process.kill(name.pid, "SIGSTOP");
  await expect.poll(() => isStopped(name)).toBe(true);
}

const elsewhere = process.platform !== "linux";

test.skipIf(elsewhere)(
  "a master that is stopped and named in the journal is killed (skipped where there is no /proc)",
  async () => {
    const found = await start();
    if (!found) throw new Error("/proc does not tell");
    const { child, name } = found;
    await stop(name);
    const exit = once(child, "exit");
    killStoppedWriters(stateWith({ m1: name }), "m2", silentLog);
    expect(await exit).toEqual([null, "SIGKILL"]);
    await expect.poll(() => hasEnded(name)).toBe(true);
  },
);

test.skipIf(elsewhere)(
  "one that runs, another process of that pid, and oneself are left alone (skipped where there is no /proc)",
  async () => {
    const [running, stopped, own] = [await start(), await start(), await start()];
    if (!running || !stopped || !own) throw new Error("/proc does not tell");
    await stop(stopped.name);
    await stop(own.name);
    const another = { ...stopped.name, started: "1" };
    const abroad = { ...stopped.name, machine: "another boot" };
    const state = stateWith({ m1: running.name, m2: another, m3: abroad, m4: own.name });
    killStoppedWriters(state, "m4", silentLog);
    for (const { child, name } of [running, stopped, own]) {
      expect(child.signalCode).toBe(null);
      expect(nameOf(name.pid)).toEqual(name);
    }
  },
);
