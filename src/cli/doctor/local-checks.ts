// Checks of this machine: pure functions of what was measured (machine.ts), so that each can be shown a bad one.

import { sharedFileSystem } from "../../lib/shared-file-systems.ts";
import { bytes, duration, plural } from "../format.ts";
import { bad, ok, unknown, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

const nodeMin = [20, 19] as const;

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const old = major < nodeMin[0] || (major === nodeMin[0] && minor < nodeMin[1]);
  if (!old) return ok("node", version);
  const why = `Skein needs Node ${nodeMin.join(".")} or newer.`;
  return bad("node", `${version} is too old`, why, "Install a newer Node: https://nodejs.org");
}

export interface Place {
  readonly dir: string;
  readonly exists: boolean;
  readonly writable: boolean;
  /** Of statfs(2). */
  readonly fileSystem: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export function checkDataDir({ dir, exists, writable, fileSystem }: Place): Finding {
  const shared = sharedFileSystem(fileSystem);
  if (shared !== undefined) {
    return bad(
      "data directory",
      `${dir} is on ${shared}`,
      "Locks of a network file system do not hold: two masters could write one journal.",
      "Name a directory on a local disk with --data or SKEIN_DATA; for several machines use etcd.",
    );
  }
  if (!writable) {
    const what = exists ? `${dir} cannot be written` : `${dir} cannot be made`;
    const why = "A master keeps its journal there.";
    return bad("data directory", what, why, "Own it, or name another with --data or SKEIN_DATA.");
  }
  return ok("data directory", exists ? dir : `${dir}, which is not there yet`);
}

/** What the master keeps free for outcomes and trims; less counts as full. */
const freeBad = 64 * 2 ** 20;
const freeWarn = 2 * 2 ** 30;

export function checkDiskFree({ dir, freeBytes, totalBytes }: Place): Finding {
  const what = `${bytes(freeBytes)} of ${bytes(totalBytes)} free at ${dir}`;
  const todo = "Make room there, or move the data directory.";
  if (freeBytes < freeBad) {
    return bad("disk space", what, "A master with a full disk assigns nothing.", todo);
  }
  if (freeBytes < freeWarn) {
    const why = "Journal, archive, results and logs all grow there.";
    return warn("disk space", what, why, todo);
  }
  return ok("disk space", what);
}

const syncWarnMs = 25;
const syncBadMs = 250;

/** The median of a few fsyncs; undefined where none could be made. */
export function checkDiskSpeed(syncMs: number | undefined): Finding {
  if (syncMs === undefined) return unknown("disk speed", "nothing could be written to measure it");
  const what = `an fsync takes ${syncMs < 1 ? "under 1 ms" : duration(syncMs)}`;
  const why = "Every decision waits for one; many share it, but a single task feels it.";
  const todo = "Use a local SSD for the data directory; look for what else writes there.";
  if (syncMs >= syncBadMs) return bad("disk speed", what, why, todo);
  return syncMs >= syncWarnMs ? warn("disk speed", what, why, todo) : ok("disk speed", what);
}

export interface TokenFile {
  readonly path: string;
  /** Undefined: there is none. */
  readonly mode: number | undefined;
  readonly inEnvironment: boolean;
}

export function checkToken({ path, mode, inEnvironment }: TokenFile): Finding {
  if (mode !== undefined && (mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, "0");
    return bad(
      "token file",
      `${path} has mode ${shown}`,
      "Whoever reads it may run anything on the cluster.",
      `chmod 600 ${path}`,
    );
  }
  if (inEnvironment) return ok("token file", "the token comes from SKEIN_TOKEN");
  return mode === undefined
    ? ok("token file", "none yet: the first master makes it")
    : ok("token file", `${path} is its owner's alone`);
}

const filesBad = 256;
const filesWarn = 4_096;

export function checkOpenFiles(limit: number | undefined): Finding {
  if (limit === undefined) return unknown("open files", "this system does not tell its limit");
  const what = limit === Infinity ? "no limit" : `at most ${limit}`;
  if (limit >= filesWarn) return ok("open files", what);
  const why =
    "A master holds a connection for each worker and client, a worker pipes for each task.";
  const todo = "ulimit -n 65536, or LimitNOFILE=65536 in the unit.";
  return limit < filesBad
    ? bad("open files", what, why, todo)
    : warn("open files", what, why, todo);
}

export interface Capacity {
  readonly cpus: number;
  readonly memoryBytes: number;
  /** What the cgroup allows; undefined: no limit. */
  readonly cgroupCpus: number | undefined;
  readonly cgroupMemoryBytes: number | undefined;
}

/** A worker offers this part of the memory unless it is told. */
const offeredShare = 0.8;

export function checkMemory({ memoryBytes, cgroupMemoryBytes: limit }: Capacity): Finding {
  const offered = memoryBytes * offeredShare;
  if (limit === undefined || limit >= offered) {
    return ok("memory", `${bytes(memoryBytes)}, a worker offers ${bytes(offered)}`);
  }
  const mib = Math.floor((limit * offeredShare) / 2 ** 20);
  return warn(
    "memory",
    `a worker would offer ${bytes(offered)}, its cgroup allows ${bytes(limit)}`,
    "Tasks that use what is offered would be killed by the kernel.",
    `Start the worker with --memory ${mib}MiB, or raise the limit (memory.max).`,
  );
}

export function checkCpu({ cpus, cgroupCpus: limit }: Capacity): Finding {
  if (limit === undefined || limit >= cpus) return ok("cpu", plural(cpus, "cpu"));
  const whole = Math.max(1, Math.floor(limit));
  return warn(
    "cpu",
    `a worker would offer ${plural(cpus, "cpu")}, its cgroup allows ${limit}`,
    "Tasks would slow each other down.",
    `Start the worker with --cpus ${whole}, or raise the quota (cpu.max).`,
  );
}

export interface Lookup {
  readonly name: string;
  /** Empty: it has none. */
  readonly addresses: readonly string[];
}

export function checkNames(lookups: readonly Lookup[]): Finding {
  const lost = lookups.filter(({ addresses }) => addresses.length === 0).map(({ name }) => name);
  if (lost.length > 0) {
    return bad(
      "names",
      `no address for ${lost.join(", ")}`,
      "What has no address cannot be dialled.",
      "Correct the name in --url or SKEIN_URL, /etc/hosts, or the name server.",
    );
  }
  const local = lookups.find(({ name }) => name === "localhost");
  const strange = local?.addresses.find((address) => !isLoopback(address));
  if (strange !== undefined) {
    const why = "Masters listen on loopback and refuse other hosts.";
    const todo = "Give localhost back 127.0.0.1 and ::1 in /etc/hosts.";
    return bad("names", `localhost is ${strange}`, why, todo);
  }
  return ok("names", `${lookups.map(({ name }) => name).join(", ")} resolve`);
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || host.startsWith("127.");
}

/** Programs that do not run yet want this port; `owner` is who has it. */
export function checkPort(port: number, owner: "nobody" | "skein" | "another"): Finding {
  if (owner === "nobody") return ok("port", `${port} is free`);
  if (owner === "skein") return ok("port", `a master listens at ${port}`);
  const why = "`skein up` listens there unless it is told another.";
  return warn("port", `another program listens at ${port}`, why, "skein up --port 0");
}

export function checkLoopback(trouble: string | undefined): Finding {
  if (trouble === undefined) return ok("loopback", "this machine reaches itself");
  const why = "Masters, workers and this program talk over 127.0.0.1.";
  return bad("loopback", `127.0.0.1 does not answer: ${trouble}`, why, "Look at the firewall.");
}

const proxyNames = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"];

export function checkProxy(
  env: Readonly<Record<string, string | undefined>>,
  masters: readonly string[],
): Finding {
  const set = proxyNames.filter((name) => env[name]);
  if (set.length === 0) return ok("proxy", "none is set");
  const hosts = masters.map(hostOf).filter((host) => host !== "");
  const bypass = (env["NO_PROXY"] ?? env["no_proxy"] ?? "").split(",").map((part) => part.trim());
  const spared = (host: string) =>
    bypass.includes("*") || bypass.some((part) => part !== "" && host.endsWith(part));
  const through = hosts.filter((host) => !spared(host));
  if (env["NODE_USE_ENV_PROXY"] && through.length > 0) {
    const why = "A proxy cuts long answers and cannot reach this machine's loopback.";
    const todo = `Add ${[...new Set(through)].join(",")} to NO_PROXY.`;
    return warn("proxy", `${set.join(", ")} is used for masters`, why, todo);
  }
  return ok("proxy", `${set.join(", ")} is set; Skein goes to its masters directly`);
}

/** "" of what is no address. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : "";
}
