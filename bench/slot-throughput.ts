// How many no-op tasks a second one slot does through its pipe, seen from the worker:
//   npx tsx bench/slot-throughput.ts [tasks] [async]
// Measures the slot alone: no agent, no session, no master, and inputs of a few bytes.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "../src/lib/log.ts";
import type { SlotAttempt } from "../src/worker/executor.ts";
import { createExecutor } from "../src/worker/slots/executor.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const kind = process.argv[3] === "async" ? "async " : "";
const ahead = 1_024;

const dataDir = mkdtempSync(join(tmpdir(), "skein-bench-"));
const bundle = join(dataDir, "bundle.mjs");
writeFileSync(
  bundle,
  `export const t = { [Symbol.for("skein.task")]: true, name: "noop", run: ${kind}(i) => i.n };`,
);
const executor = createExecutor({
  dataDir,
  workerId: "bench",
  bundlePath: () => Promise.resolve(bundle),
  storeResult: () => Promise.reject(new Error("not here")),
  log: createLog({ level: "warn" }),
  recycleAfter: Infinity,
});

const input = Buffer.from('{"n":12345}');
let given = 0;
let ended = 0;
let started = 0;
const warmUp = 50_000;
const attempts = (many: number): SlotAttempt[] =>
  Array.from({ length: many }, () => ({ task: given++, attempt: 1, fence: 7, input }));

await new Promise<void>((resolve, reject) => {
  const slot = executor.start(
    {
      number: 1,
      id: "0123456789abcdef",
      task: "noop",
      code: { kind: "function", bundle: "a".repeat(64) },
      needs: { amounts: { cpu: 1000 }, required: {}, preferred: {} },
      timeouts: { queuedMs: 0, runMs: 0, silenceMs: 0 },
      killGraceMs: 1_000,
      labels: {},
      attemptsMax: 1,
      finalErrors: [],
    },
    1,
    {
      onReady: () => slot.give(attempts(ahead)),
      onOutcomes: (items) => {
        for (const item of items) if (item.code !== 0) reject(new Error("a task failed"));
        ended += items.length;
        if (started === 0 && ended >= warmUp) {
          started = performance.now();
          ended = 0;
        } else if (started > 0 && ended >= count) {
          const seconds = (performance.now() - started) / 1_000;
          console.log(`${Math.round(ended / seconds)} tasks/s over ${ended} tasks`);
          console.log(`worker side CPU: ${JSON.stringify(process.cpuUsage())}`);
          slot.stop(false);
          return;
        }
        slot.give(attempts(items.length));
      },
      onDropped: () => {},
      onStarted: () => {},
      onProgress: () => {},
      onExit: () => resolve(),
    },
  );
});
await executor.close();
rmSync(dataDir, { recursive: true, force: true });
