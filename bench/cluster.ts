/** A cluster to measure: real processes, with a probe in the master that tells memory and stalls. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ProcessCluster } from "../test/processes/process-cluster.ts";

const probe = new URL("./probe.mjs", import.meta.url).href;

export interface Seen {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  /** Microseconds since the process began. */
  readonly cpu: { readonly user: number; readonly system: number };
  readonly stalls: { readonly maxMs: number; readonly p999Ms: number; readonly n: number };
}

export function startBenchCluster(
  workers: number,
  more: Readonly<Record<string, string>> = {},
): Promise<ProcessCluster> {
  const env = (dir: string) => ({
    NODE_OPTIONS: `--import ${probe}`,
    SKEIN_PROBE: join(dir, "probe"),
    ...more,
  });
  return ProcessCluster.start({ workers, env });
}

/** Memory and stalls of the master since the last look. */
export async function look(cluster: ProcessCluster): Promise<Seen> {
  const file = join(cluster.dir, `probe.${cluster.master.pid}`);
  rmSync(file, { force: true });
  cluster.master.kill("SIGUSR2");
  while (!existsSync(file)) await sleep(5);
  return JSON.parse(readFileSync(file, "utf8")) as Seen;
}
