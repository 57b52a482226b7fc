import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fakeCluster, fakeJob, fakeWorker, page, problem, run } from "../fakes.fixture.ts";
import type { FakeCluster, FakeOptions } from "../fakes.fixture.ts";

const queue = {
  name: "film",
  paused: false,
  pausedReason: null,
  weight: 1_000,
  runningMax: 0,
  queuedMax: 0,
  waiting: 3,
  assigned: 0,
  jobs: 1,
};
const patient = { SKEIN_COMPLETE_MS: "20000" };

function cluster(): Promise<FakeCluster> {
  return fakeCluster({
    "GET /v1/jobs": () => page([fakeJob(), fakeJob({ id: "77aa00112233ffee", state: "running" })]),
    "GET /v1/workers": () => page([fakeWorker({ hostname: "evil\u001b[31m\nhost" })]),
    "GET /v1/queues": () => page([queue]),
  });
}

async function offered(fake: FakeCluster, words: string, options: FakeOptions = {}) {
  const env = { ...patient, ...options.env };
  const ran = await fake.run(`__complete -- ${words}`, { ...options, env });
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  return ran.stdout.split("\n").slice(0, -1);
}
const valuesOf = (lines: readonly string[]) => lines.map((line) => line.split("\t")[0]);

describe("what is offered", () => {
  test("are commands, and then theirs", async () => {
    await using fake = await cluster();
    expect(await offered(fake, "jo")).toEqual(["job\tlist, get, cancel, retry, report jobs"]);
    expect(valuesOf(await offered(fake, "job ''"))).toEqual(
      expect.arrayContaining(["list", "get", "cancel", "retry", "report"]),
    );
    expect(valuesOf(await offered(fake, "''"))).not.toContain("__complete");
    expect(valuesOf(await offered(fake, "help st"))).toEqual(["status"]);
    expect(valuesOf(await offered(fake, "completion ''"))).toEqual(["bash", "zsh", "fish"]);
  });

  test("are options that were not given yet, and their words", async () => {
    await using fake = await cluster();
    expect(valuesOf(await offered(fake, "status --"))).toEqual(
      expect.arrayContaining(["--json", "--url", "--help"]),
    );
    expect(valuesOf(await offered(fake, "status --json --js"))).toEqual([]);
    expect(await offered(fake, "doctor --backup x --ba")).toEqual([]);
  });

  test("are jobs, workers and queues of the cluster", async () => {
    await using fake = await cluster();
    expect(await offered(fake, "job get ''")).toEqual([
      "4f2a91c0\tsquare, succeeded",
      "77aa0011\tsquare, running",
    ]);
    for (const command of ["logs", "why", "results", "task list", "job cancel 4f2a91c0"]) {
      expect(valuesOf(await offered(fake, `${command} 7`))).toEqual(["77aa0011"]);
    }
    expect(await offered(fake, "worker drain la")).toEqual(["laptop\tactive, on evil [31m host"]);
    expect(await offered(fake, "queue pause ''")).toEqual(["film\t3 tasks waiting"]);
    expect(valuesOf(await offered(fake, "run --queue ''"))).toEqual(["film"]);
  });

  test("are files where the command wants one", async () => {
    await using fake = await cluster();
    for (const words of ["map ''", "job report 4f2a ''", "run -- ''", "status --token-file ''"]) {
      expect(await offered(fake, words)).toEqual([":files"]);
    }
  });

  test("is nothing, without a word, where the cluster refuses or is not known", async () => {
    await using fake = await fakeCluster({ "GET /v1/jobs": () => problem("unauthorized", "No.") });
    expect(await offered(fake, "job get ''")).toEqual([]);
    const nowhere = { SKEIN_DATA: join(tmpdir(), "skein-no-such-directory") };
    const ran = await run("__complete -- job get ''", { env: nowhere });
    expect(ran).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("does not wait for a master that is silent", async () => {
    const sockets = new Set<{ destroy(): void }>();
    const server = createServer((socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const env = { SKEIN_URL: `http://127.0.0.1:${port}`, SKEIN_TOKEN: "t" };
    // That it ends at all shows it: nobody ever answers there.
    const ran = await run("__complete -- job get ''", { env });
    expect(ran).toEqual({ code: 0, stdout: "", stderr: "" });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

test("a shell that is not known is refused with the ones that are", async () => {
  const { code, stderr } = await run("completion tcsh");
  expect(code).toBe(2);
  expect(stderr).toContain("Allowed choices are bash, zsh, fish.");
  const { stdout } = await run("completion fish", { columns: 80 });
  expect(stdout).toMatch(/^# fish completion for skein/);
});

describe("bash", () => {
  const exec = promisify(execFile);
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const tsx = import.meta.resolve("tsx");
  let bin = "";
  beforeAll(async () => {
    bin = await mkdtemp(join(tmpdir(), "skein-bash-"));
    const program = `#!/bin/sh\nexec "${process.execPath}" --import "${tsx}" "${main}" "$@"\n`;
    await writeFile(join(bin, "skein"), program);
    await chmod(join(bin, "skein"), 0o755);
  });
  afterAll(() => rm(bin, { recursive: true, force: true }));

  /** Completes as readline would, with the cursor after the last word. */
  async function pressTab(fake: FakeCluster, ...words: readonly string[]) {
    const script = `
      eval "$(skein completion bash)"
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _skein
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const place = { SKEIN_URL: fake.url, SKEIN_TOKEN: "secret" };
    const env = { ...process.env, ...patient, ...place, PATH: `${bin}:${process.env["PATH"]}` };
    const args = ["--norc", "-c", script, "bash", ...words];
    const { stdout, stderr } = await exec("bash", args, { env });
    expect(stderr).toBe("");
    return stdout.trim().split("\n");
  }

  test("completes commands and ids", async () => {
    await using fake = await cluster();
    expect(await pressTab(fake, "skein", "que")).toEqual(["queue"]);
    expect(await pressTab(fake, "skein", "job", "get", "")).toEqual(["4f2a91c0", "77aa0011"]);
  }, 60_000);
});
