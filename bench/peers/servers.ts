/**
 * The two servers that the peers need, as private instances with durable settings.
 *
 * Owns their settings. How a server is started and ended safely: launch.ts.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Account } from "./cleanup.ts";
import { findAccount, findBinaries, launch, serverEnvironment } from "./launch.ts";
import type { PrivateServer } from "./launch.ts";

export type RedisFsync = "everysec" | "always";

export type Started =
  | { readonly kind: "started"; readonly server: PrivateServer }
  | { readonly kind: "missing"; readonly reason: string };

/** Redis that appends every write to a file and keeps no other copy. */
export async function startRedis(fsync: RedisFsync): Promise<Started> {
  const binaries = findBinaries(["redis-server"]);
  if (binaries === undefined) return missing("redis-server is not here (Debian: redis-server)");
  const password = randomBytes(16).toString("hex");
  const server = await launch({
    label: "redis",
    ready: "Ready to accept connections",
    user: "default",
    password,
    stop: "SIGTERM",
    kill: "SIGKILL",
    prepare: (directory, port) => {
      const settings = [
        `bind 127.0.0.1`,
        `port ${port}`,
        `requirepass ${password}`,
        `dir ${directory}`,
        `save ""`,
        `appendonly yes`,
        `appendfsync ${fsync}`,
        // A rewrite of the log in the middle of a round would be noise, against the peer.
        `auto-aof-rewrite-percentage 0`,
      ];
      writeFileSync(join(directory, "redis.conf"), settings.join("\n"), { mode: 0o600 });
      return [join(binaries, "redis-server"), join(directory, "redis.conf")];
    },
  });
  return { kind: "started", server };
}

/** PostgreSQL with its own defaults, and the two settings that make a commit durable stated. */
export async function startPostgres(): Promise<Started> {
  const binaries = findBinaries(["postgres", "initdb"]);
  if (binaries === undefined) return missing("PostgreSQL is not here (Debian: postgresql)");
  const account = findAccount();
  if (account === "none") return missing("PostgreSQL refuses root; no user postgres or nobody");
  const password = randomBytes(16).toString("hex");
  const server = await launch({
    label: "postgres",
    ready: "database system is ready to accept connections",
    user: "postgres",
    password,
    ...(account === "self" ? {} : { account }),
    stop: "SIGINT",
    kill: "SIGQUIT",
    prepare: (directory, port) => {
      const data = join(directory, "data");
      initializeDatabase({ binaries, directory, data, password, account });
      const settings = {
        listen_addresses: "127.0.0.1",
        port: `${port}`,
        unix_socket_directories: "",
        fsync: "on",
        synchronous_commit: "on",
      };
      const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
      return [join(binaries, "postgres"), "-D", data, ...flags];
    },
  });
  return { kind: "started", server };
}

/** The servers write to the temporary directory; a sync to memory costs nothing and keeps nothing. */
export function describeStorage(): string {
  const TMPFS = 0x01021994;
  return statfsSync(tmpdir()).type === TMPFS ? `; but ${tmpdir()} is in memory (set TMPDIR)` : "";
}

function missing(reason: string): Started {
  return { kind: "missing", reason };
}

interface Initialization {
  readonly binaries: string;
  readonly directory: string;
  readonly data: string;
  readonly password: string;
  readonly account: Account | "self";
}

function initializeDatabase(options: Initialization): void {
  const { binaries, directory, data, password, account } = options;
  const passwordFile = join(directory, "password");
  writeFileSync(passwordFile, password, { mode: 0o600 });
  mkdirSync(data, { mode: 0o700 });
  const owner = account === "self" ? {} : account;
  if (account !== "self") {
    for (const path of [passwordFile, data]) chownSync(path, account.uid, account.gid);
  }
  const flags = ["-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", passwordFile];
  const more = ["-E", "UTF8", "--locale=C", "--no-sync"];
  const run = { cwd: directory, env: serverEnvironment(), encoding: "utf8", ...owner } as const;
  const result = spawnSync(join(binaries, "initdb"), [...flags, ...more], run);
  if (result.status !== 0)
    throw new Error(`initdb failed: ${result.stderr || result.error?.message}`);
}
