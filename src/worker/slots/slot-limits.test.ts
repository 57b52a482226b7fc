import { describe, expect, test } from "vitest";
import { Trial } from "./slot-trial.fixture.ts";

const timeouts = (more: { runMs?: number; silenceMs?: number }) => ({
  timeouts: { queuedMs: 0, runMs: 0, silenceMs: 0, ...more },
});
const memory = (mib: number) => ({
  needs: { amounts: { memory: mib * 1_000 }, required: {}, preferred: {} },
});

describe("timeouts", () => {
  test("a busy loop is killed when its run timeout and grace are over (T2, W7)", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => { for (;;); });`,
      job: { ...timeouts({ runMs: 150 }), killGraceMs: 100 },
    });
    const began = performance.now();
    trial.give(1, 2);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["run_timeout 0", "dropped 1", "exit"]);
    expect(trial.ends[0]?.value.message).toMatch(/run timeout of 150 ms/);
    expect(performance.now() - began).toBeGreaterThan(250);
  });

  test("a task that heeds its signal ends in time, and the slot lives on", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i, { signal }) => i ?? new Promise((done) =>
        signal.addEventListener("abort", () => done("too late: " + signal.reason.name))));`,
      job: { ...timeouts({ runMs: 100 }), killGraceMs: 10_000 },
    });
    const [late, next] = await trial.run(null, 5);
    expect(late?.reason).toBe("run_timeout");
    expect(next).toMatchObject({ reason: "succeeded", value: 5 });
    expect(trial.exit).toBe(undefined);
  });

  test("loading and setup are not run time", async () => {
    await using trial = new Trial({
      module: `const wait = (ms) => new Promise((done) => setTimeout(done, ms));
        await wait(150);
        export const t = task("t", () => wait(50), { setup: () => wait(150) });`,
      job: timeouts({ runMs: 120 }),
    });
    const end = await trial.one();
    expect(end.reason).toBe("succeeded");
    expect(end.micros).toBeLessThan(120_000);
  });

  test("each short task has the whole of its timeout", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => new Promise((done) => setTimeout(done, 30)));`,
      job: timeouts({ runMs: 90 }),
    });
    const ends = await trial.run(...Array(12).keys());
    expect(ends.every((end) => end.reason === "succeeded")).toBe(true);
  });

  test("silence is ended, output and progress are not silence", async () => {
    await using trial = new Trial({
      module: `const wait = (ms) => new Promise((done) => setTimeout(done, ms));
        export const t = task("t", async (how, ctx) => {
          for (let i = 0; i < 12; i++) {
            await wait(50);
            if (how === "print") console.log(i);
            if (how === "report") ctx.progress(i);
          } });`,
      job: { ...timeouts({ silenceMs: 250 }), killGraceMs: 5_000 },
    });
    const ends = await trial.run("print", "report", "nothing");
    expect(ends.map((end) => end.reason)).toEqual(["succeeded", "succeeded", "silence_timeout"]);
    expect(ends[2]?.value.message).toMatch(/250 ms/);
  });

  test("a synchronous task that prints is not silent", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => {
        for (let i = 0; i < 10; i++) {
          const until = performance.now() + 60;
          while (performance.now() < until);
          console.log(i);
        } });`,
      job: timeouts({ silenceMs: 250 }),
    });
    expect((await trial.one()).reason).toBe("succeeded");
  });
});

describe("memory", () => {
  test("a heap that outgrows the task's memory ends as out of memory", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i) => { if (i === 0) return 0;
        const all = []; for (;;) all.push({ i, list: new Array(100).fill(i) }); });`,
      job: memory(100),
    });
    trial.give(0, 1, 2);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["succeeded 0", "out_of_memory 1", "dropped 2", "exit"]);
    expect(trial.ends[1]?.value.message).toMatch(/100 MiB/);
  });

  test("memory outside the heap counts as well", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", async () => {
        globalThis.all = Buffer.alloc(400 << 20, 1);
        await new Promise((done) => setTimeout(done, 10_000)); });`,
      job: memory(200),
    });
    const end = await trial.one();
    expect(end.reason).toBe("out_of_memory");
    expect(end.value.message).toMatch(/it used \d{3} MiB, more than its 200 MiB/);
  });

  test("memory of a command is that of all its processes", async () => {
    await using trial = new Trial({
      command: {
        argv: [
          "sh",
          "-c",
          `${process.execPath} -e 'a=Buffer.alloc(300<<20,1);setTimeout(()=>{},9e3)' ; true`,
        ],
        env: {},
        stdin: "none",
      },
      job: memory(200),
    });
    expect((await trial.one()).reason).toBe("out_of_memory");
    expect(trial.exit).toBe(undefined);
  });
});

describe("output", () => {
  test("what each of many short tasks prints is in its own log, exactly", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", async (i) => {
        if (i % 2) console.log("out", i);
        if (i % 5 === 0) { await null; console.error("err", i); }
        if (i % 7 === 0) process.stdout.write(Buffer.from("bytes " + i)); });`,
    });
    const inputs = [...Array(500).keys()];
    const ends = await trial.run(...inputs);
    for (const i of inputs) {
      const out = `${i % 2 ? `out ${i}\n` : ""}${i % 7 === 0 ? `bytes ${i}` : ""}`;
      const err = i % 5 === 0 ? `err ${i}\n` : "";
      expect(ends[i]?.logBytes).toBe(out.length + err.length);
      if (out !== "") expect(await trial.output(i)).toBe(out);
      if (err !== "") expect(await trial.output(i, "stderr")).toBe(err);
    }
  });

  test("ctx.log writes lines of JSON", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (_, ctx) => {
        ctx.log.info("half way", { frame: 7 }); ctx.log.error("oh"); });`,
    });
    await trial.one();
    const line = JSON.parse(await trial.output(0)) as Record<string, unknown>;
    expect(line).toMatchObject({ level: "info", msg: "half way", frame: 7 });
    expect(JSON.parse(await trial.output(0, "stderr"))).toMatchObject({ level: "error" });
  });

  test("output of a child process and of the file descriptor itself is kept", async () => {
    await using trial = new Trial({
      module: `import { execSync } from "node:child_process"; import { writeSync } from "node:fs";
        export const t = task("t", () => {
          writeSync(1, "by itself\\n"); execSync("echo from a child", { stdio: "inherit" }); });`,
    });
    const end = await trial.one();
    expect(await trial.output(0)).toBe("by itself\nfrom a child\n");
    expect(end.logBytes).toBe(23);
  });

  test("what is printed before a crash is kept", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => { console.log("last words"); process.abort(); });`,
    });
    expect((await trial.one()).reason).toBe("crashed");
    expect(await trial.output(0)).toBe("last words\n");
  });

  test("a log is cut at its limit, and says so", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => {
        const line = "x".repeat(1 << 20); for (let i = 0; i < 70; i++) process.stdout.write(line); });`,
    });
    const end = await trial.one();
    expect(end.logBytes).toBe(64 << 20);
    expect((await trial.output(0)).length).toBe(64 << 20);
    expect(await trial.output(0, "stderr")).toMatch(/the output was cut here/);
  });
});
