// Old logs go: job by job, those older than a week, and the oldest while there is more than 1 GiB of them.

import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { JobId } from "../../protocol/ids.ts";

export interface Retention {
  readonly keepMs: number;
  readonly keepBytes: number;
}

export const defaultRetention: Retention = {
  keepMs: 7 * 24 * 3_600_000,
  keepBytes: 1_024 * 1_024 * 1_024,
};

interface JobLogs {
  readonly job: string;
  readonly bytes: number;
  /** Wall time of the last write, milliseconds. */
  readonly writtenAt: number;
}

export interface RemoveOptions {
  readonly folder: string;
  /** Wall time, milliseconds. */
  readonly now: number;
  /** Jobs that are being written. */
  readonly spare: ReadonlySet<JobId>;
  readonly retention?: Retention;
}

/** Says whose logs were removed. */
export async function removeOldLogs(options: RemoveOptions): Promise<JobId[]> {
  const { folder, now, spare, retention = defaultRetention } = options;
  const all = (await jobLogs(folder)).toSorted((a, b) => a.writtenAt - b.writtenAt);
  let bytes = all.reduce((sum, logs) => sum + logs.bytes, 0);
  const removed: JobId[] = [];
  for (const logs of all) {
    const old = logs.writtenAt < now - retention.keepMs;
    if ((!old && bytes <= retention.keepBytes) || spare.has(logs.job)) continue;
    await rm(join(folder, logs.job), { recursive: true, force: true });
    bytes -= logs.bytes;
    removed.push(logs.job);
  }
  return removed;
}

async function jobLogs(folder: string): Promise<JobLogs[]> {
  const all: JobLogs[] = [];
  for (const job of await namesIn(folder)) {
    let bytes = 0;
    let writtenAt = 0;
    for (const name of await namesIn(join(folder, job))) {
      const found = await stat(join(folder, job, name)).catch(() => undefined);
      bytes += found?.size ?? 0;
      writtenAt = Math.max(writtenAt, found?.mtimeMs ?? 0);
    }
    all.push({ job, bytes, writtenAt });
  }
  return all;
}

/** Nothing for a folder that is not there (any more). */
function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
