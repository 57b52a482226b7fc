// Starts a module of ours as a worker thread, whether it runs compiled or from its TypeScript source.
//
// Node 20 cannot load `.ts` in a thread, and loader hooks (tsx) cost 200 ms for each. So a source is
// bundled once per process (esbuild, about 40 ms) into node_modules/.cache, from where it finds its
// packages. Compiled modules are loaded as they are; esbuild is then never touched.
//
// In a bundle `import.meta.url` is that of the entry: what a thread imports may use it only from
// the entry's own folder.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** Starts the module at `url` (usually `new URL("./x-thread.ts", import.meta.url)`). */
export function startThread(url: URL, options: WorkerOptions = {}): Worker {
  const file = runnableFile(url);
  // Flags of a loader that the parent runs under are of no use to JavaScript, and slow to start.
  return new Worker(pathToFileURL(file), { execArgv: [], ...options });
}

const bundled = new Map<string, string>();

/** The path of JavaScript that does what the module at `url` says: itself if it is compiled. */
export function runnableFile(url: URL): string {
  const source = fileURLToPath(url);
  const compiled = source.replace(/\.ts$/, ".js");
  // `tsc` rewrites import paths but not `new URL("./x.ts")`: beside compiled code lies x.js.
  if (!source.endsWith(".ts") || (!existsSync(source) && existsSync(compiled))) return compiled;
  const known = bundled.get(source);
  if (known !== undefined) return known;
  const file = bundle(source, url.href);
  bundled.set(source, file);
  return file;
}

function bundle(source: string, href: string): string {
  const require = createRequire(import.meta.url);
  const { buildSync } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = buildSync({
    entryPoints: [source],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    sourcemap: "inline",
    define: { "import.meta.url": JSON.stringify(href) },
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  const name = createHash("sha256").update(contents).digest("hex").slice(0, 16);
  const folder = join(cacheFolder(dirname(source)), "skein");
  const file = join(folder, `${basename(source, ".ts")}-${name}.mjs`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  // Several processes may bundle at once: a reader must never see half a file.
  const draft = `${file}.${process.pid}.${Math.trunc(performance.now() * 1000)}`;
  writeFileSync(draft, contents);
  renameSync(draft, file);
  return file;
}

function cacheFolder(from: string): string {
  const modules = join(from, "node_modules");
  if (existsSync(modules)) return join(modules, ".cache");
  const parent = dirname(from);
  if (parent === from) throw new Error(`no node_modules above ${from}: run npm ci first`);
  return cacheFolder(parent);
}
