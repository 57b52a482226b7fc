// Where the cluster is and what opens its door (D1): from options, the environment, or the data directory.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { SkeinError } from "../protocol/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** `$SKEIN_DATA`, else `$XDG_STATE_HOME/skein`, else `~/.local/state/skein`. */
export function defaultDataDir(env: Environment = process.env): string {
  if (env["SKEIN_DATA"]) return env["SKEIN_DATA"];
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "skein");
}

/** Addresses of masters from a list with commas. */
export function parseMasters(urls: string): string[] {
  return urls
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
}

export interface TokenOptions {
  readonly token?: string | undefined;
  readonly dataDir?: string | undefined;
}

/**
 * The token: given, else `$SKEIN_TOKEN`, else from the file `token` of the data directory.
 *
 * @throws SkeinError `unauthorized` naming the places that were looked at
 */
export async function findToken(
  { token, dataDir }: TokenOptions = {},
  env: Environment = process.env,
): Promise<string> {
  const given = token ?? env["SKEIN_TOKEN"];
  if (given) return given.trim();
  const file = join(dataDir ?? defaultDataDir(env), "token");
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new SkeinError(
      "unauthorized",
      `No token: SKEIN_TOKEN is not set, ${file} not readable.`,
      {
        cause,
      },
    );
  }
}
