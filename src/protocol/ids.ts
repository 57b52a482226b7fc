// Names of things. Dense numbers are used inside (columns, frames, journal); texts are for people.

/** A job's public name: 16 lower-case hex digits. Any unique prefix of at least 4 is accepted. */
export type JobId = string;
/** A job's dense number: 1, 2, 3 … in the order of submission within one journal (A3). */
export type JobNumber = number;
/** A task is named by its job and its number within it, from 0: "4f2a91c0d1e2f3a4/17". */
export type TaskNumber = number;
/** A worker's name as given by its operator, or its host name and a suffix. */
export type WorkerId = string;
/** A worker's dense number within one journal, from 1; 0 means none. */
export type WorkerNumber = number;
/** One life of a process: 16 hex digits, new at each start. */
export type Incarnation = string;
/** SHA-256 of a payload's bytes, 64 lower-case hex digits. */
export type PayloadHash = string;

export const jobIdPattern = /^[0-9a-f]{16}$/;
export const jobPrefixPattern = /^[0-9a-f]{4,16}$/;
export const hashPattern = /^[0-9a-f]{64}$/;
/** Queues, task names, workers, labels: printable, no spaces, no slashes, at most 128. */
export const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.:@#-]{0,127}$/;

export function taskName(job: JobId, task: TaskNumber): string {
  return `${job}/${task}`;
}

/** Splits "job/17", or "job" alone; undefined when it is neither. */
export function parseTaskName(text: string): { job: string; task?: number } | undefined {
  const match = /^([0-9a-f]{4,16})(?:\/(\d{1,9}))?$/.exec(text);
  if (!match?.[1]) return undefined;
  return match[2] === undefined ? { job: match[1] } : { job: match[1], task: Number(match[2]) };
}
