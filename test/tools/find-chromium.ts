// Where the Chromium for tests comes from: PATH, else with CI=true Debian's package `chromium`. It is installed, not
// unpacked beside the tests as etcd is: it needs some fifty libraries of the same release.

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** To be printed by whoever skips: what to do to have these tests run. */
export const howToGetChromium = "put `chromium` on PATH; on Debian: apt-get install chromium";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const isCi = process.env["CI"] === "true";

/**
 * The path of a Chromium, or undefined. With CI=true a missing one is an error: a run that leaves these tests out
 * must not look like one that passed them.
 */
export function findChromium(): string | undefined {
  const found = onPath() ?? (isCi && installed() ? onPath() : undefined);
  if (found === undefined && isCi) throw new Error(`no Chromium to test with: ${howToGetChromium}`);
  return found;
}

function onPath(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(mayRun);
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function installed(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: string[]): boolean =>
    spawnSync("apt-get", args, { stdio: "ignore", timeout: 200_000, env }).status === 0;
  const install = ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"];
  return apt(...install) || (apt("update") && apt(...install));
}
