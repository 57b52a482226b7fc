import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openJournal } from "../journal/engines.ts";
import { createLog, silentLog } from "../lib/log.ts";
import { openArchive } from "./archive/sqlite-archive.ts";
import { catchUp, copySnapshot } from "./catch-up.ts";
import { ground } from "./ground.ts";
import { openHistory } from "./history/history.ts";
import { startMaster } from "./master.ts";
import type { RunningMaster } from "./master.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import { listSnapshots, readSnapshot } from "./snapshots/snapshots.ts";

let root: string;
let source: RunningMaster;
let journal: { readonly journalId: string; trimmed(): Promise<number> };
/** The directory of the master that is copied from. */
let from: string;
let dir: string;
let logged: string[];
const servers: Server[] = [];
const log = createLog({
  level: "warn",
  write: (line) => void logged.push(line),
});

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "skein-catch-up-"));
  const dataDir = join(root, "source");
  const snapshotEvery = { batches: 8 };
  source = await startMaster({ dataDir, port: 0, log: silentLog, snapshotEvery });
  from = join(dataDir, "masters", "m1");
  const snapshots = async () => (await listSnapshots(join(from, "snapshots"))).length;
  do await submit();
  while ((await snapshots()) < 2);
  // The master itself has the journal open; what it begins with is asked for once.
  const [, older] = await listSnapshots(join(from, "snapshots"));
  const { journalId, index } = await readSnapshot(older?.file ?? "");
  journal = { journalId, trimmed: async () => index };
}, 30_000);
afterAll(async () => {
  await source.stop();
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  dir = mkdtempSync(join(root, "new-"));
  logged = [];
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const authorization = () => ({ authorization: `Bearer ${source.token}` });

async function submit(): Promise<void> {
  const inputs = Array.from({ length: 20 }, (_, i) => `"${String(i).repeat(200)}"`);
  const spec = { task: "t", code: { kind: "command", argv: ["true"] } };
  const body = `${JSON.stringify({ spec })}\n${inputs.join("\n")}\n`;
  const headers = { ...authorization(), "content-type": "application/x-ndjson" };
  const answer = await fetch(`${source.url}/v1/jobs`, { method: "POST", headers, body });
  if (!answer.ok) throw new Error(await answer.text());
}

function copy(addresses: readonly string[], tryMs = 2_000) {
  const { token } = source;
  return catchUp({ dir, journal, addresses: () => addresses, token, log, tryMs });
}

/** What passes through it is cut after so many bytes, the first few times. */
async function flaky(bytesMax: number, times: number): Promise<string> {
  let left = times;
  const { port } = new URL(source.url);
  const server = createServer((down) => {
    const up = connect(Number(port), "127.0.0.1");
    let bytes = 0;
    const cut = () => {
      down.destroy();
      up.destroy();
    };
    const isCut = left-- > 0;
    up.on("data", (piece) => {
      bytes += piece.length;
      if (!isCut || bytes <= bytesMax) return void down.write(piece);
      down.write(piece.subarray(0, Math.max(0, bytesMax - (bytes - piece.length))), cut);
    });
    down.on("data", (piece) => up.write(piece));
    for (const end of [up, down]) end.on("error", cut).on("close", cut);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Files as they are left when all is done. */
function left(): readonly string[] {
  return readdirSync(dir).toSorted();
}

test("a new master has state, archive and history of another, and goes on from there", async () => {
  expect(await copy([source.url])).toEqual({ needed: true, lacks: [] });
  expect(left()).toEqual(["archive.db", "history", "snapshots"]);
  // The journal is read when its own master has stopped.
  await source.stop();
  await followOn();
  source = await startMaster({ dataDir: join(root, "source"), port: 0, log: silentLog });
});

/** From what was copied to the head of the journal. */
async function followOn(): Promise<void> {
  const { journalId } = journal;
  await using archive = await openArchive({ path: join(dir, "archive.db"), journalId });
  expect(archive.lacks).toEqual([]);
  expect(archive.added).toBeGreaterThan(await journal.trimmed());
  expect((await archive.jobs({ limit: 1, order: "newest", terms: [] })).total).toBeGreaterThan(2);
  const retain = { ms: 1e9, bytes: 1e9 };
  await using history = await openHistory({ dir: join(dir, "history"), journalId, retain });
  expect(history.oldest()?.index).toBe(1);
  expect(history.lacks()).toEqual([]);
  await using own = await openJournal(`sqlite:${join(root, "source", "journal.db")}`);
  const options = { dir, journal: own, archive, history, log };
  await using keeper = new SnapshotKeeper(options);
  const snapshot = (indexMax: number) => keeper.load(indexMax);
  const { state } = await ground({ ...options, snapshot, incarnation: "x" });
  expect(state.index).toBe((await own.head()).index);
  expect(state.jobs.size).toBeGreaterThan(2);
}

test("a copy that is cut again and again goes on until it is whole", async () => {
  const address = await flaky(12_000, 6);
  expect(await copy([address], 20_000)).toEqual({ needed: true, lacks: [] });
  expect(logged.length).toBeGreaterThan(0);
  expect(left()).toEqual(["archive.db", "history", "snapshots"]);
  expect(await copy([address])).toEqual({ needed: false, lacks: [] });
});

test("of several masters one that has what is needed is enough", async () => {
  expect(await copy(["http://127.0.0.1:1", source.url])).toEqual({ needed: true, lacks: [] });
});

test("what nobody gives is named, and nothing half is left", async () => {
  const lacks = ["the state", "the archive", "the history"];
  expect(await copy(["http://127.0.0.1:1"], 0)).toEqual({ needed: true, lacks });
  expect(left()).toEqual([]);
  expect(logged.join("")).toContain("a new master could not copy what it needs");
});

test("a snapshot of another journal is not taken", async () => {
  const own = journal;
  journal = { ...own, journalId: "ffffffffffffffff" };
  const { lacks } = await copy([source.url], 0);
  expect(lacks).toContain("the state");
  expect(existsSync(join(dir, "snapshots"))).toBe(false);
  journal = own;
});

test("an archive that is here stays as it is", async () => {
  writeFileSync(join(dir, "archive.db"), "mine");
  expect((await copy([source.url])).lacks).toEqual([]);
  expect(existsSync(join(dir, "snapshots"))).toBe(true);
});

test("a master that runs takes a snapshot of another when its own is too old", async () => {
  const options = { dir, journal, addresses: () => [source.url], token: source.token, log };
  await copySnapshot(options);
  expect(await listSnapshots(join(dir, "snapshots"))).toHaveLength(1);
  const nobody = { ...options, addresses: () => [], tryMs: 0 };
  await expect(copySnapshot(nobody)).rejects.toThrow("no other master gave a snapshot");
});

test("files of the history are given by their names only", async () => {
  const get = (path: string) => fetch(`${source.url}${path}`, { headers: authorization() });
  expect((await get("/v1/peer/history/..%2Farchive.db")).status).toBe(404);
  expect((await get("/v1/peer/history/history.json")).status).toBe(404);
  expect((await fetch(`${source.url}/v1/peer/snapshot`)).status).toBe(401);
});
