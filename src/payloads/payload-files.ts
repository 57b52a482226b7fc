// Where payloads lie on the disk, and the few steps that must survive a crash.
//
//   <dir>/ab/abcdef….<size>     a payload: its SHA-256 and its size are its name
//   <dir>/incoming/…            being written; whatever is here at open was left by a crash
//   <dir>/damaged/…             set aside because its bytes are not what its name says
//
// F1  A name is made of a hash that matched `hashPattern` and of numbers: never of a user's text.
// F2  A file gets its final name only after its bytes are fsynced.

import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../lib/log.ts";
import { SkeinError } from "../protocol/errors.ts";
import { hashPattern, type PayloadHash } from "../protocol/ids.ts";

export interface Places {
  readonly dir: string;
  readonly incoming: string;
  readonly damaged: string;
}

const namePattern = /^([0-9a-f]{64})\.(\d{1,15})$/;

/** Makes the folders, durably, so that no put has to. */
export async function makePlaces(dir: string): Promise<Places> {
  const places = { dir, incoming: join(dir, "incoming"), damaged: join(dir, "damaged") };
  mkdirSync(dir, { recursive: true });
  const there = new Set(readdirSync(dir));
  const names = Array.from({ length: 256 }, (_, i) => folderName(i));
  const missing = ["incoming", "damaged", ...names].filter((name) => !there.has(name));
  for (const name of missing) mkdirSync(join(dir, name));
  if (missing.length > 0) await syncFolder(dir);
  return places;
}

/** Hash → size of all that is there. Files that cannot be right are set aside, and said so. */
export async function scanPlaces(places: Places, log: Log): Promise<Map<PayloadHash, number>> {
  for (const name of readdirSync(places.incoming)) {
    log.info("removed a payload that was not finished before the last stop", { name });
    rmSync(join(places.incoming, name), { force: true });
  }
  const sizes = new Map<PayloadHash, number>();
  for (let i = 0; i < 256; i++) {
    const folder = join(places.dir, folderName(i));
    for (const name of readdirSync(folder)) {
      const [, hash, digits] = namePattern.exec(name) ?? [];
      const { size } = statSync(join(folder, name));
      if (hash?.startsWith(folderName(i)) && digits === String(size)) sizes.set(hash, size);
      else await setAside(places, join(folder, name), `it has ${size} bytes`, log);
    }
    // A hundred thousand files take a third of a second: the loop lives on meanwhile.
    if (i % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
  }
  return sizes;
}

export function payloadFile(places: Places, hash: PayloadHash, size: number): string {
  if (!hashPattern.test(hash)) throw new TypeError("not the hash of a payload");
  return join(places.dir, hash.slice(0, 2), `${hash}.${size}`);
}

/** Gives a finished file its name, durably (F2). */
export async function publish(draft: string, file: string, folder: string): Promise<void> {
  await rename(draft, file);
  await syncFolder(folder);
}

export async function setAside(places: Places, file: string, why: string, log: Log): Promise<void> {
  const name = `${file.slice(file.lastIndexOf("/") + 1)}.${process.pid}.${Date.now()}`;
  await rename(file, join(places.damaged, name));
  log.error("a stored payload is damaged; it is set aside and counts as missing", {
    file,
    why,
    moved: join(places.damaged, name),
  });
}

export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const noSpace = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What the disk said, in our words. */
export function diskError(cause: unknown, what: string): SkeinError {
  if (cause instanceof SkeinError) return cause;
  const code = codeOf(cause);
  if (code !== undefined && noSpace.has(code)) {
    return new SkeinError("journal_full", `${what}: the disk is full`, {
      cause,
      hint: "Free space on the master's disk, then send it again.",
      retryAfter: 5,
    });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SkeinError("internal", `${what}: ${why}`, {
    cause,
    hint: "Look at the master's disk and its log.",
  });
}

export function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
}

function folderName(i: number): string {
  return i.toString(16).padStart(2, "0");
}
