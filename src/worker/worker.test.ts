import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WebSocket } from "ws";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../lib/log.ts";
import { networkId } from "../lib/network-id.ts";
import type { JobDescriptor, MasterMessage, WorkerReport } from "../protocol/messages.ts";
import { FakeMaster } from "./master.fixture.ts";
import { endsIn, jobOf, namesIn, rangeOf } from "./agent.fixture.ts";
import { type RunningWorker, startWorker, type WorkerOptions } from "./worker.ts";

const bundle = `
const task = (name, run) => ({ [Symbol.for("skein.task")]: true, name, run });
export const noop = task("noop", (n) => n);
export const wait = task("wait", (ms, { signal }) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
}));
export const spin = task("spin", (ms) => { const end = Date.now() + ms; while (Date.now() < end); });
export const big = task("big", (n) => "x".repeat(n));
`;
const hash = createHash("sha256").update(bundle).digest("hex");

let dataDir: string;
let master: FakeMaster;
let socket: WebSocket | undefined;
let term: number;
const stored: string[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "skein-worker-"));
  master = await FakeMaster.start();
  lead(master);
});
afterEach(async () => {
  await master[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

function lead(leader: FakeMaster): void {
  term = 1;
  leader.greet = () => [leader.welcome(), { kind: "lead", term }];
  leader.answer = (messages, from) => {
    socket = from;
    // A ping for each frame: a master that says nothing for 3 s would be dialled anew, in the middle of a test.
    leader.send(from);
    for (const message of messages) {
      if (message.kind !== "register") continue;
      leader.send(from, { kind: "verdict", term: message.term, kill: [], recorded: 0 });
    }
  };
  leader.http = (request, response) => {
    if (request.method === "PUT") stored.push(request.url ?? "");
    request.resume();
    request.on("end", () => {
      if (request.url === `/v1/payloads/${hash}`) response.end(bundle);
      else response.writeHead(request.method === "PUT" ? 201 : 404).end("{}");
    });
  };
}

const start = (more: Partial<WorkerOptions> = {}): Promise<RunningWorker> =>
  startWorker({
    id: "w1",
    dataDir,
    masters: [master.url],
    token: "secret",
    version: "0.0.0",
    amounts: { cpu: 2_000 },
    log: silentLog,
    ...more,
  });

const jobNamed = (number: number, task: string): JobDescriptor => ({
  ...jobOf(number),
  task,
  code: { kind: "function", bundle: hash },
  killGraceMs: 100,
});

function tell(message: MasterMessage): void {
  if (!socket) throw new Error("no session");
  master.send(socket, message);
}

const ends = (): string[] => endsIn(master.ofKind("report"));
const recordAll = (): void =>
  tell({ kind: "recorded", term, n: Math.max(...master.ofKind("report").map(({ n }) => n)) });

test("a worker registers, runs what it is told and reports every end once", async () => {
  await using worker = await start();
  await master.until(() => master.ofKind("register").length > 0);
  expect(master.ofKind("register")[0]).toMatchObject({
    term: 1,
    info: { id: "w1", amounts: { cpu: 2_000 } },
  });
  tell({ kind: "start", term, jobs: [jobNamed(1, "noop")], ranges: [rangeOf(1, 0, 5_000)] });
  await master.until(() => ends().length >= 5_000);
  expect(new Set(ends()).size).toBe(5_000);
  recordAll();
  await master.until(() => worker.agent.known === 0);
});

test("a busy loop in user code does not delay pings", async () => {
  await using _worker = await start();
  await master.until(() => master.ofKind("register").length > 0);
  const range = { ...rangeOf(1, 0, 1), inputs: new TextEncoder().encode("3000\n") };
  tell({ kind: "start", term, jobs: [jobNamed(1, "spin")], ranges: [range] });
  await master.until(() => master.ofKind("progress").some(({ started }) => started.length > 0));
  const pings = (): number => master.frames.filter(([, , messages]) => !messages.length).length;
  const before = pings();
  await master.until(() => pings() > before);
  expect(ends()).toEqual([]);
  await master.until(() => ends().length === 1);
});

test("a large result is stored before its outcome is told", async () => {
  await using _worker = await start();
  await master.until(() => master.ofKind("register").length > 0);
  const range = { ...rangeOf(1, 0, 1), inputs: new TextEncoder().encode("200000\n") };
  tell({ kind: "start", term, jobs: [jobNamed(1, "big")], ranges: [range] });
  await master.until(() => ends().length === 1);
  expect(ends()).toEqual(["1/0#1 128"]);
  expect(stored.length).toBeGreaterThan(0);
});

test("drained, it says goodbye and ends with code 0", async () => {
  const worker = await start();
  await master.until(() => master.ofKind("register").length > 0);
  const range = { ...rangeOf(1, 0, 1), inputs: new TextEncoder().encode("300\n") };
  tell({ kind: "start", term, jobs: [jobNamed(1, "wait")], ranges: [range] });
  await master.until(() => master.ofKind("progress").some(({ started }) => started.length > 0));
  worker.drain();
  await master.until(() => ends().length === 1);
  recordAll();
  expect(await worker.closed).toEqual({ code: 0, reason: "told to leave" });
  expect(master.received.at(-1)).toMatchObject({ kind: "goodbye" });
});

test("outcomes that no master took are told by the next run of the worker", async () => {
  const first = await start();
  await master.until(() => master.ofKind("register").length > 0);
  const range = { ...rangeOf(1, 0, 1), inputs: new TextEncoder().encode("100\n") };
  tell({ kind: "start", term, jobs: [jobNamed(1, "wait")], ranges: [range] });
  await master.until(() => ends().length === 1);
  const { incarnation } = first.info;
  first.agent.end();
  await first.closed;
  await using second = await start();
  await master.until(() => master.ofKind("register").length === 2);
  const again = master.ofKind("register")[1];
  expect(again?.info.incarnation).not.toBe(incarnation);
  expect(endsIn(again?.reports ?? ([] as WorkerReport[]))).toEqual(["1/0#1 0"]);
  tell({ kind: "recorded", term, n: 1 });
  await master.until(() => second.agent.unrecorded.length === 0);
});

test("a refusal ends the worker with a message and the code of the table", async () => {
  master.greet = () => [{ kind: "refuse", code: "protocol_version", message: "too old" }];
  const worker = await start();
  const exit = await worker.closed;
  expect(exit.code).toBe(2);
  expect(exit.reason).toMatch(/protocol_version: too old\. Upgrade/);
});

test("two workers on one data directory: the second is refused", async () => {
  await using _worker = await start();
  await expect(start()).rejects.toMatchObject({ code: "worker_id_in_use" });
});

test("the worker's own port accepts while it lives and refuses afterwards", async () => {
  const worker = await start();
  const { address, network } = worker.info;
  expect(network).toBe(networkId());
  expect(await dial(address)).toBe("accepted");
  worker.stop();
  await worker.closed;
  expect(await dial(address)).toBe("ECONNREFUSED");
  expect(await readdir(dataDir)).not.toContain("worker.lock");
});

function dial(address: string): Promise<string> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const tcp = connect(Number(port), host);
    tcp.on("connect", () => {
      tcp.destroy();
      resolve("accepted");
    });
    tcp.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
}

test("after a new election on another master it registers there with what it holds", async () => {
  await using other = await FakeMaster.start();
  other.greet = () => [other.welcome()];
  await using _worker = await start({ masters: [master.url, other.url] });
  await master.until(() => master.ofKind("register").length > 0);
  const range = { ...rangeOf(1, 0, 1), inputs: new TextEncoder().encode("60000\n") };
  tell({ kind: "start", term, jobs: [jobNamed(1, "wait")], ranges: [range] });
  await master.until(() => master.ofKind("progress").some(({ started }) => started.length > 0));
  await other.until(() => other.sockets.length > 0 && other.received.length > 0);
  const [standby] = other.sockets;
  if (standby) other.send(standby, { kind: "lead", term: 2 });
  await other.until(() => other.ofKind("register").length > 0);
  expect(namesIn(other.ofKind("register")[0]?.held ?? [])).toEqual(["1/0#1"]);
  expect(namesIn(other.ofKind("register")[0]?.started ?? [])).toEqual(["1/0#1"]);
});
