// What the checks of this machine are told: measured here, in a second or two, without leaving anything behind.

import { lookup } from "node:dns/promises";
import { constants as fsConstants } from "node:fs";
import { access, open, readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { availableParallelism, hostname, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { networkReason } from "../connection.ts";
import type { Capacity, Lookup, Place, TokenFile } from "./local-checks.ts";

const syncs = 9;
const syncBytes = 4_096;
const lookupMs = 2_000;
const dialMs = 1_000;

/** The directory, or the nearest one above it that is there. */
export async function placeOf(dir: string): Promise<Place & { readonly there: string }> {
  const exists = await isThere(dir);
  let there = dir;
  while (!(await isThere(there)) && dirname(there) !== there) there = dirname(there);
  const { type, bavail, blocks, bsize } = await statfs(there);
  const writable = await access(there, fsConstants.W_OK | fsConstants.X_OK).then(
    () => true,
    () => false,
  );
  const size = { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  return { dir, there, exists, writable, fileSystem: type, ...size };
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The median of a few fsyncs of a small file, in ms. */
export async function syncTime(dir: string): Promise<number | undefined> {
  const path = join(dir, `.skein-doctor-${process.pid}`);
  try {
    await using file = await open(path, "wx", 0o600);
    const times: number[] = [];
    for (let n = 0; n < syncs; n++) {
      await file.write(new Uint8Array(syncBytes));
      const begin = performance.now();
      await file.datasync();
      times.push(performance.now() - begin);
    }
    return times.toSorted((a, b) => a - b)[syncs >> 1];
  } catch {
    return undefined; // whether it can be written is another check's matter
  } finally {
    await rm(path, { force: true }).catch(() => {});
  }
}

export async function tokenFile(
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<TokenFile> {
  const path = join(dir, "token");
  const mode = await stat(path).then(
    (found) => found.mode,
    () => undefined,
  );
  return { path, mode, inEnvironment: Boolean(env["SKEIN_TOKEN"]) };
}

/** Linux only. */
export async function openFilesLimit(): Promise<number | undefined> {
  const text = await textOf("/proc/self/limits");
  const soft = /^Max open files\s+(\S+)/m.exec(text)?.[1];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Infinity : Number(soft);
}

export async function capacity(): Promise<Capacity> {
  const own = /^0::(\/.*)$/m.exec(await textOf("/proc/self/cgroup"))?.[1];
  const limits = own === undefined ? [] : await Promise.all(groupsAbove(own).map(limitsOf));
  const least = (values: readonly (number | undefined)[]) => {
    const known = values.filter((value) => value !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  };
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    cgroupCpus: least(limits.map(({ cpus }) => cpus)),
    cgroupMemoryBytes: least(limits.map(({ memory }) => memory)),
  };
}

/** A group and those above it: the least limit of all holds. In a container its own is the root. */
function groupsAbove(group: string): string[] {
  const parts = group.split("/").filter((part) => part !== "");
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join("/")}`).concat("");
}

async function limitsOf(group: string) {
  const dir = `/sys/fs/cgroup${group}`;
  const [memory, cpu] = await Promise.all([textOf(`${dir}/memory.max`), textOf(`${dir}/cpu.max`)]);
  return { memory: parseMemoryMax(memory), cpus: parseCpuMax(cpu) };
}

/** "max" or bytes. */
export function parseMemoryMax(text: string): number | undefined {
  return /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/** "max 100000" or "50000 100000": of so many microseconds, so many. */
export function parseCpuMax(text: string): number | undefined {
  const [quota = "", period = ""] = text.trim().split(" ");
  return /^\d+$/.test(quota) && Number(period) > 0 ? Number(quota) / Number(period) : undefined;
}

async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}

export async function lookups(hosts: readonly string[]): Promise<Lookup[]> {
  const names = [...new Set(["localhost", hostname(), ...hosts])];
  return Promise.all(
    names.map(async (name) => {
      const late = AbortSignal.timeout(lookupMs);
      const none = new Promise<readonly string[]>((resolve) => {
        late.addEventListener("abort", () => resolve([]), { once: true });
      });
      const found = lookup(name, { all: true }).then(
        (all) => all.map(({ address }) => address),
        () => [],
      );
      return { name, addresses: await Promise.race([found, none]) };
    }),
  );
}

/** Undefined when a connection to `port` is made; else why not. */
export function dial(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const end = (why?: string) => {
      socket.destroy();
      resolve(why);
    };
    socket.setTimeout(dialMs, () => end("no answer in time"));
    socket.once("connect", () => end());
    socket.once("error", (error) => end(networkReason(error)));
  });
}

/** Listens on loopback and dials itself. */
export async function loopbackTrouble(): Promise<string | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return await dial("127.0.0.1", (server.address() as AddressInfo).port);
  } catch (error) {
    return networkReason(error);
  } finally {
    server.close();
  }
}

/** Age in ms of a backup, or of the newest file in a folder of them. */
export async function backupAge(path: string, now: number): Promise<number | "none"> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return "none";
  if (found.isFile()) return Math.max(0, now - found.mtimeMs);
  const files = await readdir(path).catch(() => []);
  const stats = await Promise.all(
    files.map((file) => stat(join(path, file)).catch(() => undefined)),
  );
  const times = stats.flatMap((one) => (one?.isFile() ? [one.mtimeMs] : []));
  return times.length === 0 ? "none" : Math.max(0, now - Math.max(...times));
}
