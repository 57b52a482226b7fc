// Where the masters of a data directory left their addresses: one file each, in a folder of its own.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface LeftAddress {
  /** Of the master. */
  readonly id: string;
  readonly url: string;
}

export function mastersDir(dataDir: string): string {
  return join(dataDir, "masters");
}

export function addressFile(dataDir: string, id: string): string {
  return join(mastersDir(dataDir), id, "address");
}

/** Of those that run, and of those that were killed before they could take theirs away; by id. */
export function leftAddresses(dataDir: string): LeftAddress[] {
  return foldersIn(mastersDir(dataDir))
    .toSorted()
    .flatMap((id) => {
      const url = textOf(addressFile(dataDir, id)).trim();
      return url === "" ? [] : [{ id, url }];
    });
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // no master has worked here
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // it does not run
  }
}
