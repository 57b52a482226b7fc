// skein version: of this CLI and of the cluster, and whether they understand each other.

import type { Command } from "commander";
import { version as ownVersion } from "../../lib/version.ts";
import { protocolVersion } from "../../protocol/messages.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { clusterOptions, described, jsonOption } from "../options.ts";
import { fields } from "../render.ts";

export function defineVersion(version: Command, cli: Cli): void {
  described(version, "Versions of this CLI and of the cluster.", ["skein version --json"]);
  clusterOptions(jsonOption(version)).action((options: ClusterOptions) =>
    showVersion(cli, options),
  );
}

export async function showVersion(cli: Cli, options: ClusterOptions): Promise<void> {
  const client = { version: ownVersion, protocol: protocolVersion, node: process.version };
  const asked = await askServer(cli, options);
  if ("why" in asked) {
    if (options.json) return cli.json({ client, server: null, why: asked.why });
    const texts = [
      ["skein", `${client.version} (node ${client.node}, protocol ${client.protocol})`],
      ["cluster", `not reached: ${asked.why}`],
    ] as const;
    return void cli.print(fields(texts, cli.out));
  }
  const { server } = asked;
  const same = server.version === client.version;
  if (options.json) return cli.json({ client, server, same });
  const texts = [
    ["skein", `${client.version} (node ${client.node}, protocol ${client.protocol})`],
    ["cluster", `${server.version} (node ${server.node}, protocol ${server.protocol})`],
    ["", same ? undefined : cli.out.yellow("They differ: upgrade the older one.")],
  ] as const;
  cli.print(fields(texts, cli.out));
}

async function askServer(cli: Cli, options: ClusterOptions) {
  try {
    const client = await cli.client(options);
    return { server: await client.version({ signal: cli.io.signal, retryMs: 2_000 }) };
  } catch (error) {
    if (error instanceof SkeinError) return { why: error.message };
    throw error;
  }
}
