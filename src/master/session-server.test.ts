import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { decode, encode } from "@msgpack/msgpack";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import type { MasterMessage, WorkerMessage } from "../protocol/messages.ts";
import { encodeOutcomes, encodeStored, storedBit } from "../protocol/outcome-block.ts";
import { sessionPath } from "../protocol/routes.ts";
import { serveSessions } from "./session-server.ts";
import type { Sessions } from "./sessions.ts";
import { serveUpgrades } from "./upgrades.ts";

const received: WorkerMessage[] = [];
const told: MasterMessage[] = [];
/** Payloads that enough masters have, and who waits for others. */
const secured = new Set<string>();
const securing: (() => void)[] = [];
let server: ReturnType<typeof createServer>;
let stop: () => void;
let worker: WebSocket;
let sent: number;

beforeEach(async () => {
  received.length = told.length = securing.length = sent = 0;
  secured.clear();
  server = createServer();
  // What the sessions do with a message is not asked here.
  const sessions = {
    opened() {},
    heard() {},
    received: (_wire: unknown, message: WorkerMessage) => received.push(message),
    closed() {},
  } as unknown as Sessions;
  const checkDoor = () => undefined;
  const copies = {
    areSecure: (hashes: readonly string[]) => hashes.every((hash) => secured.has(hash)),
    secure: () => new Promise<void>((resolve) => void securing.push(resolve)),
  };
  const serve = serveSessions({ sessions, clock: systemClock, log: silentLog, copies });
  stop = serveUpgrades({ server, checkDoor, paths: { [sessionPath]: serve } });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  worker = new WebSocket(`ws://127.0.0.1:${port}${sessionPath}`);
  worker.on("message", (data: Buffer) => {
    told.push(...(decode(data) as [number, number, MasterMessage[]])[2]);
  });
  await once(worker, "open");
});
afterEach(() => {
  stop();
  server.close();
});

function say(...messages: object[]): void {
  worker.send(encode([++sent, 0, messages]));
}

function report(n: number, reason: number): object {
  const item = { task: 0, attempt: 1, code: reason, micros: 1, logBytes: 0 };
  const bytes = encodeOutcomes([{ ...item, value: new Uint8Array() }]);
  return { kind: "report", n, blocks: [{ job: 1, bytes }], returned: [] };
}

test("a report that only a newer master takes is refused in words, and none behind it is taken", async () => {
  say(report(1, 0));
  say(report(2, 60));
  say(report(3, 0));
  await once(worker, "close");
  expect(received).toMatchObject([{ kind: "report", n: 1 }]);
  const message = "This master cannot take what the worker says: unknown end reason 60.";
  expect(told).toEqual([{ kind: "refuse", code: "protocol_version", message }]);
});

test("what is malformed is refused as such", async () => {
  say({ kind: "report", n: -1, blocks: [], returned: [] });
  await once(worker, "close");
  expect(told).toMatchObject([{ kind: "refuse", code: "bad_request" }]);
});

test("words that are too long are cut, and cut no session", async () => {
  const load = { slotsBusy: 0, slots: 1, spoolBytes: 0, memoryFreeMiB: 1, diskFreeBytes: 1 };
  const task = { job: 1, task: 0, attempt: 1, percent: 5, message: "x".repeat(20_000) };
  say({ kind: "progress", started: [], tasks: [task], load });
  say({ kind: "goodbye", reason: "y".repeat(2_000) });
  await expect.poll(() => received.length).toBe(2);
  const [progress, goodbye] = received;
  expect(progress?.kind === "progress" && progress.tasks[0]?.message).toHaveLength(
    limits.errorBytesMax,
  );
  expect(goodbye?.kind === "goodbye" && goodbye.reason).toMatch(/^y{511}…$/);
});

test("a stored result waits until enough masters have it, and what comes behind it waits too", async () => {
  const hash = "a".repeat(64);
  const value = encodeStored({ hash, size: 100_000, encoding: "json" });
  const item = { task: 0, attempt: 1, code: storedBit, micros: 1, logBytes: 0, value };
  const stored = { job: 1, bytes: encodeOutcomes([item]) };
  say(report(1, 0));
  say({ kind: "report", n: 2, blocks: [stored], returned: [] }, report(3, 0));
  say(report(4, 0));
  const numbers = () => received.map((message) => message.kind === "report" && message.n);
  await expect.poll(() => securing.length).toBe(1);
  expect(numbers()).toEqual([1]);
  securing[0]?.();
  await expect.poll(numbers).toEqual([1, 2, 3, 4]);
});
