// What would break P1 is refused before the first append (J6): the place of the file here, the
// settings of the connection in `sqlite-connection.ts`.

import { accessSync, constants, existsSync, fsyncSync, openSync, closeSync } from "node:fs";
import { mkdirSync, statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { sharedFileSystem } from "../lib/shared-file-systems.ts";
import { JournalHalt } from "./halt.ts";

/** The first SQLite without the WAL-reset race that can corrupt a database with two writers. */
const versionMin = [3, 51, 3] as const;

export function checkVersion(version: string): void {
  const parts = version.split(".").map(Number);
  const at = versionMin.findIndex((least, place) => (parts[place] ?? 0) !== least);
  if (at === -1 || (parts[at] ?? 0) > (versionMin[at] ?? 0)) return;
  throw new JournalHalt("preflight", {
    what: `SQLite ${version} is too old for a journal`,
    why: `versions before ${versionMin.join(".")} can corrupt a WAL that two connections write`,
    todo: "Install the version of @photostructure/sqlite that this package asks for",
  });
}

/** Creates the folder if it is missing; throws where a journal must not or cannot lie. */
export function checkPlace(path: string, fileSystemType?: number): void {
  const folder = dirname(resolve(path));
  makeFolder(folder);
  const shared = sharedFileSystem(fileSystemType ?? statfsSync(folder).type);
  if (shared !== undefined) {
    throw cannotLie(path, `${folder} is on a shared file system (${shared})`, {
      todo:
        "Put the journal on a local disk; for masters on several machines use an engine " +
        "made for that",
    });
  }
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw cannotLie(path, `the directory ${folder} is not writable`, { cause, todo: ownIt });
  }
  if (!existsSync(path)) return;
  if (!statSync(path).isFile()) {
    throw cannotLie(path, "it is not a regular file", { todo: "Name a file, not a directory" });
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw cannotLie(path, "the file is not readable and writable", { cause, todo: ownIt });
  }
}

const ownIt = "Run as a user who may write there, or choose another place";

export function cannotLie(
  path: string,
  why: string,
  { todo, cause }: { todo: string; cause?: unknown },
): JournalHalt {
  return new JournalHalt("preflight", { what: `no journal at ${path}`, why, todo, cause });
}

/**
 * A new folder is itself only durable once its parent is fsynced. Made one by one: `mkdir` with
 * `recursive` never returns under /proc (Node 20).
 */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  makeFolder(parent);
  try {
    mkdirSync(folder);
    syncFolder(parent);
  } catch (cause) {
    if (existsSync(folder)) return; // Another master made it at the same moment.
    throw cannotLie(folder, "the directory cannot be created", { cause, todo: ownIt });
  }
}

function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
