// Loaded into a measured process by NODE_OPTIONS=--import: on SIGUSR2 it writes what it has seen since the last
// time to $SKEIN_PROBE.<pid>: memory after a full collection, and how long the event loop stood still.
import { writeFileSync, renameSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

const role = process.env.SKEIN_PROBE_ROLE ?? "master";
if (isMainThread && process.env.SKEIN_PROBE && process.argv.includes(role)) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  process.on("SIGUSR2", () => {
    const stalls = {
      maxMs: delays.max / 1e6,
      p999Ms: delays.percentile(99.9) / 1e6,
      n: delays.count,
    };
    collect();
    collect();
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const seen = { rss, heapUsed, external, arrayBuffers, cpu: process.cpuUsage(), stalls };
    const file = `${process.env.SKEIN_PROBE}.${process.pid}`;
    writeFileSync(`${file}.draft`, JSON.stringify(seen));
    renameSync(`${file}.draft`, file);
    delays.reset();
  });
}
