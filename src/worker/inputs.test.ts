import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../lib/log.ts";
import { Bundles } from "./bundles.ts";
import { FakeMaster } from "./master.fixture.ts";
import { jobOf } from "./agent.fixture.ts";
import { Inputs, spliced } from "./inputs.ts";
import type { ResolvedInput } from "./lanes.ts";
import { MasterHttp } from "./master-http.ts";

let master: FakeMaster;
let http: MasterHttp;
let folder: string;
let asked: string[];
let leads: boolean;

beforeEach(async () => {
  master = await FakeMaster.start();
  folder = await mkdtemp(join(tmpdir(), "skein-inputs-"));
  asked = [];
  leads = true;
  http = new MasterHttp({
    urls: { leader: () => (leads ? master.url : undefined), all: () => [master.url] },
    token: "secret",
    log: silentLog,
  });
});
afterEach(async () => {
  await http[Symbol.asyncDispose]();
  await master[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function serve(answers: Record<string, string | number>): void {
  master.http = (request, response) => {
    asked.push(request.url ?? "");
    const answer = answers[request.url ?? ""] ?? 404;
    if (typeof answer === "number") response.writeHead(answer).end();
    else response.end(answer);
  };
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function resolve(inputs: Inputs, reference: unknown): Promise<ResolvedInput> {
  const line = new TextEncoder().encode(`@${JSON.stringify(reference)}`);
  return new Promise((done) => void inputs.resolve(jobOf(1), line, done));
}

const upstream = "00000000000000aa";

test("results of another job are put in as the bytes they are", async () => {
  serve({ [`/v1/jobs/${upstream}/results`]: '{"a": 1.0}\n"b"\n[3]\n' });
  const inputs = new Inputs(http, silentLog);
  const value = { frames: { $skein: 0 }, title: "film", all: [{ $skein: 0 }] };
  const resolved = await resolve(inputs, { value, refs: [{ job: upstream }] });
  if (resolved.kind !== "input") throw new Error(resolved.message);
  const list = '[{"a": 1.0},"b",[3]]';
  expect(textOf(resolved.input)).toBe(`{"frames":${list},"title":"film","all":[${list}]}`);
});

test("many tasks that share an upstream fetch it once", async () => {
  serve({ [`/v1/jobs/${upstream}/results`]: "1\n2\n" });
  const inputs = new Inputs(http, silentLog);
  const reference = { value: { $skein: 0 }, refs: [{ job: upstream }] };
  const all = await Promise.all(Array.from({ length: 20 }, () => resolve(inputs, reference)));
  await resolve(inputs, reference);
  expect(all.every(({ kind }) => kind === "input")).toBe(true);
  expect(asked).toHaveLength(1);
});

test("one task's result is one line", async () => {
  serve({ [`/v1/jobs/${upstream}/results?from=5`]: '"five"\n"six"\n' });
  const inputs = new Inputs(http, silentLog);
  const reference = { value: { $skein: 0 }, refs: [{ job: upstream, task: 5 }] };
  const resolved = await resolve(inputs, reference);
  expect(resolved.kind === "input" && textOf(resolved.input)).toBe('"five"');
});

test("a stored input is fetched by its hash", async () => {
  const text = '{"large":true}\n';
  const hash = hashOf(text);
  serve({ [`/v1/payloads/${hash}`]: text });
  const inputs = new Inputs(http, silentLog);
  const resolved = await resolve(inputs, { stored: { hash, size: text.length } });
  expect(resolved.kind === "input" && textOf(resolved.input)).toBe('{"large":true}');
});

test("what the leader does not have is gone", async () => {
  serve({});
  const resolved = await resolve(new Inputs(http, silentLog), {
    stored: { hash: "a".repeat(64), size: 1 },
  });
  expect(resolved.kind).toBe("gone");
});

test("a reference that is no JSON ends its attempt", async () => {
  const line = new TextEncoder().encode("@{");
  const resolved = await new Promise<ResolvedInput>(
    (done) => void new Inputs(http, silentLog).resolve(jobOf(1), line, done),
  );
  expect(resolved.kind).toBe("gone");
});

test("only the leader's word that something is gone counts", async () => {
  serve({});
  leads = false;
  const inputs = new Inputs(http, silentLog);
  const resolved = resolve(inputs, { stored: { hash: "a".repeat(64), size: 1 } });
  await master.until(() => asked.length >= 2);
  leads = true;
  expect((await resolved).kind).toBe("gone");
});

test("a master that fails is asked again", async () => {
  let left = 2;
  master.http = (_request, response) => {
    if (left-- > 0) response.writeHead(503).end();
    else response.end("1\n");
  };
  const reference = { value: { $skein: 0 }, refs: [{ job: upstream }] };
  const resolved = await resolve(new Inputs(http, silentLog), reference);
  expect(resolved.kind).toBe("input");
});

test("splicing names a reference that is not there", () => {
  expect(() => spliced({ $skein: 1 }, [])).toThrow("reference 1 of 0");
});

test("a bundle is fetched once, verified and kept", async () => {
  const text = "export const a = 1;";
  const hash = hashOf(text);
  serve({ [`/v1/payloads/${hash}`]: text });
  const { signal } = new AbortController();
  const bundles = new Bundles({ folder, http, signal });
  const [file] = await Promise.all([bundles.path(hash), bundles.path(hash)]);
  expect(await readFile(file, "utf8")).toBe(text);
  expect(await new Bundles({ folder, http, signal }).path(hash)).toBe(file);
  expect(asked).toHaveLength(1);
});

test("a bundle with another hash is refused", async () => {
  const hash = "b".repeat(64);
  serve({ [`/v1/payloads/${hash}`]: "export {}" });
  const bundles = new Bundles({ folder, http, signal: new AbortController().signal });
  await expect(bundles.path(hash)).rejects.toMatchObject({ code: "payload_differs" });
});

test("a half written bundle of an earlier run is fetched again", async () => {
  const text = "export const whole = true;";
  const hash = hashOf(text);
  serve({ [`/v1/payloads/${hash}`]: text });
  await writeFile(join(folder, `${hash}.mjs`), "export const wh");
  const bundles = new Bundles({ folder, http, signal: new AbortController().signal });
  expect(await readFile(await bundles.path(hash), "utf8")).toBe(text);
});
