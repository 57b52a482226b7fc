// A master's data directory: <data>/token for whoever may knock (D1), <data>/master for everything else.

import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDir } from "../lib/make-dir.ts";
import { SkeinError } from "../protocol/errors.ts";

export interface DataDir {
  readonly root: string;
  readonly master: string;
  readonly token: string;
  /** Says where this master listens, for the CLI on this machine. */
  publish(url: string): void;
  release(): void;
}

/** Makes what is missing, reads the token and takes the directory for this process. */
export function openDataDir(root: string): DataDir {
  const master = join(root, "master");
  makeDir(master, 0o700);
  const lock = join(master, "lock");
  takeLock(lock, root);
  const token = readToken(join(root, "token"));
  const address = join(master, "address");
  return {
    root,
    master,
    token,
    publish: (url) => writeFileSync(address, `${url}\n`),
    release() {
      rmSync(address, { force: true });
      rmSync(lock, { force: true });
    },
  };
}

function readToken(file: string): string {
  try {
    writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
  }
  const token = readFileSync(file, "utf8").trim();
  if (token.length >= 32) return token;
  throw new SkeinError("invalid", `The token in ${file} has fewer than 32 characters.`, {
    hint: "Delete the file; a new token is made at the next start.",
  });
}

/** The lock names a process: pid and start time, so that a reused pid does not count. */
function takeLock(file: string, root: string): void {
  const own = `${process.pid} ${startTime(process.pid) ?? ""}\n`;
  for (let tries = 0; tries < 3; tries++) {
    try {
      writeFileSync(file, own, { flag: "wx" });
      return;
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
    }
    const [pid, since] = readLock(file);
    if (
      pid > 0 &&
      pid !== process.pid &&
      isAlive(pid) &&
      (since === "" || since === startTime(pid))
    ) {
      throw new SkeinError("conflict", `A master with process id ${pid} works in ${root}.`, {
        hint: "Stop it first, or give this one another --data directory.",
      });
    }
    rmSync(file, { force: true });
  }
  throw new SkeinError("conflict", `Another master is just starting in ${root}.`);
}

function readLock(file: string): [pid: number, since: string] {
  try {
    const [pid = "", since = ""] = readFileSync(file, "utf8").trim().split(" ");
    return [Number(pid) || 0, since];
  } catch {
    return [0, ""]; // gone meanwhile
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, "EPERM");
  }
}

/** When a process began, in clock ticks since boot; undefined where /proc is not, and for one that has ended. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", ...more] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Nobody may ever fetch the end of a process whose parent is careless, as in many containers.
    return state === "Z" || state === "X" ? undefined : more[18];
  } catch {
    return undefined;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
