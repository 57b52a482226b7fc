// The version of this package, as its package.json says.

import { readFileSync } from "node:fs";

export const version: string = readVersion();

function readVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  const data = JSON.parse(readFileSync(file, "utf8")) as { version?: unknown };
  return typeof data.version === "string" ? data.version : "0.0.0";
}
