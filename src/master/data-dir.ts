// A master's data directory. What all masters of it share lies at its root, what is one's own in a folder of its id:
//
//     <data>/token                  what opens the door (D1)
//     <data>/journal.db             the journal, unless --journal names another
//     <data>/masters/<id>/          lock, address, archive.db, payloads, history, snapshots

import { randomBytes } from "node:crypto";
import { renameSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { takeFileLock } from "../lib/file-lock.ts";
import type { FileLock } from "../lib/file-lock.ts";
import { makeDir } from "../lib/make-dir.ts";
import { addressFile, leftAddresses, mastersDir } from "../lib/master-addresses.ts";
import { SkeinError } from "../protocol/errors.ts";

export interface DataDirOptions {
  readonly root: string;
  readonly id: string;
  /** Else that of the directory, which is made if there is none. */
  readonly token?: string | undefined;
}

export interface DataDir {
  readonly root: string;
  /** The folder of this master. */
  readonly own: string;
  /** The journal of all masters of this directory. */
  readonly journal: string;
  readonly token: string;
  /** The directory's own token is another: who reads it is refused by this master. */
  readonly tokenDiffers: boolean;
  /** Addresses that other masters have left here: they may have ended. */
  others(): readonly string[];
  /** Says where this master listens, for whoever can read this directory. */
  publish(url: string): void;
  release(): void;
}

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const tokenCharsMin = 32;

/** Makes what is missing, finds the token and takes the folder of this id for this process. */
export function openDataDir({ root, id, token }: DataDirOptions): DataDir {
  if (!idPattern.test(id)) {
    throw new SkeinError("usage", `"${id}" is no id of a master.`, {
      hint: "Use up to 64 letters, digits, dots, _ and -, beginning with a letter or digit.",
    });
  }
  const own = join(mastersDir(root), id);
  makeDir(own, 0o700);
  const lock = takeFileLock(join(own, "lock"));
  if (!lock.taken) {
    throw new SkeinError("conflict", `A master works in ${root} as ${id}: ${lock.by}.`, {
      hint: "Stop it first, or give this one another --id or another --data directory.",
    });
  }
  try {
    return taken({ root, id, own, ...findToken(join(root, "token"), token) }, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function taken(
  { id, ...dir }: Pick<DataDir, "root" | "own" | "token" | "tokenDiffers"> & { id: string },
  lock: FileLock,
): DataDir {
  const { root } = dir;
  const address = addressFile(root, id);
  let released = false;
  return {
    ...dir,
    journal: join(root, "journal.db"),
    others: () =>
      leftAddresses(root)
        .filter((left) => left.id !== id)
        .map(({ url }) => url),
    publish(url) {
      // In one step: a reader finds all of it or none.
      writeFileSync(`${address}.new`, `${url}\n`);
      renameSync(`${address}.new`, address);
    },
    release() {
      if (released) return;
      released = true;
      rmSync(address, { force: true });
      lock.release();
    },
  };
}

/** The file is made with the token that was given too: whoever reads this directory is to be let in. */
function findToken(
  file: string,
  given: string | undefined,
): Pick<DataDir, "token" | "tokenDiffers"> {
  const fresh = given ?? randomBytes(32).toString("base64url");
  if (given !== undefined) checkToken(given, "SKEIN_TOKEN", "Set a longer one");
  try {
    writeFileSync(file, `${fresh}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
  }
  const written = readWritten(file);
  if (given !== undefined) return { token: given, tokenDiffers: written !== given };
  checkToken(written, file, "Delete the file; a new token is made at the next start");
  return { token: written, tokenDiffers: false };
}

/** Another master, started at the same time, may have made the file and not yet filled it. */
function readWritten(file: string): string {
  for (let tries = 0; ; tries++) {
    const text = readFileSync(file, "utf8");
    if (text.endsWith("\n") || tries > 100) return text.trim();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
}

function checkToken(token: string, where: string, todo: string): void {
  if (token.length >= tokenCharsMin) return;
  const message = `The token in ${where} has fewer than ${tokenCharsMin} characters.`;
  throw new SkeinError("invalid", message, { hint: `${todo}.` });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
