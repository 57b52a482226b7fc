// A master's data directory: <data>/token for whoever may knock (D1), <data>/master for everything else.

import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { takeFileLock } from "../lib/file-lock.ts";
import type { FileLock } from "../lib/file-lock.ts";
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
  const lock = takeFileLock(join(master, "lock"));
  if (!lock.taken) {
    throw new SkeinError("conflict", `A master works in ${root}: ${lock.by}.`, {
      hint: "Stop it first, or give this one another --data directory.",
    });
  }
  try {
    const token = readToken(join(root, "token"));
    return taken({ root, master, token }, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function taken(dir: Pick<DataDir, "root" | "master" | "token">, lock: FileLock): DataDir {
  const address = join(dir.master, "address");
  let released = false;
  return {
    ...dir,
    publish: (url) => writeFileSync(address, `${url}\n`),
    release() {
      if (released) return;
      released = true;
      rmSync(address, { force: true });
      lock.release();
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

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
