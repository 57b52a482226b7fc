import { existsSync, linkSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { isAlive, Trial } from "./slot-trial.fixture.ts";

describe("results", () => {
  test("a function's result comes back as JSON, whether it is returned or promised", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i) => i.wait
        ? new Promise((done) => setTimeout(() => done({ got: i.n }), 5)) : { got: i.n });`,
    });
    const [a, b] = await trial.run({ n: 1 }, { n: 2, wait: true });
    expect(a).toMatchObject({ reason: "succeeded", value: { got: 1 }, attempt: 1, stored: false });
    expect(b).toMatchObject({ reason: "succeeded", value: { got: 2 } });
    expect(b?.micros).toBeGreaterThan(4_000);
  });

  test("no result is null", async () => {
    await using trial = new Trial({ module: `export const t = task("t", () => {});` });
    expect((await trial.one()).value).toBe(null);
  });

  test("ten thousand short tasks each get their own result, in order", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i) => i % 3 === 0 ? Promise.resolve(i * 2) : i * 2);`,
    });
    const inputs = Array.from({ length: 10_000 }, (_, i) => i);
    const ends = await trial.run(...inputs);
    expect(ends.map((end) => end.value)).toEqual(inputs.map((i) => i * 2));
    expect(trial.events.slice(0, 3)).toEqual(["succeeded 0", "succeeded 1", "succeeded 2"]);
    expect(trial.exit).toBe(undefined);
  });

  test("texts that are not ASCII survive", async () => {
    await using trial = new Trial({ module: `export const t = task("t", (i) => i + "→é😀");` });
    const long = "ü".repeat(3_000);
    const [a, b] = await trial.run("x€", long);
    expect(a?.value).toBe("x€→é😀");
    expect(b?.value).toBe(`${long}→é😀`);
  });

  test("results above the inline limit are stored, small ones of them without a file", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (n) => "x".repeat(n));`,
    });
    const sizes = [16_382, 16_383, 40_000, 65_534, 65_535, 3_000_000];
    const ends = await trial.run(...sizes);
    expect(ends.map((end) => end.value.length)).toEqual(sizes);
    expect(ends.map((end) => end.stored)).toEqual([false, true, true, true, true, true]);
    const [folder = ""] = readdirSync(join(trial.dataDir, "slots"));
    const left = readdirSync(join(trial.dataDir, "slots", folder));
    expect(left).toEqual(["group.json"]);
  });

  test("a result that cannot be stored for a moment is stored later", async () => {
    let tries = 0;
    await using trial = new Trial({
      module: `export const t = task("t", () => "x".repeat(20_000));`,
      executor: {
        storeResult: () => {
          if (++tries === 1) return Promise.reject(new Error("the disk is full"));
          return Promise.resolve({ hash: "b".repeat(64), size: 20_002 });
        },
      },
    });
    trial.payloads.set("b".repeat(64), Buffer.from('"stored"'));
    expect(await trial.one()).toMatchObject({ stored: true, value: "stored" });
    expect(tries).toBe(2);
  });

  test("a worker that stops while a result waits to be stored does not call it a failure", async () => {
    let refuse: (error: Error) => void = () => {};
    await using trial = new Trial({
      module: `export const t = task("t", () => "x".repeat(20_000));`,
      executor: { storeResult: () => new Promise((_, reject) => (refuse = reject)) },
    });
    trial.give(1);
    const asked = refuse;
    await trial.until(() => refuse !== asked);
    trial.slot.stop(true);
    refuse(new Error("aborted"));
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["drained 0", "exit"]);
  });

  test("a value that JSON cannot hold is a bad result that says why", async () => {
    await using trial = new Trial({
      module: `const cycle = {}; cycle.self = cycle;
        const values = { big: 1n, cycle, f: () => 1, map: new Map([[1, 2]]) };
        export const t = task("t", (which) => values[which]);`,
    });
    const ends = await trial.run("big", "cycle", "f", "map");
    expect(ends.map((end) => end.reason)).toEqual(Array(4).fill("bad_result"));
    expect(ends[0]?.value.message).toMatch(/BigInt/);
    expect(ends[1]?.value.message).toMatch(/circular/);
    expect(ends[2]?.value.message).toMatch(/function/);
    expect(ends[3]?.value.message).toMatch(/Map/);
  });

  test("a result larger than a payload may be is refused", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => {
        const part = "x".repeat(1 << 28); return [part, part, part]; });`,
    });
    const end = await trial.one();
    expect(end.reason).toBe("result_too_large");
    expect(end.value.message).toMatch(/512 MiB/);
  });
});

describe("errors", () => {
  test("a thrown or rejected error is reported with name, message, stack and cause", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (late) => {
        const error = new RangeError("off by one", { cause: new Error("the root") });
        if (late) return Promise.reject(error); throw error; });`,
    });
    for (const end of await trial.run(false, true)) {
      expect(end).toMatchObject({
        reason: "error",
        value: { name: "RangeError", message: "off by one" },
      });
      expect(end.value.stack).toMatch(/bundle\.mjs[^]*caused by: Error: the root/);
    }
  });

  test("an error is cut to the limit and says so", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => { throw new Error("é".repeat(50_000)); });`,
    });
    const { value } = await trial.one();
    expect(value.cut).toBe(true);
    const size = Buffer.byteLength(JSON.stringify(value));
    expect(size).toBeLessThanOrEqual(limits.errorBytesMax);
    expect(size).toBeGreaterThan(limits.errorBytesMax / 2);
  });

  test("errors whose name is listed, or that say so themselves, are final", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (which) => {
        const error = new Error("no"); Object.assign(error, which); throw error; });`,
    });
    const ends = await trial.run({ name: "Hopeless" }, { final: true }, { name: "Other" });
    expect(ends.map((end) => end.reason)).toEqual(["final_error", "final_error", "error"]);
  });

  test("something thrown that is no error is described", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => { throw { code: 5 }; });`,
    });
    expect((await trial.one()).value.message).toMatch(/code: 5/);
  });

  test("an error that nobody caught fails the attempt that runs, and the slot is replaced", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i) => {
        if (i !== 1) return i;
        setTimeout(() => { Promise.reject(new TypeError("lost")); }, 1);
        return new Promise(() => {}); });`,
    });
    trial.give(0, 1, 2);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["succeeded 0", "error 1", "dropped 2", "exit"]);
    expect(trial.ends[1]?.value).toMatchObject({ name: "TypeError" });
    expect(trial.ends[1]?.value.message).toMatch(/unhandled rejection: lost/);
  });

  test("process.exit in a task is a crash of that task only", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i) => { if (i === 600) process.exit(3); return i; });`,
    });
    await trial.run(...Array(200).keys());
    trial.give(...Array.from({ length: 600 }, (_, i) => i + 200));
    await trial.until(() => trial.exit !== undefined);
    const crashed = trial.ends.filter((end) => end.reason !== "succeeded");
    expect(crashed).toMatchObject([{ task: 600, reason: "crashed" }]);
    expect(crashed[0]?.value.message).toMatch(/exited with code 3/);
    expect(trial.ends.length + trial.dropped.length).toBe(800);
    expect(trial.dropped.length).toBe(199);
  });

  test("a death by a signal is a crash that names it", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", () => { process.kill(process.pid, "SIGSEGV"); for (;;); });`,
    });
    expect((await trial.one()).value.message).toMatch(/SIGSEGV/);
  });
});

describe("modules", () => {
  test("a module that throws at its top level is a load error with its message", async () => {
    await using trial = new Trial({ module: `throw new Error("no database here");` });
    const ends = await trial.run(1, 2);
    expect(ends.map((end) => end.reason)).toEqual(["load_error", "load_error"]);
    expect(ends[0]?.value.message).toMatch(/no database here/);
  });

  test("a module that ends the process while it loads is a load error, not an endless respawn", async () => {
    await using trial = new Trial({ module: `process.exit(0);` });
    trial.give(1, 2);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["load_error 0", "dropped 1", "exit"]);
    expect(trial.ends[0]?.value.message).toMatch(/exited with code 0 while the module was/);
  });

  test("a missing task names those that are there", async () => {
    await using trial = new Trial({ module: `export const a = task("other", () => 1);` });
    expect((await trial.one()).value.message).toMatch(/no task named "t".*"other"/);
  });

  test("connect() at the top level is told from other load errors", async () => {
    await using trial = new Trial({
      module: `if (globalThis[Symbol.for("skein.slot")]?.loading)
        throw Object.assign(new Error("connect() in a module"), { code: "inside_task" });`,
    });
    expect(await trial.one()).toMatchObject({
      reason: "inside_task",
      value: { message: "connect() in a module" },
    });
  });

  test("code that cannot be had is nobody's fault: all is given back", async () => {
    await using trial = new Trial({
      executor: { bundlePath: () => Promise.reject(new Error("no master answers")) },
    });
    trial.give(1, 2);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["dropped 0", "dropped 1", "exit"]);
    expect(trial.exit).toMatch(/no master answers/);
  });

  test("a bundle whose file has no extension is loaded as a module", async () => {
    let found: (file: string) => void = () => {};
    const file = new Promise<string>((resolve) => (found = resolve));
    await using trial = new Trial({
      module: `export const t = task("t", () => import.meta.url);`,
      executor: { bundlePath: () => file },
    });
    const bare = join(trial.dataDir, "abcdef");
    linkSync(join(trial.dataDir, "bundle.mjs"), bare);
    found(bare);
    expect((await trial.one()).value).toMatch(/\.mjs$/);
  });
});

describe("input and context", () => {
  const schema = `{ "~standard": { version: 1, vendor: "test", validate: (value) => {
    const verdict = typeof value.n === "number" ? { value: { n: value.n + 1 } }
      : { issues: [{ message: "expected number", path: ["n"] }] };
    return value.late ? Promise.resolve(verdict) : verdict; } } }`;

  test("the schema's value is what run gets, and its refusal is final", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i) => i.n, { input: ${schema} });`,
    });
    const ends = await trial.run({ n: 1 }, { n: 1, late: true }, { n: "1" });
    expect(ends.map((end) => end.value)).toMatchObject([2, 2, { name: "BadInput" }]);
    expect(ends[2]?.reason).toBe("bad_input");
    expect(ends[2]?.value.message).toMatch(/n: expected number/);
  });

  test("setup runs once per slot, and its value reaches every run", async () => {
    await using trial = new Trial({
      module: `let count = 0;
        export const t = task("t", (i, ctx) => [ctx.setup.count, i],
          { setup: async () => ({ count: ++count }) });`,
    });
    expect((await trial.run(7, 8)).map((end) => end.value)).toEqual([
      [1, 7],
      [1, 8],
    ]);
  });

  test("setup has a signal of the slot's, which is not that of the first attempt", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (i, ctx) => [ctx.setup === ctx.signal, ctx.setup.aborted],
          { setup: (ctx) => { ctx.signal.addEventListener("abort", () => console.log("closed"));
            return ctx.signal; } });`,
    });
    expect((await trial.one()).value).toEqual([false, false]);
    trial.slot.stop(false);
    await trial.until(() => trial.exit !== undefined);
    expect(await trial.output(0)).toBe("closed\n");
  });

  test("setup is tried again after it failed", async () => {
    await using trial = new Trial({
      module: `let count = 0; export const t = task("t", (i, ctx) => ctx.setup,
        { setup: () => { if (++count === 1) throw new Error("not yet"); return count; } });`,
    });
    const ends = await trial.run(1, 2);
    expect(ends.map((end) => end.reason)).toEqual(["error", "succeeded"]);
    expect(ends[1]?.value).toBe(2);
  });

  test("the context tells who, where and which attempt", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", (_, { job, task, attempt, fence, worker, labels }) =>
        ({ job, task, attempt, fence, worker, labels }));`,
    });
    expect((await trial.one()).value).toEqual({
      job: "0123456789abcdef",
      task: 0,
      attempt: 1,
      fence: 77,
      worker: "w1",
      labels: { shot: "42" },
    });
  });

  test("progress is passed on, the last one always", async () => {
    await using trial = new Trial({
      module: `export const t = task("t", async (_, ctx) => {
        for (let i = 1; i <= 40; i++) ctx.progress(i, "step " + i);
        await new Promise((done) => setTimeout(done, 120)); });`,
    });
    await trial.one();
    expect(trial.progress[0]).toEqual({ task: 0, percent: 1, message: "step 1" });
    expect(trial.progress.at(-1)).toEqual({ task: 0, percent: 40, message: "step 40" });
    expect(trial.progress.length).toBeLessThan(5);
  });

  test("a warm slot goes on with another job of the same code", async () => {
    await using trial = new Trial({
      module: `let loads = 0; export const t = task("t", (_, ctx) => [ctx.job, ctx.setup],
        { setup: () => ++loads });`,
    });
    const first = await trial.one();
    trial.slot.serve({ ...trial.job, id: "fedcba9876543210", number: 2 });
    const second = await trial.one();
    expect([first.value, second.value]).toEqual([
      ["0123456789abcdef", 1],
      ["fedcba9876543210", 1],
    ]);
  });

  test("a slot does not know the worker's key", async () => {
    process.env.SKEIN_TOKEN = "secret";
    await using trial = new Trial({
      module: `export const t = task("t", () => Object.keys(process.env)
        .filter((name) => name.startsWith("SKEIN")));`,
    });
    delete process.env.SKEIN_TOKEN;
    expect((await trial.one()).value).toEqual(["SKEIN_SLOT"]);
  });
});

describe("recall and cancel", () => {
  const waits = `export const t = task("t", (i, ctx) => i === "wait"
    ? new Promise((done, fail) => ctx.signal.addEventListener("abort", () => fail(ctx.signal.reason)))
    : i === "late" ? new Promise((done) => ctx.signal.addEventListener("abort", () => done("late")))
    : i === "spin" ? (() => { for (;;); })()
    : i === "deaf" ? new Promise((done) => setTimeout(() => done("late"), 150))
    : i);`;

  test("drop gives back what has not started, the last given first", async () => {
    await using trial = new Trial({ module: waits });
    trial.give("wait", 1, 2, 3, 4);
    await trial.until(() => trial.started.length === 1);
    trial.slot.drop(2);
    await trial.until(() => trial.dropped.length === 2);
    expect(trial.dropped.map(({ task }) => task)).toEqual([3, 4]);
    trial.slot.drop(10);
    await trial.until(() => trial.dropped.length === 4);
    expect(trial.dropped.map(({ task }) => task)).toEqual([3, 4, 1, 2]);
  });

  test("drop reaches what was sent ahead to a slot that does short tasks", async () => {
    await using trial = new Trial({ module: waits });
    await trial.run(...Array(2_000).fill(0));
    trial.give("wait", ...Array(300).fill(0));
    trial.slot.drop(1_000);
    await trial.until(() => trial.dropped.length === 300);
    expect(trial.ends.length).toBe(2_000);
  });

  test("a cancelled attempt that waits never starts", async () => {
    await using trial = new Trial({ module: waits });
    trial.give("wait", 1, 2);
    await trial.until(() => trial.started.length === 1);
    trial.slot.cancel(1, 1, 32, 1_000);
    await trial.until(() => trial.ends.length === 1);
    expect(trial.ends[0]).toMatchObject({ task: 1, reason: "cancelled", micros: 0 });
  });

  test("a cancelled attempt that runs sees its signal and has time to end", async () => {
    await using trial = new Trial({ module: waits });
    trial.give("wait", 1);
    await trial.until(() => trial.started.length === 1);
    trial.slot.cancel(0, 1, 32, 10_000);
    await trial.until(() => trial.ends.length === 2);
    expect(trial.events).toEqual(["cancelled 0", "succeeded 1"]);
    expect(trial.exit).toBe(undefined);
  });

  test("a success that comes in spite of a cancel is reported as it is", async () => {
    await using trial = new Trial({ module: waits });
    trial.give("late");
    await trial.until(() => trial.started.length === 1);
    trial.slot.cancel(0, 1, 32, 10_000);
    await trial.until(() => trial.ends.length === 1);
    expect(trial.ends[0]).toMatchObject({ reason: "succeeded", value: "late" });
  });

  test("a busy loop that is cancelled is killed after its grace; the others are given back", async () => {
    await using trial = new Trial({ module: waits });
    trial.give(0, "spin", 2);
    await trial.until(() => trial.started.includes(1));
    trial.slot.cancel(1, 1, 35, 100);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["succeeded 0", "superseded 1", "dropped 2", "exit"]);
  });

  test("a result is reported although the next task holds the slot", async () => {
    await using trial = new Trial({ module: waits });
    await trial.run(...Array(50).fill(0));
    trial.give(1, "spin");
    await trial.until(() => trial.ends.length === 51);
    expect(trial.ends.at(-1)).toMatchObject({ task: 50, value: 1 });
    await trial.until(() => trial.started.includes(51));
  });

  test("stop lets end what was given; stop by force does not, and gives back the rest", async () => {
    await using trial = new Trial({ module: waits });
    trial.give("deaf", 1);
    trial.slot.stop(false);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events).toEqual(["succeeded 0", "succeeded 1", "exit"]);
    trial.start();
    trial.give("spin", 3);
    await trial.until(() => trial.started.includes(2));
    trial.slot.stop(true);
    await trial.until(() => trial.exit !== undefined);
    expect(trial.events.slice(3)).toEqual(["drained 2", "dropped 3", "exit"]);
  });

  test("a slot that has run enough gives back the rest and exits", async () => {
    await using trial = new Trial({ module: waits, executor: { recycleAfter: 500 } });
    trial.give(...Array(3_000).fill(0));
    await trial.until(() => trial.exit !== undefined);
    expect(trial.ends.length).toBeGreaterThanOrEqual(500);
    expect(trial.ends.length).toBeLessThan(2_900);
    expect(trial.ends.length + trial.dropped.length).toBe(3_000);
    expect(new Set([...trial.ends, ...trial.dropped].map(({ task }) => task)).size).toBe(3_000);
  });

  test("nothing of a slot is left when it is gone", async () => {
    await using trial = new Trial({
      module: `import { spawn } from "node:child_process";
        export const t = task("t", () => [
          spawn("sleep", ["1000"], { stdio: "ignore" }).pid,
          spawn("sleep", ["1000"], { stdio: "ignore", detached: true }).pid]);`,
    });
    const pids: number[] = (await trial.one()).value;
    expect(pids.map(isAlive)).toEqual([true, true]);
    const slot = trial.slot.pid ?? 0;
    trial.slot.stop(false);
    await trial.until(() => trial.exit !== undefined);
    await trial.until(() => ![...pids, slot].some(isAlive));
    expect(readdirSync(join(trial.dataDir, "slots"))).toEqual([]);
    expect(existsSync(trial.dataDir)).toBe(true);
  });
});
