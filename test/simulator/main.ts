// npm run sim -- --seed N [--trace] | --seeds A..B | --minutes N [--from A]

import { failureText, runSeed } from "./run.ts";

const options = new Map<string, string>();
const words = process.argv.slice(2);
for (const [i, word] of words.entries()) {
  if (!word.startsWith("--")) continue;
  const next = words[i + 1];
  options.set(word.slice(2), next === undefined || next.startsWith("--") ? "" : next);
}

const began = performance.now();
let seeds = 0;
let steps = 0;
let failed = 0;

for (const seed of seedsToRun()) {
  const result = runSeed(seed, {
    verbose: options.has("trace"),
    tailLines: Number(options.get("tail") ?? 60),
  });
  seeds++;
  steps += result.steps;
  if (options.has("list") || options.has("seed")) {
    const { profile, batches, virtualMs, traceHash } = result;
    const verdict = result.failure === undefined ? "ok" : result.failure.message.slice(0, 150);
    const text = [`seed ${seed}`, profile, `${result.steps} steps`, `${batches} batches`];
    console.log([...text, `${Math.round(virtualMs / 1000)} s`, traceHash, verdict].join("  "));
  }
  if (result.failure === undefined) continue;
  failed++;
  if (!options.has("list")) console.log(failureText(result));
  if (!options.has("go-on")) break;
}

const seconds = (performance.now() - began) / 1000;
const rate = Math.round(steps / seconds);
console.log(
  `${seeds} seeds, ${steps} steps in ${seconds.toFixed(1)} s (${rate}/s), ${failed} failed`,
);
process.exitCode = failed === 0 ? 0 : 1;

function* seedsToRun(): Generator<number> {
  const one = options.get("seed");
  if (one !== undefined) return yield Number(one);
  const range = /^(\d+)\.\.(\d+)$/.exec(options.get("seeds") ?? "");
  const minutes = Number(options.get("minutes") ?? 0);
  const first = range ? Number(range[1]) : Number(options.get("from") ?? 1);
  const last = range ? Number(range[2]) : minutes > 0 ? Number.MAX_SAFE_INTEGER : 200;
  for (let seed = first; seed <= last; seed++) {
    if (minutes > 0 && performance.now() - began > minutes * 60_000) return;
    yield seed;
  }
}
