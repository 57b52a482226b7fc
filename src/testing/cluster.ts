// A master and workers in this process; only slots are processes of their own. Nothing outlives it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Closer } from "../lib/closer.ts";
import { silentLog } from "../lib/log.ts";
import type { Log } from "../lib/log.ts";
import { version } from "../lib/version.ts";
import { startMaster } from "../master/master.ts";
import type { RunningMaster } from "../master/master.ts";
import { connect } from "../sdk/index.ts";
import type { Skein } from "../sdk/index.ts";
import { startWorker } from "../worker/worker.ts";
import type { RunningWorker } from "../worker/worker.ts";

export interface TestClusterOptions {
  /** Workers; 1 unless set. */
  readonly workers?: number;
  /** CPUs that each worker offers; 2 unless set. */
  readonly cpus?: number;
  readonly log?: Log;
}

export interface TestCluster extends AsyncDisposable {
  /** A connection, closed with the cluster. */
  readonly skein: Skein;
  readonly url: string;
  readonly token: string;
  readonly master: RunningMaster;
  readonly workers: readonly RunningWorker[];
}

/** Starts a cluster in a temporary directory, which goes with it. */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { log = silentLog } = options;
  await using opening = new Closer();
  const dir = await mkdtemp(join(tmpdir(), "skein-test-"));
  opening.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }));
  const journalUrl = "memory:";
  const master = opening.use(await startMaster({ dataDir: dir, port: 0, journalUrl, log }));
  const workers: RunningWorker[] = [];
  for (let n = 1; n <= (options.workers ?? 1); n++) {
    const id = `worker-${n}`;
    const amounts = { cpu: (options.cpus ?? 2) * 1000 };
    const masters = [master.url];
    const { token } = master;
    const dataDir = join(dir, id);
    workers.push(
      opening.use(await startWorker({ id, dataDir, masters, token, version, amounts, log })),
    );
  }
  const skein = opening.use(await connect({ url: master.url, token: master.token }));
  const closer = opening.move();
  return {
    skein,
    url: master.url,
    token: master.token,
    master,
    workers,
    [Symbol.asyncDispose]: () => closer[Symbol.asyncDispose](),
  };
}
