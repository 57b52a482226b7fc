// Where the etcd for tests comes from: PATH, else the cache folder of this repository, else Debian's
// package `etcd-server`, unpacked there. No service is installed and nothing outside the cache is touched
// (but for the package lists, if root has none).
//
// Several test files may look at once: each unpacks into a folder of its own, and the last rename wins.

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../../.cache/etcd", import.meta.url));

/** To be printed by whoever skips: what to do to have these tests run. */
export const howToGetEtcd =
  "put `etcd` on PATH, or on Debian let the tests fetch the package etcd-server with apt-get download";

/**
 * The path of an etcd that runs, or undefined. With CI=true a missing one is an error: a run that
 * leaves these tests out must not look like one that passed them.
 */
export function findEtcd(): string | undefined {
  const cached = join(cache, "etcd");
  const found = onPath() ?? (runs(cached) ? cached : undefined) ?? fetched(cached);
  if (found === undefined && process.env["CI"] === "true") {
    throw new Error(`no etcd to test with: ${howToGetEtcd}`);
  }
  return found;
}

function onPath(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, "etcd")).find(runs);
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    return false;
  }
  return spawnSync(file, ["--version"], { stdio: "ignore" }).status === 0;
}

function fetched(target: string): string | undefined {
  if (process.platform !== "linux" || !existsSync("/usr/bin/apt-get")) return undefined;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "fetch-"));
  const run = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args, { cwd: folder, stdio: "ignore", timeout: 120_000 }).status === 0;
  try {
    const isRoot = process.getuid?.() === 0;
    const downloaded =
      run("apt-get", "download", "etcd-server") ||
      (isRoot && run("apt-get", "update") && run("apt-get", "download", "etcd-server"));
    const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
    if (!downloaded || archive === undefined || !run("dpkg", "-x", archive, "unpacked")) {
      return undefined;
    }
    const binary = join(folder, "unpacked", "usr", "bin", "etcd");
    if (!runs(binary)) return undefined;
    renameSync(binary, target);
    return target;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
