// Whether unit tests notice a generated mutant that the simulator did not: it cares for what may happen, they for when.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutants.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs these tests with the mutant in the source; true when one fails, or does not end. */
export function noticedByUnits(mutant: Mutant, tests: readonly string[]): Promise<boolean> {
  const [patch] = mutant.patches;
  const args = ["vitest", "run", "--project", "unit", "--bail", "1", ...tests];
  const env = { ...process.env, SKEIN_MUTANT: JSON.stringify(patch) };
  const child = spawn("npx", args, { cwd: root, env, stdio: "ignore", detached: true });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => process.kill(-(child.pid ?? 0), "SIGKILL"), limitMs);
    child.once("error", reject);
    child.once("exit", (code) => {
      clearTimeout(timer);
      resolve(code !== 0);
    });
  });
}

const limitMs = 180_000;
