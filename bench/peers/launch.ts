/**
 * Starts a private server on a free loopback port in a temporary directory, and ends it.
 * Never touches a server that was there before.
 *
 * S1. A random password proves that whoever answers on the port is our instance.
 * S2. "Ready" is what the server's own log says; a server that ends before that is an error with
 *     the tail of its log.
 * S3. Disposal ends the process, waits for it, and removes the directory.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { accessSync, constants, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import {
  keepChild,
  makeTemporaryDirectory,
  removeTemporaryDirectory,
  stopChild,
} from "./cleanup.ts";
import type { Account } from "./cleanup.ts";

export interface PrivateServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly pid: number;
}

export interface Launch {
  readonly label: string;
  /** The words in its log that say it takes connections. */
  readonly ready: string;
  readonly user: string;
  readonly password: string;
  /** Who runs it and owns its directory; ourselves when absent. */
  readonly account?: Account;
  readonly stop: NodeJS.Signals;
  /** For the end without time to wait. */
  readonly kill: NodeJS.Signals;
  /** Fills the directory; returns the command. */
  readonly prepare: (directory: string, port: number) => readonly string[];
}

export async function launch(options: Launch): Promise<PrivateServer> {
  const { label, account, user, password } = options;
  const directory = makeTemporaryDirectory(label, account);
  const port = await findFreePort();
  const [command, ...flags] = withDeathSignal(options.prepare(directory, port), options.kill);
  if (command === undefined) throw new Error(`${label}: no command`);
  const child = spawn(command, flags, {
    cwd: directory,
    env: serverEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    ...account,
  });
  keepChild(child, options.kill);
  const dispose = async (): Promise<void> => {
    await stopChild(child, options.stop);
    removeTemporaryDirectory(directory);
  };
  try {
    await waitForLog(child, label, options.ready);
  } catch (error) {
    await dispose();
    throw error;
  }
  const pid = child.pid ?? 0;
  return { host: "127.0.0.1", port, user, password, pid, [Symbol.asyncDispose]: dispose };
}

/** Keeps reading after the line was seen: a full pipe would stop the server. */
async function waitForLog(child: ChildProcess, label: string, line: string): Promise<void> {
  let log = "";
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${label} ${why}:\n${log}`));
    const timer = setTimeout(() => fail("was not ready within 30 s"), 30_000);
    const read = (chunk: Buffer): void => {
      log = (log + chunk.toString()).slice(-4_000);
      if (!log.includes(line)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("error", (error) => fail(`did not start (${error.message})`));
    child.once("exit", (code, signal) => fail(`ended at its start (${code ?? signal})`));
  });
}

/** Linux: the server also ends when we are killed without a chance to clean up. */
function withDeathSignal(command: readonly string[], signal: NodeJS.Signals): readonly string[] {
  const directory = process.platform === "linux" ? findBinaries(["setpriv"]) : undefined;
  if (directory === undefined) return command;
  return [join(directory, "setpriv"), "--pdeathsig", signal.slice(3), "--", ...command];
}

/** A variable such as PGPORT or LANG of the caller must not reach a private server. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };
}

async function findFreePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", resolve);
  });
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no free loopback port");
  return address.port;
}

/** The first directory that holds all of them, on PATH or where Debian puts PostgreSQL. */
export function findBinaries(names: readonly string[]): string | undefined {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((part) => part !== "");
  const directories = [...onPath, ...debianPostgresDirectories()];
  return directories.find((directory) =>
    names.every((name) => isExecutable(join(directory, name))),
  );
}

/** Newest version first. */
function debianPostgresDirectories(): readonly string[] {
  const root = "/usr/lib/postgresql";
  try {
    const versions = readdirSync(root).toSorted((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(root, version, "bin"));
  } catch {
    return []; // Not a Debian with PostgreSQL: nothing to add to PATH.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root: then it runs as `postgres` or, failing that, `nobody`. */
export function findAccount(): Account | "self" | "none" {
  if (process.getuid?.() !== 0) return "self";
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return "none";
}
