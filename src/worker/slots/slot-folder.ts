// A folder per slot in the worker's data directory: where its files are, and the record by which the next
// worker finds what this one left behind if it dies (W7).
//
//   <dataDir>/slots/<id>-<cookie>/group.json   {"group": pid, "start": …, "cookie": …}

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../lib/log.ts";
import { startTime } from "../../lib/proc.ts";
import { killGroup, killStrays } from "./process-tree.ts";

interface GroupRecord {
  readonly group: number;
  readonly start: string;
  readonly cookie: string;
}

const recordName = "group.json";
const folderPattern = /^\d+-[0-9a-f]{16}$/;

export function makeSlotFolder(dataDir: string, id: number, cookie: string): string {
  const folder = join(dataDir, "slots", `${id}-${cookie}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

export function recordGroup(folder: string, group: number, cookie: string): void {
  const record: GroupRecord = { group, start: startTime(group) ?? "", cookie };
  writeFileSync(join(folder, recordName), JSON.stringify(record));
}

export async function removeSlotFolder(folder: string, log: Log): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    log.warn("a slot's folder could not be removed; the next start of this worker tries again", {
      folder,
      error,
    });
  }
}

/** Kills what slots of a worker that died still run, and removes their folders. Says how many there were. */
export function killLeftovers(dataDir: string, log: Log): number {
  const parent = join(dataDir, "slots");
  let names: string[];
  try {
    names = readdirSync(parent).filter((name) => folderPattern.test(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
  let killed = 0;
  for (const name of names) {
    const folder = join(parent, name);
    if (killRecorded(folder)) {
      killed++;
      log.warn("killed processes that the last worker in this directory left", { folder });
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  return killed;
}

function killRecorded(folder: string): boolean {
  const record = readRecord(folder);
  if (!record) return false;
  // The pid alone may by now be another process of another program.
  const same = record.start !== "" && startTime(record.group) === record.start;
  const killed = same && killGroup(record.group);
  return killStrays(record.cookie) > 0 || killed;
}

function readRecord(folder: string): GroupRecord | undefined {
  try {
    const { group, start, cookie } = JSON.parse(
      readFileSync(join(folder, recordName), "utf8"),
    ) as Partial<GroupRecord>;
    if (typeof group !== "number" || typeof start !== "string") return undefined;
    return typeof cookie === "string" && cookie.length >= 16 ? { group, start, cookie } : undefined;
  } catch {
    // Missing or half written: the worker died between starting the process and noting it, and the
    // process has died of its watchdog.
    return undefined;
  }
}
