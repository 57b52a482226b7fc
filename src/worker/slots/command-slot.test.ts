import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isAlive, Trial, type TrialOptions } from "./slot-trial.fixture.ts";
import { SkeinError } from "../../protocol/errors.ts";

const shell = (script: string, more: Partial<TrialOptions["command"] & object> = {}) => ({
  argv: ["sh", "-c", script],
  env: {},
  stdin: "none" as const,
  ...more,
});

/** What is left of attempts in the slot's folder. */
function folders(trial: Trial): string[] {
  const [slot = ""] = readdirSync(join(trial.dataDir, "slots"));
  return readdirSync(join(trial.dataDir, "slots", slot)).filter((name) => name.startsWith("a"));
}

describe("a command", () => {
  test("succeeds with exit code 0 and the tail of its output", async () => {
    await using trial = new Trial({ command: shell("seq 1 2000; echo done") });
    const { reason, value, logBytes } = await trial.one();
    expect(reason).toBe("succeeded");
    expect(value).toMatchObject({ exitCode: 0, outputs: {} });
    expect(value.stdout).toMatch(/1999\n2000\ndone\n$/);
    expect(value.stdout.length).toBe(4_096);
    expect(logBytes).toBe(8_893 + 5);
    expect((await trial.output(0)).startsWith("1\n2\n3\n")).toBe(true);
  });

  test("fails with its exit code and its last output", async () => {
    await using trial = new Trial({ command: shell("echo out; echo err >&2; exit 3") });
    const { reason, value } = await trial.one();
    expect(reason).toBe("exit");
    expect(value).toMatchObject({ message: "exit code 3", exitCode: 3 });
    expect(value.tail).toContain("out\n");
    expect(value.tail).toContain("err\n");
  });

  test("that dies of a signal names it", async () => {
    await using trial = new Trial({ command: shell("kill -9 $$") });
    expect(await trial.one()).toMatchObject({ reason: "exit", value: { signal: "SIGKILL" } });
  });

  test("that is not there is a load error with a clear text", async () => {
    await using trial = new Trial({ command: { argv: ["no-such-tool"], env: {}, stdin: "none" } });
    const { reason, value } = await trial.one();
    expect(reason).toBe("load_error");
    expect(value.message).toMatch(/"no-such-tool" could not be started: there is no such program/);
    await trial.until(() => folders(trial).length === 0);
  });

  test("finds its input in its arguments, on stdin and in a file", async () => {
    await using trial = new Trial({
      command: {
        argv: ["sh", "-c", 'echo "$1|$2"; cat; cat "$SKEIN_INPUT"', "sh", "{}", "a{}b{}"],
        env: {},
        stdin: "input",
      },
    });
    const [object, text] = await trial.run({ n: 1 }, 'it\'s $& "x"');
    expect(object?.value.stdout).toBe('{"n":1}|a{"n":1}b{"n":1}\n{"n":1}\n{"n":1}\n');
    const json = JSON.stringify('it\'s $& "x"');
    expect(text?.value.stdout).toBe(`it's $& "x"|ait's $& "x"bit's $& "x"\n${json}\n${json}\n`);
  });

  test("whose input is too long for an argument is told where else it is", async () => {
    await using trial = new Trial({ command: { argv: ["echo", "{}"], env: {}, stdin: "none" } });
    const end = await trial.one("x".repeat(200_000));
    expect(end.reason).toBe("bad_input");
    expect(end.value.message).toMatch(/SKEIN_INPUT or stdin/);
  });

  test("has a clean environment, its own variables, and SKEIN_*", async () => {
    process.env.SECRET_OF_THE_WORKER = "1";
    await using trial = new Trial({ command: shell("env | sort", { env: { MINE: "yes" } }) });
    delete process.env.SECRET_OF_THE_WORKER;
    const { value } = await trial.one();
    const lines: string[] = value.stdout.trim().split("\n");
    const env = new Map(lines.map((line) => [line.split("=")[0] ?? "", line]));
    expect(env.get("MINE")).toBe("MINE=yes");
    expect(env.get("SKEIN_JOB")).toBe("SKEIN_JOB=0123456789abcdef");
    expect(env.get("SKEIN_TASK")).toBe("SKEIN_TASK=0");
    expect(env.get("SKEIN_ATTEMPT")).toBe("SKEIN_ATTEMPT=1");
    expect(env.get("SKEIN_FENCE")).toBe("SKEIN_FENCE=77");
    expect(env.has("SECRET_OF_THE_WORKER")).toBe(false);
    expect(env.get("TMPDIR")).toContain(trial.dataDir);
    expect(env.has("NODE_OPTIONS")).toBe(false);
  });

  test("runs in a fresh folder that is gone afterwards", async () => {
    await using trial = new Trial({ command: shell("ls -A; touch here; pwd") });
    const ends = await trial.run(1, 2);
    for (const { value } of ends) expect(value.stdout).toMatch(/^\/.*\/work\n$/);
    await trial.until(() => folders(trial).length === 0);
  });

  test("leaves files as named outputs", async () => {
    await using trial = new Trial({
      command: shell(`mkdir "$SKEIN_OUT/frames"; printf abc > "$SKEIN_OUT/frames/1.txt"
        printf de > "$SKEIN_OUT/top.bin"; ln -s /etc/passwd "$SKEIN_OUT/link"`),
    });
    const { reason, value, payloads } = await trial.one();
    expect(reason).toBe("succeeded");
    expect(Object.keys(value.outputs)).toEqual(["frames/1.txt", "top.bin"]);
    expect(payloads).toEqual([value.outputs["frames/1.txt"].hash, value.outputs["top.bin"].hash]);
    const { hash, size, encoding } = value.outputs["frames/1.txt"];
    expect({ size, encoding }).toEqual({ size: 3, encoding: "bytes" });
    expect(trial.payloads.get(hash)?.toString()).toBe("abc");
    expect(folders(trial)).toEqual([]);
  });

  test("of which one output cannot be stored names none: those that were are given up", async () => {
    const kept = new Set<string>();
    await using trial = new Trial({
      command: shell(`printf good > "$SKEIN_OUT/a"; printf large > "$SKEIN_OUT/b"`),
      executor: {
        storeResult: async (source) => {
          const text = "file" in source ? readFileSync(source.file, "utf8") : "";
          if (text === "large") throw new SkeinError("too_large", "It is too large");
          kept.add(text);
          return { hash: text, size: text.length };
        },
        forgetResults: (hashes) => {
          for (const hash of hashes) kept.delete(hash);
        },
      },
    });
    const { reason, payloads } = await trial.one();
    expect({ reason, payloads }).toEqual({ reason: "result_too_large", payloads: [] });
    expect([...kept]).toEqual([]);
  });

  test("that leaves very many files has a stored result", async () => {
    await using trial = new Trial({
      command: shell(`cd "$SKEIN_OUT"; for i in $(seq 300); do echo $i > f$i; done`),
    });
    const end = await trial.one();
    expect(end.stored).toBe(true);
    expect(Object.keys(end.value.outputs).length).toBe(300);
  });

  test("reports progress by lines on stdout, which stay in its log", async () => {
    await using trial = new Trial({
      command: shell(`echo "skein_progress: 40"; sleep 0.1; echo "openjd_progress: 60.5%"
        sleep 0.1; echo "openjd_status: saving"; sleep 0.1; echo not skein_progress: 99`),
    });
    await trial.one();
    expect(trial.progress).toEqual([
      { task: 0, percent: 40, message: undefined },
      { task: 0, percent: 60.5, message: undefined },
      { task: 0, percent: 60.5, message: "saving" },
    ]);
    expect(await trial.output(0)).toMatch(/^skein_progress: 40\nopenjd_progress/);
  });

  test("prints as fast as it can without loss", async () => {
    await using trial = new Trial({ command: shell("head -c 30000000 /dev/zero | tr '\\0' x") });
    const end = await trial.one();
    expect(end.logBytes).toBe(30_000_000);
    expect((await trial.output(0)).length).toBe(30_000_000);
  });
});

describe("the end of a command", () => {
  test("no process of it outlives it, daemons included", async () => {
    await using trial = new Trial({
      command: shell(`sleep 1000 & echo $!
        setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo $!
        (setsid sleep 1000 &) ; sleep 0.1; pgrep -f 'sleep 1000' > "$SKEIN_OUT/pids"`),
    });
    const { reason, value } = await trial.one();
    expect(reason).toBe("succeeded");
    const pids = value.stdout.trim().split("\n").map(Number);
    expect(pids.length).toBe(2);
    await trial.until(() => !pids.some(isAlive));
    const all = trial.payloads.get(value.outputs.pids.hash)?.toString().trim().split("\n") ?? [];
    const mine = all.filter((pid) => environ(pid).includes(trial.dataDir));
    expect(mine).toEqual([]);
    expect(trial.exit).toBe(undefined);
  });

  test("a cancel is SIGTERM to all of its processes, so that it can tidy up", async () => {
    await using trial = new Trial({
      command: shell(`trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.02; done`),
    });
    trial.give(1, 2);
    await trial.until(() => trial.started.includes(0));
    await new Promise((resolve) => setTimeout(resolve, 100));
    trial.slot.cancel(0, 1, 32, 10_000);
    trial.slot.cancel(1, 1, 32, 10_000);
    await trial.until(() => trial.ends.length === 2);
    expect(await trial.output(0)).toBe("ready\ntidied\n");
    expect(trial.exit).toBe(undefined);
  });

  test("one that ignores SIGTERM past its run timeout is killed, its slot lives on", async () => {
    await using trial = new Trial({
      command: shell(`trap '' TERM; echo $$; while :; do sleep 0.02; done`),
      job: { timeouts: { queuedMs: 0, runMs: 150, silenceMs: 0 }, killGraceMs: 100 },
    });
    const end = await trial.one();
    expect(end.reason).toBe("run_timeout");
    expect(end.value).toMatchObject({ signal: "SIGKILL" });
    expect(end.value.message).toMatch(/150 ms/);
    expect(isAlive(Number(await trial.output(0)))).toBe(false);
    expect(trial.exit).toBe(undefined);
  });

  test("a slot stopped by force takes its command with it", async () => {
    await using trial = new Trial({ command: shell("echo $$; sleep 1000") });
    trial.give(1);
    await trial.until(() => trial.started.includes(0));
    trial.slot.stop(true);
    await trial.until(() => trial.exit !== undefined);
    const pid = Number(await trial.output(0));
    expect(pid).toBeGreaterThan(1);
    await trial.until(() => !isAlive(pid));
    expect(trial.events).toEqual(["drained 0", "exit"]);
  });

  test("a warm slot runs commands of another job", async () => {
    await using trial = new Trial({ command: shell("echo one") });
    expect((await trial.one()).value.stdout).toBe("one\n");
    const code = { kind: "command" as const, ...shell("echo two") };
    trial.slot.serve({ ...trial.job, id: "fedcba9876543210", code });
    expect((await trial.one()).value.stdout).toBe("two\n");
  });
});

function environ(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}
