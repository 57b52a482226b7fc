// Bundling: the module that defines a task becomes one file of JavaScript, named by its SHA-256.
//
//   B1. The same sources give the same bytes: nothing of the machine, the time or the caller's folder is
//       in them (but for native addons, which are named by their place).
//   B2. The package root inside a bundle is in-task.ts: no client, no bundler, no second SDK.
//   B3. A module is bundled once per process and version of its file.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildFailure, BuildOptions, Message, Plugin, PluginBuild } from "esbuild";
import { SkeinError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { moduleOf } from "./define-task.ts";
import type { Task } from "./define-task.ts";

export interface Bundle {
  /** SHA-256 of the bytes, 64 hex digits. */
  readonly hash: string;
  readonly bytes: Uint8Array;
  /** What the module exports. */
  readonly exports: readonly string[];
}

/**
 * The bundle of the module that defines a function task.
 *
 * @throws SkeinError `bundle_failed` with file, line and column; `unknown_task` when the module is not known
 * or exports nothing; `too_large`.
 */
export function bundleTask(task: Task<never, unknown>): Promise<Bundle> {
  const known = ofTask.get(task);
  if (known) return known;
  const bundle = bundleModule(task);
  ofTask.set(task, bundle);
  // A failure is not kept: what was missing may be there the next time.
  bundle.catch(() => ofTask.delete(task));
  return bundle;
}

/** The definition in memory is that of its module when it was loaded: later edits do not reach it. */
const ofTask = new WeakMap<Task<never, unknown>, Promise<Bundle>>();

async function bundleModule(task: Task<never, unknown>): Promise<Bundle> {
  const module = moduleOf(task);
  const file = module === undefined ? undefined : fileOf(module);
  if (file === undefined) {
    throw new SkeinError(
      "unknown_task",
      `It is not known which module exports the task "${task.name}"${module ? ` (${module})` : ""}.`,
      {
        hint: "Define it in a module of its own, or pass `module: import.meta.url` to defineTask.",
      },
    );
  }
  const bundle = await bundleFile(file);
  if (bundle.exports.length > 0) return bundle;
  throw new SkeinError(
    "unknown_task",
    `${file} does not export the task "${task.name}"; it exports nothing.`,
  );
}

const bundles = new Map<string, { readonly mtimeMs: number; readonly bundle: Promise<Bundle> }>();

/** Bundles a file, once per process and version of the file. */
export async function bundleFile(file: string): Promise<Bundle> {
  const { mtimeMs } = await stat(file).catch((cause: unknown) => {
    const hint = "Look at the path: it is taken from where you are.";
    throw new SkeinError("bundle_failed", `${file} cannot be read.`, { cause, hint });
  });
  const known = bundles.get(file);
  if (known?.mtimeMs === mtimeMs) return known.bundle;
  const bundle = build(file);
  bundles.set(file, { mtimeMs, bundle });
  bundle.catch(() => bundles.delete(file));
  return bundle;
}

async function build(file: string): Promise<Bundle> {
  // Loaded when first needed: most programs that import the SDK never bundle.
  const esbuild = await import("esbuild");
  const built = await esbuild.build(optionsFor(file)).catch((error: unknown) => {
    throw failure(file, error);
  });
  const bytes = built.outputFiles[0]?.contents ?? new Uint8Array();
  const [output] = Object.values(built.metafile.outputs);
  if (bytes.length > limits.bundleBytesMax) {
    const size = (bytes.length / 2 ** 20).toFixed(1);
    throw new SkeinError(
      "too_large",
      `The bundle of ${file} has ${size} MiB; 64 MiB is the most.`,
      {
        hint: "Import less, or read large data from files or stored payloads at run time.",
      },
    );
  }
  const hash = createHash("sha256").update(bytes).digest("hex");
  return { hash, bytes, exports: output?.exports ?? [] };
}

/** What CommonJS code expects around it. */
const banner = `import { createRequire as skeinCreateRequire } from "node:module";
const require = skeinCreateRequire(import.meta.url);
const skeinFilename = import.meta.filename, skeinDirname = import.meta.dirname;`;

/**
 * The nearest folder with a package.json, else the module's own. Sources are named from there, so that the
 * same sources give the same bytes wherever they lie, and a stack trace says "src/tasks.ts:5".
 */
function projectOf(file: string): string {
  const own = dirname(file);
  for (let folder = own; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) return own;
  }
}

function optionsFor(file: string) {
  const folder = projectOf(file);
  return {
    entryPoints: [file],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node20",
    // Names of lines in stack traces; the sources themselves stay at home.
    sourcemap: "inline",
    sourcesContent: false,
    legalComments: "none",
    charset: "utf8",
    logLevel: "silent",
    absWorkingDir: folder,
    outfile: join(folder, "skein-bundle.mjs"),
    banner: { js: banner },
    define: { __filename: "skeinFilename", __dirname: "skeinDirname" },
    plugins: [packageRoot, nativeAddons],
  } as const satisfies BuildOptions;
}

/** A module of this folder, compiled or not. */
function ours(name: string): string {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return fileURLToPath(new URL(`./${name}${extension}`, import.meta.url));
}

/** B2, whether the root is imported by its name or, within this repository, by its path. */
const packageRoot: Plugin = {
  name: "skein-root",
  setup(build) {
    const root = ours("index");
    const inTask = { path: "in-task", namespace: "skein" };
    build.onResolve({ filter: /^skein$/ }, () => inTask);
    build.onResolve({ filter: /[\\/]index\.[jt]s$/ }, ({ path, resolveDir }) =>
      resolve(resolveDir, path) === root ? inTask : undefined,
    );
    build.onLoad({ filter: /./, namespace: "skein" }, async () => ({
      contents: await (inTaskSource ??= buildInTask(build.esbuild)),
    }));
  },
};

let inTaskSource: Promise<string> | undefined;

/** in-task.ts as one piece, so that where Skein is installed does not show in a bundle (B1). */
async function buildInTask(esbuild: PluginBuild["esbuild"]): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [ours("in-task")],
    bundle: true,
    write: false,
    format: "esm",
    target: "node20",
    absWorkingDir: dirname(ours("in-task")),
  });
  return outputFiles[0]?.text ?? "";
}

/** Native code cannot be shipped: it is loaded from where it lies, and a worker without it says so. */
const nativeAddons: Plugin = {
  name: "skein-native-addons",
  setup(build) {
    build.onLoad({ filter: /\.node$/ }, ({ path }) => ({
      loader: "js",
      contents: `
        const file = ${JSON.stringify(path)};
        try {
          module.exports = require("node:module").createRequire(file)(file);
        } catch (cause) {
          throw new Error(
            "The native addon " + file + " cannot be loaded on this worker. Native code is not" +
              " shipped with a task: install the package that holds it at the same place.",
            { cause },
          );
        }`,
    }));
  },
};

function failure(file: string, error: unknown): SkeinError {
  const { errors } = error as Partial<BuildFailure>;
  const lines = Array.isArray(errors) ? errors.map((message) => describe(message, file)) : [];
  const shown = lines.slice(0, 5);
  if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more`);
  const text = lines.length > 0 ? shown.join("\n") : String(error);
  return new SkeinError("bundle_failed", text, { cause: error });
}

function describe({ location, text }: Message, file: string): string {
  if (!location) return `${file}: ${text}`;
  return `${join(dirname(file), location.file)}:${location.line}:${location.column + 1}: ${text}`;
}

/** The path of a module named by URL or path; undefined when it is no file. */
export function fileOf(module: string): string | undefined {
  if (module.startsWith("file://")) return fileURLToPath(module);
  return module.startsWith("/") || /^[A-Za-z]:[\\/]/.test(module) ? module : undefined;
}
