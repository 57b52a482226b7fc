import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleFile, bundleTask } from "./bundle.ts";
import { defineTask, moduleOf, withModule } from "./define-task.ts";
import { loadTasks } from "./load-tasks.ts";
import * as inTask from "./in-task.ts";
import * as root from "./index.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-bundle-"));
  const modules = join(folder, "node_modules");
  await mkdir(join(modules, "old"), { recursive: true });
  await mkdir(join(modules, "native"));
  await writeFile(
    join(modules, "old", "index.js"),
    'const path = require("node:path"); module.exports = () => [path.basename(__filename), typeof __dirname];',
  );
  await writeFile(join(modules, "native", "index.js"), 'module.exports = require("./x.node");');
  await writeFile(join(modules, "native", "x.node"), "not really");
});
afterAll(() => rm(folder, { recursive: true }));

async function source(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

const square = `
  import { defineTask } from "skein";
  export const square = defineTask({ name: "square", run: (n: number): number => n * n });
`;

/** Loads a bundle in a process of its own, as a slot does, and prints what an expression gives. */
async function evaluate(file: string, expression: string): Promise<string> {
  const { bytes } = await bundleFile(file);
  const bundle = join(folder, "loaded.mjs");
  await writeFile(bundle, bytes);
  const script = `const m = await import(${JSON.stringify(pathToFileURL(bundle).href)});
    console.log(JSON.stringify(await (${expression})));`;
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, SKEIN_SLOT: "1" },
  });
  return (await run.catch((error: { stderr: string }) => ({ stdout: error.stderr }))).stdout.trim();
}

describe("a bundle", () => {
  it("holds the task, and not the SDK", async () => {
    const file = await source("square.ts", square);
    const { bytes, exports } = await bundleFile(file);
    expect(exports).toEqual(["square"]);
    const text = Buffer.from(bytes).toString();
    expect(text).not.toMatch(/undici|esbuild|createClient/);
    expect(bytes.length).toBeLessThan(60_000);
    expect(await evaluate(file, "[m.square.name, m.square.run(7)]")).toBe('["square",49]');
    expect(await evaluate(file, 'm.square[Symbol.for("skein.task")]')).toBe("true");
  });

  it("is the same bytes from the same sources, wherever they lie", async () => {
    const other = join(folder, "elsewhere", "deep");
    await mkdir(other, { recursive: true });
    const file = await source("same.ts", 'export { basename as a } from "./b.ts";');
    await source("b.ts", 'export { basename } from "node:path"; console.log(import.meta.url);');
    for (const name of ["same.ts", "b.ts"]) await cp(join(folder, name), join(other, name));
    const [one, two] = [await bundleFile(file), await bundleFile(join(other, "same.ts"))];
    expect(one.hash).toBe(two.hash);
    expect(one.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is made once, until the file changes", async () => {
    const file = await source("once.ts", "export const a = 1;");
    const first = await bundleFile(file);
    expect(await bundleFile(file)).toBe(first);
    await writeFile(file, "export const a = 2;");
    await utimes(file, 1, 1);
    expect((await bundleFile(file)).hash).not.toBe(first.hash);
  });

  it("takes CommonJS packages that ask for require and __dirname", async () => {
    const file = await source(
      "cjs.ts",
      'import old from "old"; import { createRequire } from "node:module";\n' +
        "const require = createRequire(import.meta.url);\n" +
        'const __dirname = "mine";\n' +
        'export const result = [...old(), __dirname, typeof require("node:fs").stat];',
    );
    expect(await evaluate(file, "m.result")).toBe('["loaded.mjs","string","mine","function"]');
  });

  it("names the native addon that a worker does not have", async () => {
    const file = await source("native.ts", 'import native from "native"; export { native };');
    expect(await evaluate(file, "m.native")).toContain("x.node cannot be loaded on this worker");
  });

  it("whose module connects at its top level says so when it is loaded", async () => {
    const file = await source(
      "connects.ts",
      'import { connect, defineTask } from "skein"; export const skein = await connect();',
    );
    expect(await evaluate(file, "m")).toContain("connect() was called while a task's module was");
  });

  it("gives its module every value that the package root exports", () => {
    expect(Object.keys(inTask).sort()).toEqual(Object.keys(root).sort());
  });

  it("replaces the package root also when it is imported by its path", async () => {
    const index = JSON.stringify(join(import.meta.dirname, "index.ts"));
    const file = await source("by-path.ts", square.replace('"skein"', index));
    const { bytes } = await bundleFile(file);
    expect(Buffer.from(bytes).toString()).not.toContain("undici");
  });

  it("that fails names file, line and column", async () => {
    const file = await source("broken.ts", 'import x from "./missing.ts";\nexport const a = x;');
    await expect(bundleFile(file)).rejects.toMatchObject({
      code: "bundle_failed",
      message: `${file}:1:15: Could not resolve "./missing.ts"`,
    });
    await source("missing.ts", "export default 1;");
    expect((await bundleFile(file)).exports).toEqual(["a"]);
  });
});

describe("a task's module", () => {
  it("is found from the call of defineTask", () => {
    const task = defineTask({ name: "here", run: () => 1 });
    expect(moduleOf(task)).toContain("bundle.test.ts");
    expect(Object.keys(task)).not.toContain("module");
  });

  it("must export something, and be known", async () => {
    const file = await source("none.ts", "console.log(1);");
    const task = withModule(defineTask({ name: "lost", run: () => 1 }), file);
    await expect(bundleTask(task)).rejects.toMatchObject({
      code: "unknown_task",
      message: expect.stringContaining('does not export the task "lost"'),
    });
    const nowhere = withModule(defineTask({ name: "lost", run: () => 1 }), "[eval1]");
    await expect(bundleTask(nowhere)).rejects.toMatchObject({ code: "unknown_task" });
  });
});

describe("loadTasks", () => {
  it("gives the tasks that a TypeScript file exports, ready to be bundled", async () => {
    const file = await source("load.ts", `${square} export const other = 1;`);
    const tasks = await loadTasks(file);
    expect([...tasks.keys()]).toEqual(["square"]);
    const task = tasks.get("square");
    if (task) expect((await bundleTask(task)).hash).toBe((await bundleFile(file)).hash);
  });

  it("says what a file exports when no task is among it", async () => {
    const file = await source("values.ts", "export const a = 1, b = 2;");
    await expect(loadTasks(file)).rejects.toThrow(/exports no task; it exports a, b/);
  });

  it("says that a module throws, or connects", async () => {
    const throws = await source("throws.ts", 'throw new TypeError("no");');
    await expect(loadTasks(throws)).rejects.toMatchObject({
      code: "bundle_failed",
      message: `${throws} threw while it was loaded: TypeError: no`,
    });
    const file = await source("top.ts", 'import { connect } from "skein"; await connect();');
    await expect(loadTasks(file)).rejects.toMatchObject({ code: "inside_task" });
  });
});
