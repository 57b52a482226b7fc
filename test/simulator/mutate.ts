// Builds the simulator with a mutant's patches and runs seeds until one fails. A thread of its own, since a bug
// may never come to an end.

import { build as bundleWith } from "esbuild";
import type { Plugin } from "esbuild";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Mutant } from "./mutants.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Verdict {
  readonly name: string;
  /** The seed that failed and how; undefined when none did. */
  readonly caught: { readonly seed: number; readonly message: string } | undefined;
  readonly seeds: number;
}

/**
 * Runs seeds until one fails. `limitMs` is for all of them; a single seed that takes half of it has no end, which is
 * a failure too.
 */
export async function huntMutant(mutant: Mutant, seeds: number, limitMs: number): Promise<Verdict> {
  const code = await bundle(mutant);
  // Not from a data: URL: that would be the name of the file in every line of every stack.
  const numbers = Array.from({ length: seeds }, (_, i) => i + 1);
  if (mutant.seed !== undefined) numbers.unshift(mutant.seed);
  const worker = new Worker(code, { eval: true, workerData: { numbers, limitMs } });
  return new Promise((resolve, reject) => {
    let last = 0;
    let timer: NodeJS.Timeout | undefined;
    const end = (verdict: Omit<Verdict, "name">) => {
      clearTimeout(timer);
      void worker.terminate();
      resolve({ name: mutant.name, ...verdict });
    };
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const message = `no end within ${limitMs / 2} ms`;
        end({ caught: { seed: last + 1, message }, seeds: last });
      }, limitMs / 2);
    };
    wait();
    worker.on("message", (said: number | Omit<Verdict, "name">) => {
      if (typeof said !== "number") return end(said);
      last = said;
      wait();
    });
    worker.on("error", reject);
  });
}

const entry = `
import { parentPort, workerData } from "node:worker_threads";
import { runSeed } from "./test/simulator/run.ts";
const until = performance.now() + workerData.limitMs;
let caught;
let seeds = 0;
for (const seed of workerData.numbers) {
  if (caught || performance.now() > until) break;
  const { failure } = runSeed(seed);
  if (failure) caught = { seed, message: failure.message.split("\\n")[0] };
  parentPort.postMessage(++seeds);
}
parentPort.postMessage({ caught, seeds });
`;

async function bundle(mutant: Mutant): Promise<string> {
  const result = await bundleWith({
    stdin: { contents: entry, resolveDir: root, loader: "ts" },
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "node20",
    absWorkingDir: root,
    logLevel: "silent",
    plugins: [patching(mutant)],
  });
  const [file] = result.outputFiles;
  if (!file) throw new Error("esbuild gave nothing");
  return file.text;
}

function patching(mutant: Mutant): Plugin {
  return {
    name: "mutant",
    setup(build) {
      const left = new Set(mutant.patches);
      build.onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, async ({ path }) => {
        const own = mutant.patches.filter(({ file }) => path.replaceAll("\\", "/").endsWith(file));
        if (own.length === 0) return undefined;
        let contents = await readFile(path, "utf8");
        for (const patch of own) {
          const times = contents.split(patch.find).length - 1;
          if (times !== 1) return { errors: [{ text: missing(mutant, patch.file, times) }] };
          contents = contents.replace(patch.find, () => patch.replace);
          left.delete(patch);
        }
        return { contents, loader: "ts" };
      });
      build.onEnd(() => {
        const [patch] = left;
        return patch ? { errors: [{ text: missing(mutant, patch.file, 0) }] } : undefined;
      });
    },
  };
}

function missing(mutant: Mutant, file: string, times: number): string {
  return `mutant "${mutant.name}": its text is in ${file} ${times} times; bring it up to date`;
}
