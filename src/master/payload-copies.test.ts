import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { silentLog } from "../lib/log.ts";
import { openPayloadStore } from "../payloads/payload-store.ts";
import type { PayloadStore } from "../payloads/payload-store.ts";
import { limits } from "../protocol/limits.ts";
import { PayloadCopies } from "./payload-copies.ts";

const bytes = Buffer.alloc(300_000, "payload");
const hash = createHash("sha256").update(bytes).digest("hex");
let folder: string;
let payloads: PayloadStore;
let copies: PayloadCopies;
let clock: HandClock;
let server: Server;
let served: Buffer | null;
let requests: string[];
let named: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-copies-"));
  payloads = await openPayloadStore({ dir: folder });
  served = bytes;
  requests = [];
  named = [];
  server = createServer((request, response) => {
    requests.push(`${request.headers.authorization} ${request.url}`);
    response.writeHead(served ? 200 : 404).end(served ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  clock = new HandClock();
  copies = new PayloadCopies({
    clock,
    log: silentLog,
    payloads,
    token: "token",
    peers: { live: () => [], fetch: () => false },
    // The first of them is not there any more.
    others: () => ["http://127.0.0.1:1", `http://127.0.0.1:${port}`],
    index: () => 1,
    named: () => named,
  });
});
afterEach(async () => {
  copies.stop();
  server.close();
  await rm(folder, { recursive: true });
});

async function readAll(): Promise<Buffer | undefined> {
  const read = await copies.read(hash);
  if (!read) return undefined;
  const pieces: Buffer[] = [];
  for await (const piece of read.stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

test("a payload that another master has is copied when it is read, once for all who ask", async () => {
  const [one, other] = await Promise.all([readAll(), readAll()]);
  expect(one?.equals(bytes) && other?.equals(bytes)).toBe(true);
  expect(requests).toEqual([`Bearer token /v1/payloads/${hash}`]);
  expect(payloads.has(hash)).toBe(true);
});

test("bytes that do not have the hash are not taken", async () => {
  served = Buffer.from("other bytes");
  expect(await readAll()).toBeUndefined();
  expect(payloads.has(hash)).toBe(false);
});

test("what nobody has stays missing, and securing it is no error", async () => {
  served = null;
  await copies.secure([hash]);
  expect(copies.areSecure([hash])).toBe(false);
});

test("what the state names and this master lacks is copied in the background", async () => {
  named = [hash];
  clock.pass(limits.payloadLookMs);
  await expect.poll(() => payloads.has(hash)).toBe(true);
});

test("a copy that the leader asks for is told once it is here, and not when it was freed meanwhile", async () => {
  const { port } = server.address() as AddressInfo;
  const ask = () =>
    new Promise<boolean>((resolve) => copies.fetch(hash, `http://127.0.0.1:${port}`, resolve));
  expect(await ask()).toBe(true);
  await copies.freed(5, [hash]);
  served = null;
  expect(await ask()).toBe(false);
});
