import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readLedger } from "./ledger.ts";
import { processesIn, until } from "./process-cluster.ts";

// The program's temporary directory, so that what it leaves there is seen.
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "skein-laptop-"));
  mkdirSync(join(dir, "tmp"));
});
afterEach(async () => {
  for (const pid of processesIn(dir)) process.kill(pid, "SIGKILL");
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

test("connect() without an address starts a cluster, and ends it: nothing is left", async () => {
  const { program, lines } = run("end");
  const [code] = (await once(program, "exit")) as [number | null];
  expect(lines).toEqual(["20"]);
  expect(code).toBe(0);
  expect(processesIn(dir)).toEqual([]);
  expect(readdirSync(join(dir, "tmp")).filter((name) => name.startsWith("skein"))).toEqual([]);
  expect(readLedger(join(dir, "ledger")).length).toBe(20);
});

test("when a program with a laptop cluster is killed, nothing of the cluster outlives it for long", async () => {
  const { program, lines } = run("hang");
  await until(() => lines.includes("running"));
  // The cluster, its slots, the command with its children, and the program.
  await until(() => readLedger(join(dir, "ledger")).length === 21 && processesIn(dir).length > 9);
  const count = processesIn(dir).length;
  const killedAt = performance.now();
  program.kill("SIGKILL");
  await until(() => processesIn(dir).length === 0, 15_000);
  const ms = Math.round(performance.now() - killedAt);
  console.log(`its program killed: ${count - 1} processes of a laptop cluster gone after ${ms} ms`);
});

function run(mode: "end" | "hang") {
  const file = fileURLToPath(new URL("./laptop-program.ts", import.meta.url));
  const { SKEIN_URL: _url, SKEIN_TOKEN: _token, SKEIN_DATA: _data, ...env } = process.env;
  const program = spawn(
    process.execPath,
    ["--import", "tsx", file, mode, join(dir, "ledger")],
    // One process: no shell between it and the signal.
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...env, TMPDIR: join(dir, "tmp"), TEST_CLUSTER: dir },
    },
  );
  const lines: string[] = [];
  createInterface({ input: program.stdout }).on("line", (line) => lines.push(line));
  return { program, lines };
}
