import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdirSync, truncateSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openPayloadStore, type PayloadStore } from "./payload-store.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "skein-payloads-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const limit = { maxBytes: 64 * 1024 * 1024 };
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const fileOf = (hash: string, size: number) => join(dir, hash.slice(0, 2), `${hash}.${size}`);

async function* chunksOf(bytes: Uint8Array, length = 10_000): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function collect(source: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `toEqual` compares megabytes one element at a time. */
function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

function leftovers(): string[] {
  return readdirSync(join(dir, "incoming"));
}

describe("what was put can be read", () => {
  test("from a stream, from memory, in ranges, and after it was opened again", async () => {
    const store = await openPayloadStore({ dir });
    for (const bytes of [new Uint8Array(0), randomBytes(1), randomBytes(700_000)]) {
      const hash = sha(bytes);
      expect(await store.put(hash, chunksOf(bytes), limit)).toBe(bytes.length);
      expect(await store.put(hash, bytes, limit)).toBe(bytes.length);
      expect(store.size(hash)).toBe(bytes.length);
      for (const each of [store, await openPayloadStore({ dir })]) {
        expect(each.has(hash)).toBe(true);
        expect(same(await each.bytes(hash), bytes)).toBe(true);
        expect(same(await collect((await each.read(hash))?.stream), bytes)).toBe(true);
        const part = await each.read(hash, { start: 100, end: 300_000 });
        expect(part?.size).toBe(bytes.length);
        expect(same(await collect(part?.stream), bytes.subarray(100, 300_000))).toBe(true);
      }
    }
    expect(store.usage()).toEqual({ payloads: 3, bytes: 700_001 });
    expect([...store.hashes()]).toHaveLength(3);
    expect(leftovers()).toEqual([]);
  });

  test("a payload that is not here is undefined, missing and frees nothing", async () => {
    const store = await openPayloadStore({ dir });
    const hash = sha(Buffer.from("x"));
    expect(await store.read(hash)).toBeUndefined();
    expect(await store.bytes(hash)).toBeUndefined();
    expect(await store.verify(hash)).toBe("missing");
    expect(await store.delete([hash, "../../etc/passwd"])).toBe(0);
  });

  test("a deleted payload is gone, and who reads it at that moment reads on", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(3_000_000);
    const hash = sha(bytes);
    await store.put(hash, bytes, limit);
    const reading = await store.read(hash);
    expect(await store.delete([hash])).toBe(bytes.length);
    expect(store.has(hash)).toBe(false);
    expect(store.usage()).toEqual({ payloads: 0, bytes: 0 });
    expect(same(await collect(reading?.stream), bytes)).toBe(true);
    expect((await openPayloadStore({ dir })).has(hash)).toBe(false);
  });
});

describe("what is refused leaves nothing", () => {
  test("bytes with another hash", async () => {
    const store = await openPayloadStore({ dir });
    const hash = sha(Buffer.from("expected"));
    const wrong = Buffer.from("received");
    await expect(store.put(hash, chunksOf(wrong), limit)).rejects.toMatchObject({
      code: "payload_differs",
    });
    expect(store.has(hash)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test("more bytes than allowed, also for a payload that is present", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(50_000);
    const hash = sha(bytes);
    const small = { maxBytes: 49_999 };
    await expect(store.put(hash, chunksOf(bytes), small)).rejects.toMatchObject({
      code: "too_large",
    });
    await expect(store.put(hash, bytes, small)).rejects.toMatchObject({ code: "too_large" });
    expect(leftovers()).toEqual([]);
    await store.put(hash, bytes, limit);
    await expect(store.put(hash, chunksOf(bytes), small)).rejects.toMatchObject({
      code: "too_large",
    });
  });

  test("a source that breaks off: its own error is passed on", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(50_000);
    async function* broken(): AsyncIterable<Uint8Array> {
      yield bytes.subarray(0, 30_000);
      throw new Error("the client hung up");
    }
    await expect(store.put(sha(bytes), broken(), limit)).rejects.toThrow("the client hung up");
    expect(store.has(sha(bytes))).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test("a name that is not a hash", async () => {
    const store = await openPayloadStore({ dir });
    for (const name of ["../x", "", "A".repeat(64), `${"a".repeat(64)}/`, "a".repeat(63)]) {
      await expect(store.put(name, new Uint8Array(1), limit)).rejects.toMatchObject({
        code: "bad_request",
      });
      expect(store.has(name)).toBe(false);
    }
  });

  test("a present payload sent again with other bytes of another length", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(1000);
    await store.put(sha(bytes), bytes, limit);
    await expect(store.put(sha(bytes), randomBytes(999), limit)).rejects.toMatchObject({
      code: "payload_differs",
    });
    expect(await store.verify(sha(bytes))).toBe("intact");
  });
});

describe("puts at the same time", () => {
  test("of one hash leave one payload and no drafts", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(300_000);
    const hash = sha(bytes);
    const puts = Array.from({ length: 12 }, (_, i) =>
      store.put(hash, i % 2 === 0 ? bytes : chunksOf(bytes, 1000 * (i + 1)), limit),
    );
    expect(await Promise.all(puts)).toEqual(puts.map(() => bytes.length));
    expect(store.usage()).toEqual({ payloads: 1, bytes: bytes.length });
    expect(leftovers()).toEqual([]);
    expect(await store.verify(hash)).toBe("intact");
  });

  test("a client that stalls does not hold up another with the same payload", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(100_000);
    const hash = sha(bytes);
    let goOn = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    async function* stalling(): AsyncIterable<Uint8Array> {
      yield bytes.subarray(0, 40_000);
      await gate;
      yield bytes.subarray(40_000);
    }
    const slow = store.put(hash, stalling(), limit);
    expect(await store.put(hash, bytes, limit)).toBe(bytes.length);
    goOn();
    expect(await slow).toBe(bytes.length);
    expect(leftovers()).toEqual([]);
  });

  test("a wrong one does not spoil a right one of the same hash", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(100_000);
    const other = randomBytes(100_000);
    const wrong = store.put(sha(bytes), chunksOf(other), limit);
    const right = store.put(sha(bytes), chunksOf(bytes), limit);
    await expect(wrong).rejects.toMatchObject({ code: "payload_differs" });
    expect(await right).toBe(bytes.length);
    expect(await store.verify(sha(bytes))).toBe("intact");
  });

  test("freeing and storing the same hash over and over ends as the last one said", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(2_000);
    const hash = sha(bytes);
    for (let round = 0; round < 30; round++) {
      const steps: Promise<unknown>[] = [];
      if (store.has(hash)) steps.push(store.delete([hash]));
      steps.push(store.put(hash, chunksOf(bytes, 100), limit));
      await Promise.all(steps);
      expect(store.has(hash)).toBe(true);
      expect(await store.verify(hash)).toBe("intact");
    }
  });
});

describe("damage", () => {
  test("a flipped byte is found, set aside, and the payload can be stored again", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(400_000);
    const hash = sha(bytes);
    await store.put(hash, bytes, limit);
    const file = fileOf(hash, bytes.length);
    const flipped = readFileSync(file);
    flipped[200_000] = (flipped[200_000] ?? 0) ^ 1;
    writeFileSync(file, flipped);
    expect(await store.bytes(hash)).toBeUndefined();
    expect(store.has(hash)).toBe(false);
    expect(readdirSync(join(dir, "damaged"))).toHaveLength(1);
    await store.put(hash, bytes, limit);
    expect(await store.verify(hash)).toBe("intact");
  });

  test("a file of the wrong length or name is set aside at open", async () => {
    const bytes = randomBytes(5_000);
    const hash = sha(bytes);
    await (await openPayloadStore({ dir })).put(hash, bytes, limit);
    truncateSync(fileOf(hash, bytes.length), 4_999);
    writeFileSync(join(dir, "00", "notes.txt"), "hello");
    const store = await openPayloadStore({ dir });
    expect(store.has(hash)).toBe(false);
    expect(store.usage()).toEqual({ payloads: 0, bytes: 0 });
    expect(readdirSync(join(dir, "damaged"))).toHaveLength(2);
  });

  test("a file that somebody removed counts as missing once it is asked for", async () => {
    const store = await openPayloadStore({ dir });
    const bytes = randomBytes(5_000);
    await store.put(sha(bytes), bytes, limit);
    rmSync(fileOf(sha(bytes), bytes.length));
    expect(await store.read(sha(bytes))).toBeUndefined();
    expect(store.has(sha(bytes))).toBe(false);
    expect(store.usage()).toEqual({ payloads: 0, bytes: 0 });
  });
});

test("a process killed in the middle of a put leaves only whole payloads (P1)", async () => {
  const script = join(dir, "child.mts");
  const url = (path: string) => JSON.stringify(pathToFileURL(path).href);
  writeFileSync(
    script,
    `import { openPayloadStore } from ${url(join(import.meta.dirname, "payload-store.ts"))};
     const store = await openPayloadStore({ dir: ${JSON.stringify(join(dir, "store"))} });
     const { createHash } = await import("node:crypto");
     const whole = Buffer.alloc(100_000, 1);
     await store.put(createHash("sha256").update(whole).digest("hex"), whole, { maxBytes: 1e9 });
     async function* endless() {
       for (;;) {
         yield Buffer.alloc(10_000, 2);
         await new Promise((resolve) => setTimeout(resolve, 5));
         process.stdout.write("putting\\n");
       }
     }
     await store.put("ab".repeat(32), endless(), { maxBytes: 1e9 });`,
  );
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const child = spawn(process.execPath, ["--import", tsx, script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  const incoming = join(dir, "store", "incoming");
  expect(readdirSync(incoming)).toHaveLength(1);
  const store = await openPayloadStore({ dir: join(dir, "store") });
  expect(readdirSync(incoming)).toEqual([]);
  expect([...store.hashes()]).toEqual([sha(Buffer.alloc(100_000, 1))]);
  expect(await store.verify(sha(Buffer.alloc(100_000, 1)))).toBe("intact");
});

test("a full disk is said so, and what fits is taken", async ({ skip }) => {
  const at = tinyDisk();
  if (at === undefined) return skip("only root on Linux can make a small file system");
  try {
    const store: PayloadStore = await openPayloadStore({ dir: at });
    const large = randomBytes(8_000_000);
    const failed = store.put(sha(large), chunksOf(large), limit);
    await expect(failed).rejects.toMatchObject({ code: "journal_full" });
    expect(store.has(sha(large))).toBe(false);
    const small = randomBytes(100_000);
    expect(await store.put(sha(small), chunksOf(small), limit)).toBe(small.length);
    expect(await store.verify(sha(small))).toBe("intact");
  } finally {
    execFileSync("umount", [at]);
    rmSync(at, { recursive: true, force: true });
  }
});

/** A file system of 4 MiB; only root on Linux can make one. */
function tinyDisk(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const at = join(tmpdir(), `skein-tiny-${process.pid}`);
  try {
    mkdirSync(at, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", at], { stdio: "ignore" });
    return at;
  } catch {
    return undefined; // no right to mount in this container
  }
}
