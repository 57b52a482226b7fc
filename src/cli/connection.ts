// Which cluster, and with which token: flags, then the environment, then the data directory, where
// running masters leave their addresses and their token.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient, fetchTransport } from "../client/index.ts";
import type { Client, Transport } from "../client/index.ts";
import { leftAddresses, mastersDir } from "../lib/master-addresses.ts";
import { SkeinError } from "../protocol/errors.ts";
import { defaultDataDir, findToken, parseMasters } from "../sdk/locate.ts";
import type { Cli } from "./cli.ts";
import type { Io } from "./io.ts";
import { duration } from "./format.ts";

export interface ClusterOptions {
  readonly url?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly data?: string | undefined;
  readonly json?: boolean | undefined;
}

export interface Connection {
  readonly client: Client;
  readonly masters: readonly string[];
  close(): Promise<void>;
}

export interface Cluster {
  readonly masters: readonly string[];
  readonly token: string;
  /** What to do when nobody answers there. */
  readonly hint: string;
}

/** Without any answer yet, a refused connection is tried again this long. */
const firstContactMs = 1_000;
/** Trouble that lasts longer is told. */
const quietMs = 1_000;
const retryMs = 30_000;
const portDefault = 7420;
const startOne = "Start one with `skein up`, or name another with --url or SKEIN_URL.";

export async function openConnection(options: ClusterOptions, cli: Cli): Promise<Connection> {
  const cluster = await findCluster(options, cli.io.env);
  const client = createClient({
    masters: cluster.masters,
    token: cluster.token,
    retryMs,
    transport: watched(fetchTransport, cluster, cli),
  });
  return { client, masters: cluster.masters, close: async () => {} };
}

export async function findCluster(options: ClusterOptions, env: Io["env"]): Promise<Cluster> {
  const place = await findMasters(options, env);
  return { ...place, token: await tokenFor(options, env) };
}

async function findMasters(
  { url, data, tokenFile }: ClusterOptions,
  env: Io["env"],
): Promise<Omit<Cluster, "token">> {
  const dir = data ?? defaultDataDir(env);
  // The directory that was named goes first, if a master runs there: a worker elsewhere keeps its own in it.
  const left = leftAddresses(dir);
  const named = url ?? (data === undefined || left.length === 0 ? env["SKEIN_URL"] : undefined);
  if (named) return { masters: parseMasters(named), hint: startOne };
  if (left.length > 0) {
    const gone =
      left.length === 1
        ? `The master that left its address in ${dir} is gone: start it`
        : `The ${left.length} masters that left their addresses in ${dir} are gone: start them`;
    return { masters: left.map((one) => one.url), hint: `${gone} again with \`skein up\`.` };
  }
  if (tokenFile !== undefined || env["SKEIN_TOKEN"]) {
    return { masters: [`http://127.0.0.1:${portDefault}`], hint: startOne };
  }
  throw new SkeinError(
    "unreachable",
    `No cluster is known here: SKEIN_URL is not set, and there is no ${join(mastersDir(dir), "*", "address")}.`,
    { hint: startOne },
  );
}

async function tokenFor(options: ClusterOptions, env: Io["env"]): Promise<string> {
  const { tokenFile, data } = options;
  if (tokenFile !== undefined) {
    const text = await readFile(tokenFile, "utf8").catch((cause: unknown) => {
      throw new SkeinError("unauthorized", `The token file ${tokenFile} cannot be read.`, {
        cause,
        hint: "Name a file that holds the cluster's token.",
      });
    });
    return text.trim();
  }
  // A data directory that was named has the token of its own cluster, if its master runs there.
  const own =
    data !== undefined && leftAddresses(data).length > 0 ? await readOwn(data) : undefined;
  return own ?? findToken({ dataDir: data }, env);
}

async function readOwn(data: string): Promise<string | undefined> {
  const text = await readFile(join(data, "token"), "utf8").catch(() => undefined);
  return text?.trim();
}

/** Says what is wrong while a call tries again, and gives up early where nobody ever answered. */
function watched(transport: Transport, cluster: Cluster, cli: Cli): Transport {
  let answered = false;
  let troubleSince: number | undefined;
  let told = false;
  return async (request) => {
    try {
      const response = await transport(request);
      if (told) cli.say("The master answers again.");
      [answered, troubleSince, told] = [true, undefined, false];
      return response;
    } catch (cause) {
      if (request.signal?.aborted) throw cause;
      const why = networkReason(cause);
      troubleSince ??= performance.now();
      const spentMs = performance.now() - troubleSince;
      const { host } = new URL(request.url);
      if (!answered && spentMs >= firstContactMs) {
        const where = cluster.masters.length > 1 ? cluster.masters.join(", ") : host;
        const message = `Nobody answers at ${where}: ${why} (tried for ${duration(spentMs)}).`;
        throw new SkeinError("unreachable", message, { cause, hint: cluster.hint });
      }
      if (!told && spentMs >= quietMs) {
        told = true;
        cli.say(`${host} does not answer (${why}); trying again for ${retryMs / 1_000} s …`);
      }
      throw cause;
    }
  };
}

/** What went wrong, in words; the platform hides it in causes. */
export function networkReason(error: unknown): string {
  const words: Record<string, string> = {
    ECONNREFUSED: "connection refused",
    ECONNRESET: "the connection was cut",
    ENOTFOUND: "no such host",
    EAI_AGAIN: "the host name cannot be looked up now",
    EHOSTUNREACH: "no way to that host",
    ENETUNREACH: "no way to that network",
    ETIMEDOUT: "no answer in time",
  };
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = "code" in at && typeof at.code === "string" ? words[at.code] : undefined;
    if (code !== undefined) return code;
    if (at.cause === undefined) return at.message || at.name;
  }
  return String(error);
}
