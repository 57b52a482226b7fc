/** What clients read is a state that the journal had, and never an older one than they knew already. */
import type { History, Read } from "./history.ts";
import type { Replay, ReplayedJob } from "./replay.ts";

export function checkReads(history: History, replayed: Replay): string[] {
  const violations: string[] = [];
  const ends = endsOf(replayed);
  /** By client, and by client and job. */
  const last = new Map<string, Read>();
  const reads = history.operations.filter((one) => one.kind === "read");
  for (const read of reads.toSorted((a, b) => a.at - b.at)) {
    const job = replayed.jobs.get(read.job);
    if (!job) violations.push(`P1: ${read.client} read job ${read.job}, not in the journal`);
    else violations.push(...checkRead(read, job, ends.get(job.id) ?? []));
    violations.push(...checkSession(read, last));
    last.set(read.client, read);
    last.set(`${read.client} ${read.job}`, read);
  }
  return violations;
}

/** Indexes of each job's recorded outcomes, rising. */
function endsOf(replayed: Replay): ReadonlyMap<string, readonly number[]> {
  const sorted = new Map<string, readonly number[]>();
  for (const { id, tasks } of replayed.jobs.values()) {
    const ends = tasks.flatMap(({ outcome }) => (outcome ? [outcome.index] : []));
    sorted.set(
      id,
      ends.toSorted((a, b) => a - b),
    );
  }
  return sorted;
}

function checkRead(read: Read, job: ReplayedJob, ends: readonly number[]): string[] {
  const { client, ended, tasks, index } = read;
  if (ended > ends.length) {
    return [`P2: ${client} read ${ended} ended tasks of ${job.id}, ${ends.length} are recorded`];
  }
  if (tasks > job.tasks.length) {
    return [`P1: ${client} read ${tasks} tasks of ${job.id}, it has ${job.tasks.length}`];
  }
  if (index === undefined) return [];
  const then = countUpTo(ends, index);
  if (ended === then) return [];
  return [`P2: ${client} read ${ended} ended tasks of ${job.id} at batch ${index}; it had ${then}`];
}

function checkSession(read: Read, last: ReadonlyMap<string, Read>): string[] {
  const { client, job, index, ended } = read;
  const before = last.get(client);
  const same = last.get(`${client} ${job}`);
  const violations: string[] = [];
  if (before?.index !== undefined && index !== undefined && index < before.index) {
    violations.push(`P5: ${client} read at batch ${index} after it had read at ${before.index}`);
  }
  if (same && ended < same.ended) {
    const counts = `${ended} ended tasks of ${job} after it had read ${same.ended}`;
    violations.push(`P2: ${client} read ${counts}`);
  }
  return violations;
}

/** How many of these rising numbers are not above `most`. */
function countUpTo(rising: readonly number[], most: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rising[middle] ?? 0) <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}
