// What only the leader knows well, asked of it; of any master while nobody leads.

import type { CallOptions } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";
import type { Cli } from "./cli.ts";

/** Longer than an election of masters that are well. */
const leaderMs = 3_000;

export async function fromLeader<T>(
  cli: Cli,
  ask: (options: CallOptions) => Promise<T>,
): Promise<T> {
  const { signal } = cli.io;
  try {
    return await ask({ signal, strong: true, retryMs: leaderMs });
  } catch (error) {
    const nobodyLeads = error instanceof SkeinError && nobody.has(error.code);
    if (!nobodyLeads) throw error;
    return ask({ signal });
  }
}

const nobody: ReadonlySet<string> = new Set(["not_leading", "stalled"]);
