/**
 * The peers' own packages: installed on demand, because the main `npm ci` must stay small, and
 * loaded by name, because the type-check must pass where they are not installed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = import.meta.dirname;

/** Throws, with what npm said, when they can not be installed. */
export function ensurePeersInstalled(log: (line: string) => void): void {
  if (arePeersInstalled()) return;
  log("bench/peers: installing the peers (npm ci --prefix bench/peers)");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  // No install script is needed: msgpackr falls back to JavaScript or to its prebuilt package.
  const result = spawnSync(npm, ["ci", "--ignore-scripts", "--prefix", FOLDER], {
    cwd: FOLDER,
    encoding: "utf8",
  });
  if (result.status === 0) return;
  throw new Error(`npm ci --prefix bench/peers failed:\n${result.stderr || result.error?.message}`);
}

/** Complete, and the pinned versions: npm writes the hidden lock last. */
function arePeersInstalled(): boolean {
  if (!existsSync(join(FOLDER, "node_modules", ".package-lock.json"))) return false;
  const pinned = readManifest(FOLDER)["dependencies"];
  if (typeof pinned !== "object" || pinned === null) throw new Error("bench/peers pins no peers");
  return Object.entries(pinned).every(([name, version]) => peerVersion(name) === version);
}

export function peerVersion(name: string): string {
  const folder = join(FOLDER, "node_modules", name);
  return existsSync(folder) ? String(readManifest(folder)["version"]) : "none";
}

function readManifest(folder: string): Readonly<Record<string, unknown>> {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (typeof manifest !== "object" || manifest === null) throw new Error(`${folder}: no manifest`);
  return { ...manifest };
}

/** `Shape` describes the few members we call; that they exist is checked, their types are not. */
export async function loadPeer<Shape extends object>(
  name: string,
  members: readonly (keyof Shape & string)[],
): Promise<Shape> {
  const loaded: unknown = await import(name);
  const missing = members.filter((member) => !hasMember(loaded, member));
  if (missing.length > 0) throw new Error(`${name} does not export ${missing.join(", ")}`);
  // The reason for the cast: an import by a computed name has no static type.
  return loaded as Shape;
}

function hasMember(value: unknown, member: string): boolean {
  return typeof value === "object" && value !== null && member in value;
}
