import { createHash } from "node:crypto";
import { access, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../lib/log.ts";
import { FakeMaster } from "./master.fixture.ts";
import { MasterHttp } from "./master-http.ts";
import { findResults, Results } from "./results.ts";

let master: FakeMaster;
let http: MasterHttp;
let dataDir: string;
let folder: string;
let results: Results;
let ending: AbortController;
/** What the leader has, and what it was asked. */
let stored: Map<string, string>;
let asked: string[];
let put: (hash: string, body: string) => number;

beforeEach(async () => {
  master = await FakeMaster.start();
  dataDir = await mkdtemp(join(tmpdir(), "skein-results-"));
  folder = join(dataDir, "results");
  stored = new Map();
  asked = [];
  put = (hash, body) => {
    stored.set(hash, body);
    return 201;
  };
  master.http = (request, response) => {
    const hash = request.url?.split("/").at(-1) ?? "";
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => void (body += chunk));
    request.on("end", () => {
      asked.push(`${request.method} ${hash.slice(0, 4)}`);
      if (request.method === "PUT") response.writeHead(put(hash, body)).end("{}");
      else response.writeHead(stored.has(hash) ? 200 : 404).end();
    });
  };
  http = new MasterHttp({
    urls: { leader: () => master.url, all: () => [master.url] },
    token: "secret",
    log: silentLog,
  });
  results = await open();
});
afterEach(async () => {
  ending.abort();
  await results[Symbol.asyncDispose]();
  await http[Symbol.asyncDispose]();
  await master[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

async function open(named: readonly string[] = []): Promise<Results> {
  ending = new AbortController();
  const found = await findResults(folder, named);
  return new Results({ folder, http, log: silentLog, signal: ending.signal, found });
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const brought = (...hashes: string[]): Promise<void> =>
  new Promise((resolve) => results.bring(hashes, resolve));
const settled = (): Promise<void> => results[Symbol.asyncDispose]();

async function give(text: string): Promise<string> {
  const file = join(dataDir, "of-the-slot");
  await writeFile(file, text);
  const { hash, size } = await results.store({ file });
  await rm(file);
  expect({ hash, size }).toEqual({ hash: hashOf(text), size: text.length });
  return hash;
}

test("a result is stored with the leader and kept in a file until it is recorded", async () => {
  results.begin(1);
  const hash = await give("frames");
  expect(stored.get(hash)).toBe("frames");
  expect(await readFile(join(folder, hash), "utf8")).toBe("frames");
  expect(results.bytes).toBe(6);
  expect(results.areHad([hash])).toBe(true);
  results.forget([hash]);
  await settled();
  expect(await readdir(folder)).toEqual([]);
  expect(results.bytes).toBe(0);
});

test("a small one from memory is kept in a file as well", async () => {
  const bytes = new TextEncoder().encode("small");
  const { hash } = await results.store({ bytes });
  expect(await readFile(join(folder, hash), "utf8")).toBe("small");
});

test("an upload is tried again while masters fail, and not kept when they refuse it", async () => {
  let tries = 0;
  put = () => (++tries === 1 ? 503 : 413);
  const bytes = new TextEncoder().encode("x");
  await expect(results.store({ bytes })).rejects.toMatchObject({ code: "too_large" });
  await settled();
  expect([tries, results.bytes, await readdir(folder)]).toEqual([2, 0, []]);
});

test("two outcomes with one result: the file goes with the last of them", async () => {
  results.begin(1);
  const hash = await give("same");
  await give("same");
  expect(asked.filter((one) => one.startsWith("PUT"))).toHaveLength(1);
  expect(results.bytes).toBe(4);
  results.forget([hash]);
  await settled();
  expect(await readdir(folder)).toEqual([hash]);
  results.forget([hash]);
  await settled();
  expect(await readdir(folder)).toEqual([]);
});

test("a result that comes while the file of an equal one is removed is kept", async () => {
  const hash = await give("again");
  results.forget([hash]);
  await give("again");
  await settled();
  expect(await readFile(join(folder, hash), "utf8")).toBe("again");
});

test("another leader is asked, and gets what it lacks", async () => {
  results.begin(1);
  const [here, lacking] = [await give("here"), await give("lacking")];
  stored.delete(lacking);
  asked = [];
  results.begin(2);
  expect(results.areHad([here])).toBe(false);
  await brought(here, lacking);
  expect(results.areHad([here, lacking])).toBe(true);
  expect(asked.toSorted()).toEqual(
    [here, lacking]
      .map((hash) => `HEAD ${hash.slice(0, 4)}`)
      .concat(`PUT ${lacking.slice(0, 4)}`)
      .toSorted(),
  );
  expect(stored.get(lacking)).toBe("lacking");
});

test("an upload that is answered after a change of leader counts for neither", async () => {
  results.begin(1);
  put = (hash, body) => {
    stored.set(hash, body);
    results.begin(2);
    return 201;
  };
  const hash = await give("late");
  expect(results.areHad([hash])).toBe(false);
});

test("an answer of a session that has ended is not heard", async () => {
  const hash = await give("late");
  let done = false;
  results.begin(1);
  results.bring([hash], () => (done = true));
  results.begin(2);
  await brought(hash);
  expect(done).toBe(false);
});

test("a leader without room is asked again; with room it gets the bytes", async () => {
  const hash = await give("patience");
  stored.clear();
  let tries = 0;
  put = (to, body) => {
    if (++tries < 3) return 507;
    stored.set(to, body);
    return 201;
  };
  results.begin(1);
  await brought(hash);
  expect([tries, stored.get(hash)]).toEqual([3, "patience"]);
});

test("what is recorded while it is brought is not waited for", async () => {
  const hash = await give("recorded");
  stored.clear();
  put = () => {
    results.forget([hash]);
    return 503;
  };
  results.begin(1);
  await brought(hash);
  await settled();
  expect(await readdir(folder)).toEqual([]);
});

test("lost here too, or damaged: it is not waited for, and never sent as what it is not", async () => {
  const [lost, damaged] = [await give("lost"), await give("damaged")];
  await rm(join(folder, lost));
  await writeFile(join(folder, damaged), "DAMAGED");
  stored.clear();
  results.begin(1);
  await brought(lost, damaged);
  expect(results.areHad([lost, damaged])).toBe(true);
  expect(stored.size).toBe(0);
  // An equal result that is made anew is no less stored for that.
  expect(stored.has(await give("lost"))).toBe(true);
});

test("the next life finds what its predecessor's reports name; the rest is removed", async () => {
  const [twice, once] = [await give("named twice"), await give("not named")];
  results = await open([twice, twice]);
  expect(await readdir(folder)).toEqual([twice]);
  stored.clear();
  results.begin(1);
  await brought(twice);
  expect([...stored.keys()]).toEqual([twice]);
  results.forget([twice]);
  await settled();
  await access(join(folder, twice));
  results.forget([twice]);
  await settled();
  expect(await readdir(folder)).toEqual([]);
  expect(once).not.toBe(twice);
});

test("many are asked for at one time, but not all", async () => {
  const hashes: string[] = [];
  for (let i = 0; i < 30; i++) hashes.push(await give(`result ${i}`));
  let now = 0;
  let most = 0;
  master.http = (_request, response) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      now--;
      response.end();
    }, 5);
  };
  results.begin(1);
  await brought(...hashes);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(8);
});
