// Where a program that tests need comes from: PATH, else the cache folder of this repository, else a package of
// Debian, unpacked there. No service is installed and nothing outside the cache is touched (but for the package
// lists, if root has none).
//
// Several test files may look at once: each unpacks into a folder of its own, and the last rename wins.

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Tool {
  /** The program, which says its version when asked with --version. */
  readonly name: string;
  /** The package of Debian that has it in /usr/bin. */
  readonly debian: string;
}

/** To be printed by whoever skips: what to do to have these tests run. */
export function howToGet({ name, debian }: Tool): string {
  return `put \`${name}\` on PATH, or on Debian let the tests fetch the package ${debian} with apt-get download`;
}

/**
 * The path of a program that runs, or undefined. With CI=true a missing one is an error: a run that
 * leaves these tests out must not look like one that passed them.
 */
export function findTool(tool: Tool): string | undefined {
  const folder = fileURLToPath(new URL(`../../.cache/${tool.name}`, import.meta.url));
  const cached = join(folder, tool.name);
  const found = onPath(tool) ?? (runs(cached) ? cached : undefined) ?? fetched(tool, folder);
  if (found === undefined && process.env["CI"] === "true") {
    throw new Error(`no ${tool.name} to test with: ${howToGet(tool)}`);
  }
  return found;
}

function onPath({ name }: Tool): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(runs);
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    return false;
  }
  return spawnSync(file, ["--version"], { stdio: "ignore" }).status === 0;
}

function fetched({ name, debian }: Tool, cache: string): string | undefined {
  if (process.platform !== "linux" || !existsSync("/usr/bin/apt-get")) return undefined;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "fetch-"));
  const run = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args, { cwd: folder, stdio: "ignore", timeout: 120_000 }).status === 0;
  try {
    const isRoot = process.getuid?.() === 0;
    const downloaded =
      run("apt-get", "download", debian) ||
      (isRoot && run("apt-get", "update") && run("apt-get", "download", debian));
    const archive = readdirSync(folder).find((file) => file.endsWith(".deb"));
    if (!downloaded || archive === undefined || !run("dpkg", "-x", archive, "unpacked")) {
      return undefined;
    }
    const binary = join(folder, "unpacked", "usr", "bin", name);
    if (!runs(binary)) return undefined;
    const target = join(cache, name);
    renameSync(binary, target);
    return target;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
