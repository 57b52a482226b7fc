import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/log.ts";
import { startTime } from "../../lib/proc.ts";
import { killLeftovers } from "./slot-folder.ts";
import { isAlive } from "./slot-trial.fixture.ts";

// A worker in a process of its own, that can be killed: it gives one attempt to a slot and prints what the
// attempt's processes print of themselves.
const worker = (code: object, dataDir: string) => `
  import { createExecutor } from ${JSON.stringify(new URL("./executor.ts", import.meta.url).href)};
  import { silentLog } from ${JSON.stringify(new URL("../../lib/log.ts", import.meta.url).href)};
  const executor = createExecutor({ dataDir: ${JSON.stringify(dataDir)}, workerId: "w",
    bundlePath: async () => ${JSON.stringify(join(dataDir, "bundle.mjs"))},
    storeResult: async () => { throw new Error("no"); }, log: silentLog });
  const job = { number: 1, id: "0123456789abcdef", task: "t", code: ${JSON.stringify(code)},
    needs: { amounts: {}, required: {}, preferred: {} }, labels: {}, attemptsMax: 1, finalErrors: [],
    timeouts: { queuedMs: 0, runMs: 0, silenceMs: 0 }, killGraceMs: 1000 };
  const nothing = () => {};
  const slot = executor.start(job, 1, { onReady: nothing, onOutcomes: nothing, onDropped: nothing,
    onStarted: nothing, onProgress: nothing, onExit: nothing });
  slot.give([{ task: 0, attempt: 1, fence: 1, input: Buffer.from("null") }]);
  setInterval(nothing, 1000);
`;

let dataDir: string;
let parent: ChildProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "skein-death-"));
});
afterEach(() => {
  parent?.kill("SIGKILL");
  killLeftovers(dataDir, silentLog);
  rmSync(dataDir, { recursive: true, force: true });
});

function startWorker(code: object, module: string): void {
  writeFileSync(join(dataDir, "bundle.mjs"), module);
  const source = worker(code, dataDir);
  const args = ["--import", "tsx", "--input-type=module", "-e", source];
  parent = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** Pids that the attempt's processes wrote into files of this folder. */
async function pidsOf(names: readonly string[]): Promise<number[]> {
  let pids: number[] = [];
  await until(() => {
    pids = names.map((name) => {
      try {
        return Number(readFileSync(join(dataDir, name), "utf8"));
      } catch {
        return 0;
      }
    });
    return pids.every((pid) => pid > 1);
  });
  return pids;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const busy = (folder: string) => `
  import { spawn } from "node:child_process";
  import { writeFileSync } from "node:fs";
  const run = () => {
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    writeFileSync(${JSON.stringify(folder)} + "/child", String(child.pid));
    writeFileSync(${JSON.stringify(folder)} + "/slot", String(process.pid));
    for (;;);
  };
  export const t = { [Symbol.for("skein.task")]: true, name: "t", run };`;

const functionCode = { kind: "function", bundle: "a".repeat(64) };

describe("when a worker is killed", () => {
  test("a slot in a busy loop and its children die with it (W7)", async () => {
    startWorker(functionCode, busy(dataDir));
    const pids = await pidsOf(["slot", "child"]);
    expect(pids.map(isAlive)).toEqual([true, true]);
    parent?.kill("SIGKILL");
    await until(() => !pids.some(isAlive));
  });

  test("a command and its children die with it", async () => {
    const script = `sleep 1000 & echo $! > ${dataDir}/child; echo $$ > ${dataDir}/shell
      echo $PPID > ${dataDir}/slot; wait`;
    startWorker({ kind: "command", argv: ["sh", "-c", script], env: {}, stdin: "none" }, "");
    const pids = await pidsOf(["slot", "shell", "child"]);
    parent?.kill("SIGKILL");
    await until(() => !pids.some(isAlive));
  });

  test("a daemon that left the command's group and session dies with it", async () => {
    const script = `setsid sh -c 'echo $$ > ${dataDir}/daemon; exec sleep 1000' &
      echo $PPID > ${dataDir}/slot; wait`;
    startWorker({ kind: "command", argv: ["sh", "-c", script], env: {}, stdin: "none" }, "");
    const pids = await pidsOf(["slot", "daemon"]);
    parent?.kill("SIGKILL");
    await until(() => !pids.some(isAlive));
  });

  test("a stopped slot, whose watchdog cannot act, is killed by the next worker's start", async () => {
    startWorker(functionCode, busy(dataDir));
    const [slot = 0, child = 0] = await pidsOf(["slot", "child"]);
    process.kill(slot, "SIGSTOP");
    parent?.kill("SIGKILL");
    await until(() => parent?.signalCode === "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([slot, child].map(isAlive)).toEqual([true, true]);
    expect(killLeftovers(dataDir, silentLog)).toBe(1);
    await until(() => ![slot, child].some(isAlive));
    expect(readdirSync(join(dataDir, "slots"))).toEqual([]);
  });

  test("a daemon that left its group is found by its environment", async () => {
    const cookie = "feedfacefeedface";
    const folder = join(dataDir, "slots", `3-${cookie}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "group.json"),
      JSON.stringify({ group: 999_999, start: "1", cookie }),
    );
    const env = { ...process.env, SKEIN_SLOT: cookie };
    const daemon = spawn("sleep", ["1000"], { detached: true, stdio: "ignore", env });
    await until(() => daemon.pid !== undefined && isAlive(daemon.pid));
    await until(() => readFileSync(`/proc/${daemon.pid}/environ`, "latin1").includes(cookie));
    expect(killLeftovers(dataDir, silentLog)).toBe(1);
    await until(() => daemon.signalCode === "SIGKILL");
  });

  test("a process that only has the same pid is left alone", async () => {
    const stranger = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
    const pid = stranger.pid ?? 0;
    const folder = join(dataDir, "slots", "4-0123456789abcdef");
    mkdirSync(folder, { recursive: true });
    const record = { group: pid, start: "12345", cookie: "0123456789abcdef" };
    expect(startTime(pid)).toMatch(/^\d+$/);
    writeFileSync(join(folder, "group.json"), JSON.stringify(record));
    expect(killLeftovers(dataDir, silentLog)).toBe(0);
    expect(isAlive(pid)).toBe(true);
    expect(readdirSync(join(dataDir, "slots"))).toEqual([]);
    stranger.kill("SIGKILL");
  });
});
