// One process per folder, by the word of the kernel.
//
// The lock is SQLite's on an empty database beside `file`: the kernel lets it go when the process dies, however
// it dies, and it holds between containers that share a folder. A file that names a process id could do neither:
// an id says nothing in another namespace, and two that found a stale one each removed the other's. `file` itself
// only tells people who holds the lock.

import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { accessSync, constants, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";

export interface FileLock {
  readonly taken: true;
  /** More than once does no harm. */
  release(): void;
}

export interface LockHeld {
  readonly taken: false;
  /** Who has it, for people: "process 42 on laptop". */
  readonly by: string;
}

/** A database that nobody refers to is closed by the garbage collector, and its lock with it. */
const held = new Set<DatabaseSyncInstance>();
const busy = 5;

export function takeFileLock(file: string): FileLock | LockHeld {
  const db = open(`${file}.db`);
  try {
    db.exec("BEGIN IMMEDIATE");
  } catch (error) {
    db.close();
    if (codeOf(error) !== busy) throw error;
    return { taken: false, by: holderIn(file) };
  }
  held.add(db);
  writeFileSync(file, `${process.pid} ${hostname()}\n`, { mode: 0o600 });
  return {
    taken: true,
    release() {
      if (!held.delete(db)) return;
      rmSync(file, { force: true });
      db.close();
    },
  };
}

function open(path: string): DatabaseSyncInstance {
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    // Node says better why a folder takes no file.
    accessSync(dirname(path), constants.W_OK);
    throw error;
  }
}

function holderIn(file: string): string {
  try {
    const [pid = "", host = ""] = readFileSync(file, "utf8").trim().split(" ");
    return host === "" ? "another process" : `process ${pid} on ${host}`;
  } catch {
    return "another process"; // which has not written it yet, or does not any more
  }
}

function codeOf(error: unknown): number | undefined {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code & 0xff : undefined;
}
