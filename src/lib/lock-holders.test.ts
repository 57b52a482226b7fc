import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockHolders } from "./lock-holders.ts";

const writeLockByte = 120;
const elsewhere = process.platform !== "linux";

let dir: string;
let file: string;
let db: DatabaseSyncInstance;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "skein-"));
  file = join(dir, "a.db");
  db = new DatabaseSync(file);
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
});
afterEach(() => {
  db.close();
  rmSync(dir, { recursive: true });
});

const holders = () => lockHolders(`${file}-shm`, writeLockByte);

test.skipIf(elsewhere)(
  "whoever writes to a database of SQLite is told by pid, and nobody when nobody does (skipped where there is no /proc)",
  async () => {
    expect(holders()).toEqual([]);
    db.exec("BEGIN IMMEDIATE");
    expect(holders()).toEqual([process.pid]);
    db.exec("COMMIT");
    expect(holders()).toEqual([]);
    const other = spawn(process.execPath, ["-e", writesTo(file)], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(other.stdout, "data");
    expect(holders()).toEqual([other.pid]);
    const exit = once(other, "exit");
    other.kill("SIGKILL");
    await exit;
    expect(holders()).toEqual([]);
  },
);

test("a file that this process has no lock on is not told of", () => {
  db.close();
  expect(lockHolders(file, writeLockByte)).toBe(undefined);
  expect(lockHolders(join(dir, "none"), writeLockByte)).toBe(undefined);
  db = new DatabaseSync(file);
});

/** A program that begins to write, says so, and stays. */
function writesTo(path: string): string {
  return `
    const { DatabaseSync } = require("@photostructure/sqlite");
    const db = new DatabaseSync(${JSON.stringify(path)});
    db.exec("BEGIN IMMEDIATE");
    console.log("writes");
    setInterval(() => db.isOpen, 1000);`;
}
