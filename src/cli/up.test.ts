// `skein up` and what runs on it, as real processes of the compiled CLI.

import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { delay } from "../lib/abort.ts";
import type { MastersView, StatusView } from "../protocol/views.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const { SKEIN_URL: _url, SKEIN_TOKEN: _token, ...plainEnv } = process.env;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-up-test-"));
  const module =
    'import { defineTask } from "skein";\n' +
    'export const square = defineTask({ name: "square", run: async (n) => {\n' +
    "  if (n === 13) throw new RangeError(`no luck with ${n}`);\n" +
    "  return n * n;\n" +
    "} });\n";
  await writeFile(join(folder, "square.ts"), module);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a cluster on this machine", () => {
  test("runs commands and maps, and leaves nothing behind", async () => {
    await using up = await startUp("a", ["--workers", "2"]);
    expect(up.ready.pids.workers.map(({ id }) => id.slice(-2))).toEqual(["-1", "-2"]);

    const ran = await skein("a", ["run", "--", "sh", "-c", "echo hi; echo oh >&2; exit 3"]);
    expect(ran).toMatchObject({ code: 3, stdout: "hi\n" });
    expect(ran.stderr).toMatch(/^oh\n.* job [0-9a-f]{8} failed: exit code 3 after /);

    const mapped = await skein("a", ["map", join(folder, "square.ts"), "--input", "1..12"]);
    const squares = Array.from({ length: 12 }, (_, i) => `${(i + 1) ** 2}\n`).join("");
    expect(mapped).toEqual({ code: 0, stdout: squares, stderr: "" });

    const failing = await skein("a", ["map", join(folder, "square.ts"), "--input", "12..14"]);
    expect(failing).toMatchObject({ code: 1, stdout: "144\nnull\n196\n" });
    expect(failing.stderr).toContain("/1 failed: RangeError: no luck with 13");

    const jobs = JSON.parse((await skein("a", ["job", "list", "--json"])).stdout);
    expect(jobs).toMatchObject({ apiVersion: "skein/v1", total: 3 });

    up.child.kill("SIGTERM");
    expect(await up.exit()).toBe(0);
    expect(up.pids().filter(isAlive)).toEqual([]);
  });

  test("dies with its owner, and with `up` itself, however that dies", async () => {
    await using owned = await startUp("b", ["--exit-with-stdin"]);
    owned.child.stdin.end();
    expect(await owned.exit()).toBe(0);
    await using killed = await startUp("b", []);
    killed.child.kill("SIGKILL");
    await killed.exit();
    for (let i = 0; i < 100 && killed.pids().some(isAlive); i++) await delay(50);
    expect(killed.pids().filter(isAlive)).toEqual([]);
  });

  test("lets running tasks end on Ctrl-C, and goes on where it was", async () => {
    await using up = await startUp("c", []);
    const running = skein("c", ["run", "--", "sh", "-c", "echo go; sleep 3; echo done"]);
    await untilRunning("c");
    up.child.kill("SIGINT");
    expect(await running).toMatchObject({ code: 0, stdout: "go\ndone\n" });
    expect(await up.exit()).toBe(0);
    await using again = await startUp("c", []);
    const { stdout } = await skein("c", ["job", "list", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ total: 1, items: [{ state: "succeeded" }] });
    again.child.kill("SIGTERM");
    expect(await again.exit()).toBe(0);
  });

  test("ends at once on the second Ctrl-C", async () => {
    await using up = await startUp("d", []);
    const { stdout } = await skein("d", ["run", "-d", "--", "sleep", "60"]);
    expect(stdout).toMatch(/^[0-9a-f]{16}\n$/);
    await delay(500);
    up.child.kill("SIGINT");
    await delay(300);
    const begin = performance.now();
    up.child.kill("SIGINT");
    expect(await up.exit()).toBe(130);
    expect(performance.now() - begin).toBeLessThan(3_000);
    expect(up.pids().filter(isAlive)).toEqual([]);
  });

  test("says who died, and how to start it again", async () => {
    await using up = await startUp("e", []);
    const [worker] = up.ready.pids.workers;
    process.kill(worker?.pid ?? 0, "SIGKILL");
    await up.says(/The worker \S+ \(pid \d+\) ended: killed by SIGKILL/);
    await up.says(/skein worker --data \S+ --id /);
    const second = await skein("e", ["up", "--data", join(folder, "e"), "--port", "0"]);
    expect(second).toMatchObject({ code: 5 });
    expect(second.stderr).toContain("works in");
    const port = new URL(up.ready.url).port;
    const busy = await skein("f", ["up", "--data", join(folder, "f"), "--port", port]);
    expect(busy).toMatchObject({ code: 5 });
    expect(busy.stderr).toContain(`Port ${port} on 127.0.0.1 is in use`);
  });
});

describe("a cluster of three masters", () => {
  test("says who died and how to start it again, works on, and ends without an election", async () => {
    await using up = await startUp("g", ["--masters", "3"]);
    expect(up.ready.masters.map(({ id }) => id)).toEqual(["m1", "m2", "m3"]);
    const leaderIn = async () => {
      const { stdout } = await skein("g", ["master", "list", "--json"]);
      const { items, term } = JSON.parse(stdout) as MastersView;
      return { id: items.find(({ state }) => state === "leading")?.id, term };
    };
    const before = await leaderIn();
    const dead = up.ready.masters.find(({ id }) => id === before.id);
    process.kill(dead?.pid ?? 0, "SIGKILL");
    await up.says(new RegExp(`The master ${before.id} \\(pid \\d+\\) ended: killed by SIGKILL`));
    await up.says(new RegExp(`skein master --data \\S+ --id ${before.id} --port \\d+`));
    expect(await skein("g", ["run", "--", "echo", "hi"])).toMatchObject({
      code: 0,
      stdout: "hi\n",
    });
    const after = await leaderIn();
    expect(after.id).not.toBe(before.id);
    const { stdout } = await skein("g", ["status"]);
    expect(stdout).toContain("Can lose 1 of 2 masters, and no machine");

    up.child.kill("SIGTERM");
    expect(await up.exit()).toBe(0);
    expect(up.pids().filter(isAlive)).toEqual([]);
    // Started again, the first election is of the next term: nobody was elected while they ended.
    await using again = await startUp("g", []);
    expect((await leaderIn()).term).toBe(after.term + 1);
    again.child.kill("SIGTERM");
    expect(await again.exit()).toBe(0);
  });
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(name: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  const env = { ...plainEnv, SKEIN_DATA: join(folder, name) };
  return spawn(process.execPath, [main, ...args], { env });
}

async function skein(name: string, args: readonly string[]): Promise<Ran> {
  const child = start(name, args);
  child.stdin.end();
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

async function untilRunning(name: string): Promise<void> {
  for (let i = 0; i < 50; i++) {
    const { stdout } = await skein(name, ["status", "--json"]);
    if ((JSON.parse(stdout) as StatusView).tasks.assigned > 0) return;
  }
  throw new Error("no task was started");
}

interface ReadyLine {
  readonly url: string;
  readonly masters: readonly { readonly id: string; readonly pid: number }[];
  readonly pids: {
    readonly master: number;
    readonly workers: readonly { readonly id: string; readonly pid: number }[];
  };
}

async function startUp(name: string, more: readonly string[]) {
  const child = start(name, ["up", "--port", "0", "--json", ...more]);
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  let stderr = "";
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk) => resolve(String(chunk)));
    void exited.then((code) => reject(new Error(`up ended with ${code}: ${stderr}`)));
  });
  const ready = JSON.parse(line) as ReadyLine;
  return {
    child,
    ready,
    exit: () => exited,
    pids: () => [...ready.masters, ...ready.pids.workers].map(({ pid }) => pid),
    says: async (pattern: RegExp) => {
      for (let i = 0; i < 100 && !pattern.test(stderr); i++) await delay(50);
      expect(stderr).toMatch(pattern);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
