// A master as one process runs it: opens what it keeps, grounds the state, serves, stands for election. Read
// this first, then wiring.ts and loop.ts.

import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { openJournal } from "../journal/engines.ts";
import { systemClock } from "../lib/clock.ts";
import { Closer } from "../lib/closer.ts";
import type { Log } from "../lib/log.ts";
import { openPayloadStore } from "../payloads/payload-store.ts";
import { SkeinError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { peerPath, sessionPath } from "../protocol/routes.ts";
import { createApi } from "./api/api.ts";
import { openArchive } from "./archive/sqlite-archive.ts";
import { catchUp, copySnapshot } from "./catch-up.ts";
import type { Master } from "./context.ts";
import { openDataDir } from "./data-dir.ts";
import type { DataDir } from "./data-dir.ts";
import { ground } from "./ground.ts";
import type { LoopIdentity } from "./loop-ports.ts";
import { openHistory } from "./history/history.ts";
import { KeptLogs } from "./logs/kept-logs.ts";
import { openLogStore } from "./logs/log-store.ts";
import type { LogStore } from "./logs/log-store.ts";
import { PeerFiles } from "./peer-files.ts";
import { servePeers } from "./peer-server.ts";
import { otherMasters } from "./peer-wiring.ts";
import { Retention } from "./retention.ts";
import { serveSessions } from "./session-server.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import { serveUpgrades } from "./upgrades.ts";
import { UsageWatch } from "./usage-watch.ts";
import { ownProcess } from "../lib/own-process.ts";
import { version } from "../lib/version.ts";
import { handOver } from "./hand-over.ts";
import { start, wire } from "./wiring.ts";
import type { Kept, Wired } from "./wiring.ts";

export interface MasterOptions {
  readonly dataDir: string;
  /** Loopback only: there is no TLS yet (D2). */
  readonly host?: string;
  readonly port?: number;
  /** What clients, workers and masters are told to dial instead of where it listens: a tunnel or proxy. */
  readonly advertise?: string | undefined;
  readonly id?: string;
  /** Else that of the data directory (D1): masters on several machines share one. */
  readonly token?: string | undefined;
  readonly log: Log;
  readonly allowHosts?: readonly string[] | undefined;
  readonly strictQueues?: boolean | undefined;
  /** Another journal than SQLite in the data directory: a URL of journal/engines.ts. */
  readonly journalUrl?: string | undefined;
  /** Addresses of other masters, to copy from; those found in the data directory unless set. */
  readonly join?: readonly string[] | undefined;
  /** When a silent worker is lost (W4); the default unless set. */
  readonly lostAfterMs?: number | undefined;
  /** After how much journal a snapshot is made (A4); the defaults unless set. */
  readonly snapshotEvery?: { readonly bytes?: number; readonly batches?: number } | undefined;
}

export interface RunningMaster extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** Resolves with the reason when it has stopped, asked or not. */
  readonly closed: Promise<string>;
  stop(): Promise<void>;
}

/** What this version can read and write (L11); a leader writes what all masters can read. */
const featureLevels = [1, 1] as const;
const loopback = ["127.0.0.1", "localhost", "[::1]", "::1"];
const defaultPort = 7420;
const defaultId = "m1";

export async function startMaster(options: MasterOptions): Promise<RunningMaster> {
  const host = options.host ?? "127.0.0.1";
  if (!loopback.includes(host)) {
    throw new SkeinError("usage", `A master may not listen on ${host}: there is no TLS yet.`, {
      hint: "Use --host 127.0.0.1 and reach it from elsewhere through an ssh tunnel.",
    });
  }
  const { dataDir, id = defaultId, token, advertise } = options;
  if (advertise !== undefined && !(/^https?:/.test(advertise) && URL.canParse(advertise))) {
    throw new SkeinError("usage", `"${advertise}" is no address to advertise.`, {
      hint: "Write it as http://host:port.",
    });
  }
  await using opening = new Closer();
  const dir = openDataDir({ root: dataDir, id, token });
  opening.defer(() => dir.release());
  if (dir.tokenDiffers) {
    const why = "the token that was given wins; programs that read the file are refused";
    options.log.warn("the data directory has another token", { file: join(dataDir, "token"), why });
  }
  const kept = await openKept(options, dir, opening);
  const stopped = oneReason();
  const halt = (why: Error) => {
    options.log.error("this master stops", { error: why });
    stopped.say(why.message);
  };
  const master = await createMaster(options, dir, kept, halt, opening);
  const url = await serve(master, host, options, opening);
  start(master);
  dir.publish(url);
  options.log.info("master ready", { url, journal: kept.journal.journalId });
  const closer = opening.move();
  const stop = async () => {
    stopped.say("it was told to stop");
    master.isLeaving = true;
    await handOver(master);
    await closer[Symbol.asyncDispose]();
  };
  return { url, token: dir.token, closed: stopped.reason, stop, [Symbol.asyncDispose]: stop };
}

type KeptHere = Kept & { readonly logStore: LogStore };

async function openKept(options: MasterOptions, dir: DataDir, opening: Closer): Promise<KeptHere> {
  const { log } = options;
  const journalUrl = options.journalUrl ?? `sqlite:${dir.journal}`;
  const journal = opening.use(await openJournal(journalUrl));
  for (const note of journal.notes ?? []) log.warn("about the journal's engine", { note });
  const { journalId } = journal;
  // Before any of what it may copy is opened.
  const others = {
    dir: dir.own,
    journal,
    addresses: () => othersNamed(options, dir),
    token: dir.token,
    log,
  };
  await catchUp(others);
  const archive = opening.use(await openArchive({ path: join(dir.own, "archive.db"), journalId }));
  const payloads = await openPayloadStore({ dir: join(dir.own, "payloads"), log });
  const retain = { ms: limits.historyMs, bytes: limits.historyBytesMax };
  const historyDir = join(dir.own, "history");
  const history = opening.use(await openHistory({ dir: historyDir, journalId, retain, log }));
  const { bytes, batches } = options.snapshotEvery ?? {};
  const every = { everyBytes: bytes, everyBatches: batches };
  const copy = (known: readonly string[]) =>
    copySnapshot({ ...others, addresses: () => [...known, ...others.addresses()] });
  const keep = { dir: dir.own, journal, archive, history, log, copy, ...every };
  const snapshots = opening.use(new SnapshotKeeper(keep));
  const logStore = opening.use(await openLogStore({ dir: join(dir.own, "logs"), log }));
  return { journal, archive, history, payloads, snapshots, logStore };
}

async function createMaster(
  options: MasterOptions,
  dir: DataDir,
  kept: KeptHere,
  halt: (why: Error) => void,
  opening: Closer,
): Promise<Wired & Master> {
  const { log } = options;
  const { journal, archive, history, payloads, snapshots } = kept;
  const usage = new UsageWatch(journal, archive, (error) => halt(error as Error));
  opening.defer(() => usage.stop());
  const addresses: string[] = [];
  const identity: LoopIdentity & { readonly addresses: string[] } = {
    id: options.id ?? defaultId,
    incarnation: randomBytes(8).toString("hex"),
    addresses,
    levels: featureLevels,
    ...ownProcess(),
  };
  const wired = await wire({
    identity,
    token: dir.token,
    others: () => othersNamed(options, dir),
    version,
    kept,
    usage,
    log,
    lostAfterMs: options.lostAfterMs,
    ground() {
      const snapshot = (indexMax: number) => snapshots.load(indexMax);
      const { incarnation } = identity;
      return ground({ journal, archive, history, log, snapshot, incarnation });
    },
    halt,
  });
  usage.onRoom(() => wired.loop.poke());
  opening.defer(() => wired.loop.stop());
  opening.defer(() => wired.tail.stop());
  opening.defer(() => wired.leadership.stop());
  opening.defer(() => wired.absences.stop());
  opening.defer(() => wired.series.stop());
  opening.defer(() => wired.metrics.stop());
  opening.defer(() => wired.peers.stop("this master stops"));
  const { loop, copies } = wired;
  const clears = { loop, archive, payloads, copies, logs: kept.logStore };
  const retention = new Retention({ ...clears, clock: systemClock, log });
  opening.defer(() => retention.stop());
  opening.defer(() => wired.sessions.stop());
  opening.defer(() => wired.copies.stop());
  return {
    ...wired,
    files: new PeerFiles({ dir: dir.own, journalId: journal.journalId, archive }),
    keptLogs: keptLogs(options, dir, kept.logStore, wired),
    identity,
    version,
    token: dir.token,
    journal,
    archive,
    payloads,
    log,
    isLeaving: false,
    startedWall: systemClock.wall(),
    settings: {
      strictQueues: options.strictQueues ?? false,
      allowedHosts: [...loopback, ...(options.allowHosts ?? [])],
    },
    usage: () => usage.usage,
  };
}

function keptLogs(options: MasterOptions, dir: DataDir, store: LogStore, { loop }: Wired) {
  const own = options.id ?? defaultId;
  return new KeptLogs({
    store,
    token: dir.token,
    others: () => loop.peek((state) => otherMasters(state, own, othersNamed(options, dir))),
    log: options.log,
  });
}

/** Masters that this one was told of, and those that have left an address in the same directory. */
function othersNamed({ join: named = [] }: MasterOptions, dir: DataDir): readonly string[] {
  return [...named, ...dir.others()];
}

/** Listens; the address is known to the cluster from the election on. */
async function serve(
  master: Wired & Master,
  host: string,
  { port = defaultPort, advertise }: Pick<MasterOptions, "port" | "advertise">,
  opening: Closer,
): Promise<string> {
  const api = createApi(master);
  opening.defer(() => api.close());
  const { server, checkDoor } = api;
  const { sessions, copies, peers, log } = master;
  const paths = {
    [sessionPath]: serveSessions({ sessions, clock: systemClock, log, copies }),
    [peerPath]: servePeers({ peers, log }),
  };
  opening.defer(serveUpgrades({ server, checkDoor, paths }));
  const bound = await listen(api.server, host, port);
  const url = `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${bound}`;
  master.identity.addresses.push(advertise ?? url);
  return url;
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const busy = error.code === "EADDRINUSE";
      const message = busy
        ? `Port ${port} on ${host} is in use.`
        : `Cannot listen: ${error.message}`;
      const hint = "Stop what uses it, or choose another with --port (0: any free one).";
      reject(new SkeinError("conflict", message, { hint, cause: error }));
    });
    server.listen({ host: host.replace(/^\[|\]$/g, ""), port }, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function oneReason(): { readonly reason: Promise<string>; readonly say: (reason: string) => void } {
  let say: (reason: string) => void = () => {};
  const reason = new Promise<string>((resolve) => {
    say = resolve;
  });
  return { reason, say: (text) => say(text) };
}
