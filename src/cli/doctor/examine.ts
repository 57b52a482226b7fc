// Runs the checks: of this machine always, of the cluster where one is known.

import { addresses, createClient, fetchTransport } from "../../client/index.ts";
import type { Client, WorkerView } from "../../client/index.ts";
import { version } from "../../lib/version.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { protocolVersion } from "../../protocol/messages.ts";
import { defaultDataDir } from "../../sdk/locate.ts";
import { findCluster, networkReason } from "../connection.ts";
import type { Cluster, ClusterOptions } from "../connection.ts";
import type { Io } from "../io.ts";
import * as cluster from "./cluster-checks.ts";
import type { Reached } from "./cluster-checks.ts";
import { bad } from "./finding.ts";
import type { Finding } from "./finding.ts";
import * as local from "./local-checks.ts";
import * as machine from "./machine.ts";

export interface Examined {
  readonly findings: readonly Finding[];
  /** Why the cluster was not looked at. */
  readonly localOnly: string | undefined;
}

export interface DoctorOptions extends ClusterOptions {
  readonly backup?: string | undefined;
}

const askMs = 3_000;
const portDefault = 7420;
const workersMax = 1_000;
const dialledMax = 64;

export async function examine(options: DoctorOptions, io: Io): Promise<Examined> {
  const found = await findCluster(options, io.env).catch((error: unknown) => {
    if (error instanceof SkeinError) return error;
    throw error;
  });
  const known = found instanceof SkeinError ? undefined : found;
  const here = await examineHere(options, known?.masters ?? [], io);
  if (found instanceof SkeinError) {
    const none = found.code === "unreachable";
    const findings = none ? here : [...here, bad("masters", found.message, "", found.hint)];
    return { findings, localOnly: found.message };
  }
  const { findings, localOnly } = await examineCluster(found, options, io);
  return { findings: [...here, ...findings], localOnly };
}

// ── this machine ─────────────────────────────────────────────────────────────────────────

async function examineHere(
  options: DoctorOptions,
  masters: readonly string[],
  { env }: Io,
): Promise<Finding[]> {
  const dir = options.data ?? defaultDataDir(env);
  const [place, token, files, capacity, names, loopback, owner] = await Promise.all([
    machine.placeOf(dir),
    machine.tokenFile(dir, env),
    machine.openFilesLimit(),
    machine.capacity(),
    machine.lookups(masters.map(local.hostOf).filter((host) => host !== "")),
    machine.loopbackTrouble(),
    portOwner(),
  ]);
  const syncMs = place.writable ? await machine.syncTime(place.there) : undefined;
  return [
    local.checkNode(process.version),
    local.checkDataDir(place),
    local.checkDiskFree(place),
    local.checkDiskSpeed(syncMs),
    local.checkToken(token),
    local.checkOpenFiles(files),
    local.checkMemory(capacity),
    local.checkCpu(capacity),
    local.checkNames(names),
    local.checkLoopback(loopback),
    local.checkPort(portDefault, owner),
    local.checkProxy(env, masters),
  ];
}

/** A master refuses without a token, and says so in its own words. */
async function portOwner(): Promise<"nobody" | "skein" | "another"> {
  if ((await machine.dial("127.0.0.1", portDefault)) !== undefined) return "nobody";
  try {
    const response = await askVersion(`http://127.0.0.1:${portDefault}`, {}, undefined);
    const { code } = JSON.parse(await response.text()) as { readonly code?: unknown };
    return code === "unauthorized" ? "skein" : "another";
  } catch {
    return "another";
  }
}

/** Of this very address, without the client, which would go on to another master. */
function askVersion(
  address: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
) {
  const [method, path] = addresses.version;
  const url = new URL(path, address).href;
  return fetchTransport({ method, url, headers, body: undefined, signal, silenceMs: askMs });
}

// ── the cluster ──────────────────────────────────────────────────────────────────────────

async function examineCluster(
  { masters, token }: Cluster,
  { backup }: DoctorOptions,
  io: Io,
): Promise<Examined> {
  const first = await Promise.all(masters.map((address) => reach(address, token, io)));
  const living = first.filter(({ ms }) => ms !== undefined).map(({ address }) => address);
  if (living.length === 0) {
    return { findings: [cluster.checkReach(first)], localOnly: "no master answers from here" };
  }
  const client = createClient({
    masters: living,
    token,
    retryMs: askMs,
    transport: fetchTransport,
  });
  const seen = await ask(client, io).catch((error: unknown) => {
    if (error instanceof SkeinError) return error;
    throw error;
  });
  if (seen instanceof SkeinError) {
    const finding = bad("masters", seen.kind.title, seen.message, seen.hint);
    return { findings: [finding], localOnly: seen.message };
  }
  const { status, view, workers, overview, server } = seen;
  const rest = view.items.map(({ address }) => address).filter((one) => !masters.includes(one));
  const reached = [...first, ...(await Promise.all(rest.map((one) => reach(one, token, io))))];
  const own = { version, protocol: protocolVersion };
  const age = backup === undefined ? undefined : await machine.backupAge(backup, io.now());
  const findings = [
    cluster.checkReach(reached),
    cluster.checkLeader(status),
    cluster.checkStandbys(view),
    cluster.checkMasterClocks(view),
    cluster.checkOwnClock(reached),
    cluster.checkVersions({ own, cluster: server, masters: view.items, workers }),
    cluster.checkWorkers(workers, status),
    cluster.checkWorkerReach(workers, await refusedBy(workers)),
    cluster.checkArchive(status),
    cluster.checkBackup(age),
    cluster.checkAttention(overview),
  ];
  return { findings, localOnly: undefined };
}

async function ask(client: Client, { signal }: Io) {
  const [status, view, workers, overview, server] = await Promise.all([
    client.status({ signal }),
    client.masters({ signal }),
    client.workers({ limit: workersMax }, { signal }),
    client.overview({ signal }),
    client.version({ signal }),
  ]);
  return { status, view, workers: workers.items, overview, server };
}

async function reach(address: string, token: string, io: Io): Promise<Reached> {
  const begin = performance.now();
  try {
    const headers = { authorization: `Bearer ${token}` };
    const response = await askVersion(address, headers, io.signal);
    await response.text();
    const ms = performance.now() - begin;
    const date = Date.parse(response.header("date") ?? "");
    // It was made half-way, and its second had begun half a second before on the average.
    const clockMs = Number.isNaN(date) ? undefined : date + 500 + ms / 2 - io.now();
    return { address, ms, clockMs };
  } catch (error) {
    if (io.signal.aborted) throw error;
    return { address, ms: undefined, why: networkReason(error) };
  }
}

/** Active ones whose port takes no connection from here. */
async function refusedBy(workers: readonly WorkerView[]) {
  const some = workers.filter(({ state }) => state === "active").slice(0, dialledMax);
  const all = await Promise.all(
    some.map(async ({ id, address }) => {
      const at = address.lastIndexOf(":");
      const why = await machine.dial(
        address.slice(0, at).replace(/^\[|\]$/g, ""),
        Number(address.slice(at + 1)),
      );
      return why === undefined ? [] : [{ id, why: `${address}, ${why}` }];
    }),
  );
  return all.flat();
}
