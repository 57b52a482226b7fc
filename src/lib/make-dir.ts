// A folder and all that is missing above it.
//
// Node's own `recursive` never comes back where a parent exists and takes no children, as in /proc: it makes the
// parent, which is there, and tries again, for ever.

import { existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

export function makeDir(path: string, mode?: number): void {
  const folder = resolve(path);
  try {
    mkdirSync(folder, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || existsSync(dirname(folder))) throw error;
    makeDir(dirname(folder), mode);
    mkdirSync(folder, mode);
  }
}
