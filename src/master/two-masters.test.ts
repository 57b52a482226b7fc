import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../lib/log.ts";
import { startMaster } from "./master.ts";
import type { RunningMaster } from "./master.ts";

const bytes = Buffer.alloc(100_000, "payload");
const hash = createHash("sha256").update(bytes).digest("hex");
let dataDir: string;
let first: RunningMaster;
let second: RunningMaster;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "skein-two-"));
  first = await startMaster({ dataDir, id: "a", port: 0, log: silentLog });
  await expect.poll(() => isReady(first)).toBe(true);
  second = await startMaster({ dataDir, id: "b", port: 0, log: silentLog });
}, 20_000);
afterEach(async () => {
  await second.stop();
  await first.stop();
  rmSync(dataDir, { recursive: true });
});

async function call(
  master: RunningMaster,
  method: string,
  path: string,
  body?: Uint8Array<ArrayBuffer>,
) {
  const type = path.startsWith("/v1/jobs") ? "application/x-ndjson" : "application/octet-stream";
  const headers = {
    authorization: `Bearer ${master.token}`,
    ...(body && { "content-type": type }),
  };
  return fetch(`${master.url}${path}`, { method, headers, ...(body && { body }) });
}

async function isReady(master: RunningMaster): Promise<boolean> {
  return (await submit(master)).ok;
}

function submit(master: RunningMaster): Promise<Response> {
  const spec = { task: "t", code: { kind: "command", argv: ["true"] } };
  const head = JSON.stringify({ spec, payloads: [] });
  return call(master, "POST", "/v1/jobs", Buffer.from(`${head}\n"x"\n`));
}

const fileOf = (id: string) =>
  join(dataDir, "masters", id, "payloads", hash.slice(0, 2), `${hash}.${bytes.length}`);

test("an upload is answered when a second master has it too, and outlives the first", async () => {
  await expect
    .poll(async () => {
      await call(first, "PUT", `/v1/payloads/${hash}`, bytes);
      return existsSync(fileOf("b"));
    })
    .toBe(true);
  await first.stop();
  await expect.poll(() => isReady(second), { timeout: 10_000 }).toBe(true);
  const got = await call(second, "GET", `/v1/payloads/${hash}`);
  expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
});

test("a payload that one master lacks is read from the other", async () => {
  await expect
    .poll(async () => {
      await call(first, "PUT", `/v1/payloads/${hash}`, bytes);
      return existsSync(fileOf("b"));
    })
    .toBe(true);
  await second.stop();
  rmSync(fileOf("b"));
  second = await startMaster({ dataDir, id: "b", port: 0, log: silentLog });
  const got = await call(second, "GET", `/v1/payloads/${hash}`);
  expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
  expect(existsSync(fileOf("b"))).toBe(true);
});
