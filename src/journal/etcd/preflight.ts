// What an etcd must be to hold a journal (J6): refused here is what would break P1, noted is what
// its operator should know.

import { asError } from "../../lib/as-error.ts";
import { JournalHalt } from "../halt.ts";
import { EngineUnavailable } from "../unavailable.ts";
import type { EtcdClient } from "./client.ts";
import { hiddenLeader, type Dialled, type Trouble } from "./dial.ts";
import { EtcdRefusal } from "./errors.ts";
import { membersAnswer, methods, opPut, range, txn, valueIs } from "./messages.ts";
import { readMetrics } from "./metrics.ts";

/** What was found when the journal was opened, to be logged. */
export interface EtcdSettings {
  readonly clusterId: string;
  /** Voting members; 0 if etcd does not tell this user. */
  readonly members: number;
  /** Of the members that answered, oldest first. */
  readonly versions: readonly string[];
  /** Where etcd refuses writes. */
  readonly quotaBytes: number;
  /** A request of this size was taken. */
  readonly requestBytes: number;
  /** What an operator should know, in whole sentences. */
  readonly notes: readonly string[];
}

/** For the largest request there is; a busy disk may take seconds for it. */
const largeMs = 10_000;
/** etcd's own default. */
const quotaDefault = 2 * 1024 ** 3;
/** For a cluster that is meant to keep running while members are replaced. */
const membersWanted = 3;

export async function survey(client: EtcdClient, requestBytes: number): Promise<EtcdSettings> {
  const dialled = await client.survey().catch((error: unknown) => {
    throw notEtcd(error);
  });
  const told = dialled.answered.map(({ status }) => status.version).filter((one) => one !== "");
  const versions = [...new Set(told)].sort(older);
  for (const version of versions) checkVersion(version);
  await checkLogin(client);
  await checkRequestSize(client, requestBytes);
  const [members, quota] = await Promise.all([countMembers(client), findQuota(client, dialled)]);
  return {
    clusterId: client.clusterId,
    members,
    versions,
    quotaBytes: quota ?? quotaDefault,
    requestBytes,
    notes: [
      ...versions.flatMap(versionNotes),
      ...memberNotes(members),
      ...dialled.troubles.map(troubleNote),
      ...(quota === undefined ? ["etcd does not tell its quota: 2 GiB are assumed."] : []),
    ],
  };
}

/** Throws for versions that lose or never had what a journal rests on. */
export function checkVersion(version: string): void {
  const [major = 0, minor = 0, patch = 0] = numbersOf(version);
  const tooOld = major < 3 || (major === 3 && minor < 4);
  const broken = major === 3 && minor === 5 && patch <= 2;
  if (!tooOld && !broken) return;
  throw new JournalHalt("preflight", {
    what: `etcd ${version} cannot hold a journal`,
    why: broken
      ? "3.5.0 to 3.5.2 can lose acknowledged writes when a member is killed"
      : "this client is made for 3.4 and later",
    todo: "Use 3.5.26, 3.6.5 or later",
  });
}

/** Advice about a version that may be used. */
export function versionNotes(version: string): string[] {
  const [major = 0, minor = 0, patch = 0] = numbersOf(version);
  if (major !== 3 || minor > 6) return [];
  const advice = "3.5.26, 3.6.5 or later is advised.";
  if (minor < 5) return [`etcd ${version} gets no more fixes; ${advice}`];
  const known = minor === 5 ? patch < 26 : patch < 5;
  return known ? [`etcd ${version} has known bugs; ${advice}`] : [];
}

function memberNotes(members: number): string[] {
  if (members === 0) return ["etcd does not tell this user how many members it has."];
  if (members >= membersWanted) return [];
  const lives = "the journal is there only while all of them are: use 3 or 5.";
  return [`etcd has ${members} member${members === 1 ? "" : "s"}; ${lives}`];
}

const troubleNote = ({ error }: Trouble): string => `An endpoint did not answer: ${error.message}.`;

/** Something answers that is no etcd, or is not to be trusted: waiting would not help. */
function notEtcd(error: unknown): unknown {
  if (!(error instanceof EngineUnavailable)) return error;
  const all: readonly unknown[] = error.cause instanceof AggregateError ? error.cause.errors : [];
  if (all.length === 0 || all.map(asError).some(isNetworkTrouble)) return error;
  return new JournalHalt("preflight", {
    what: "what answers at the endpoints of this journal cannot be talked to as etcd",
    why: error.message,
    todo: "Check host and port (etcd's client port is 2379), etcd:// or etcds://, and certificates",
    cause: error,
  });
}

const networkCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ERR_HTTP2_GOAWAY_SESSION",
  "ERR_HTTP2_STREAM_CANCEL",
  "ERR_HTTP2_STREAM_ERROR",
]);

/** Trouble that may pass by itself. */
function isNetworkTrouble(error: Error): boolean {
  if (!(error instanceof EngineUnavailable)) return false;
  const cause = error.cause;
  if (!(cause instanceof Error)) return !/not gRPC/.test(error.message);
  return !("code" in cause) || networkCodes.has(String(cause.code));
}

async function checkLogin(client: EtcdClient): Promise<void> {
  try {
    const ask = range({ key: `${client.place.prefix}journal` });
    await client.call(methods.range, ask, { linear: true });
  } catch (error) {
    if (!(error instanceof EtcdRefusal)) throw error;
    const { user } = client.place;
    throw new JournalHalt("preflight", {
      what: `etcd does not let ${user ? `user "${user.name}"` : "us"} read ${client.place.prefix}`,
      why: error.message,
      todo: "Name user and password in the URL, and grant them readwrite on this prefix",
      cause: error,
    });
  }
}

/** A transaction of that size that does nothing: its condition never holds. */
async function checkRequestSize(client: EtcdClient, bytes: number): Promise<void> {
  const key = `${client.place.prefix}journal`;
  const never = valueIs(key, "<", "");
  const ask = txn({ compare: [never], success: [opPut(key, Buffer.alloc(bytes))] });
  try {
    await client.call(methods.txn, ask, { limitMs: largeMs });
  } catch (error) {
    if (!(error instanceof EtcdRefusal)) throw error;
    if (error.kind === "no_space") return; // It holds what it holds; usage says so.
    throw new JournalHalt("preflight", {
      what: `etcd does not take a request of ${bytes} bytes below ${client.place.prefix}`,
      why: error.message,
      todo:
        error.kind === "too_large"
          ? "Leave --max-request-bytes at its default of 1.5 MiB, or raise it"
          : "Grant this user readwrite on the prefix",
      cause: error,
    });
  }
}

async function countMembers(client: EtcdClient): Promise<number> {
  try {
    return membersAnswer(await client.call(methods.members, Buffer.alloc(0)));
  } catch (error) {
    if (error instanceof EtcdRefusal) return 0;
    throw error;
  }
}

/** How full etcd may be said to be: halts where it tells this user neither that nor its quota. */
async function findQuota(client: EtcdClient, { status, connection }: Dialled) {
  if (status.quota > 0) return status.quota;
  const metrics = await readMetrics(connection.endpoint, client.place);
  if (status.leader === hiddenLeader && metrics?.bytesInUse === undefined) {
    throw new JournalHalt("preflight", {
      what: "etcd does not tell this user how full it is",
      why: "submits must be refused before etcd's quota is used up (its status and /metrics are closed)",
      todo: "Let this host read /metrics of the client port, or grant the user the role root",
    });
  }
  return metrics?.quota;
}

function numbersOf(version: string): number[] {
  return version.split(/[.-]/).map(Number);
}

function older(one: string, other: string): number {
  const [left, right] = [numbersOf(one), numbersOf(other)];
  const at = left.findIndex((part, place) => part !== right[place]);
  return at === -1 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
