// What the worker knows of jobs: the descriptor, which attempts are known here, and how long runs take.
//
// Known attempts are those held here and those that ended in a report which is not recorded yet. That is
// all the memory "start at most once" needs (W3). An attempt whose end is recorded cannot be sent again:
//   - the leader that said "recorded" had applied the end before it said so, and its stream is ordered, so a
//     start it sent earlier was received earlier, while the attempt was still known here;
//   - a later leader has applied every durable batch, this end included, before it leads (L2);
//   - a leader of a lower term, or a connection that was replaced, is not listened to (B1).
// So the memory is bounded by what a leader sends ahead plus what it has not recorded.

import type { JobNumber } from "../protocol/ids.ts";
import type { JobDescriptor } from "../protocol/messages.ts";
import { needList, type NeedList } from "./amounts.ts";
import { Profile } from "./profile.ts";

/** Idle descriptors that are kept: a leader names a job once a session, then sends only its number. */
const idleJobsMax = 20_000;
const profilesMax = 4_096;

export class Job {
  readonly number: JobNumber;
  descriptor: JobDescriptor;
  readonly needs: NeedList;
  /** Slots with the same key can serve each other's jobs. */
  readonly slotKey: string;
  readonly profile: Profile;
  /** Attempts that wait in the agent's queue. */
  queued = 0;
  /** Attempt number → its known tasks. */
  readonly #known = new Map<number, Set<number>>();
  #count = 0;

  constructor(descriptor: JobDescriptor, slotKey: string, profile: Profile) {
    this.number = descriptor.number;
    this.descriptor = descriptor;
    this.needs = needList(descriptor.needs.amounts);
    this.slotKey = slotKey;
    this.profile = profile;
  }

  knows(attempt: number, task: number): boolean {
    return this.#known.get(attempt)?.has(task) ?? false;
  }

  /** Takes an attempt into memory; false when it was there. */
  learn(attempt: number, task: number): boolean {
    let tasks = this.#known.get(attempt);
    if (!tasks) this.#known.set(attempt, (tasks = new Set()));
    if (tasks.has(task)) return false;
    tasks.add(task);
    this.#count++;
    return true;
  }

  forget(attempt: number, task: number): void {
    const tasks = this.#known.get(attempt);
    if (!tasks?.delete(task)) return;
    this.#count--;
    if (tasks.size === 0) this.#known.delete(attempt);
  }

  /** Known attempts: held, or ended and not recorded. */
  get count(): number {
    return this.#count;
  }
}

export class Jobs {
  readonly #jobs = new Map<JobNumber, Job>();
  /** Jobs without a known attempt, the longest idle first. */
  readonly #idle = new Set<Job>();
  readonly #profiles = new Map<string, Profile>();

  get(number: JobNumber): Job | undefined {
    return this.#jobs.get(number);
  }

  describe(descriptor: JobDescriptor): void {
    const known = this.#jobs.get(descriptor.number);
    if (known) {
      known.descriptor = descriptor;
      return;
    }
    const slotKey = slotKeyOf(descriptor);
    const profile = this.#profile(`${slotKey} ${descriptor.task}`);
    const job = new Job(descriptor, slotKey, profile);
    this.#jobs.set(job.number, job);
    this.settle(job);
  }

  /** To be called when a job's attempts were taken or forgotten: keeps the memory bounded (P7). */
  settle(job: Job): void {
    if (job.count > 0) {
      this.#idle.delete(job);
      return;
    }
    if (this.#jobs.get(job.number) !== job) return;
    this.#idle.add(job);
    if (this.#idle.size <= idleJobsMax) return;
    for (const oldest of this.#idle) {
      this.#idle.delete(oldest);
      this.#jobs.delete(oldest.number);
      break;
    }
  }

  /** Attempts known here, over all jobs. */
  get count(): number {
    let count = 0;
    for (const job of this.#jobs.values()) count += job.count;
    return count;
  }

  /** Jobs of one bundle and task share what was measured, so that a new small job starts well. */
  #profile(key: string): Profile {
    const known = this.#profiles.get(key);
    if (known) return known;
    const profile = new Profile();
    this.#profiles.set(key, profile);
    if (this.#profiles.size > profilesMax) {
      for (const oldest of this.#profiles.keys()) {
        this.#profiles.delete(oldest);
        break;
      }
    }
    return profile;
  }
}

/** A slot is a process with limits of its own, so its amounts are part of what it can serve. */
function slotKeyOf({ code, needs }: JobDescriptor): string {
  const amounts = Object.entries(needs.amounts).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${code.kind === "function" ? code.bundle : "command"} ${JSON.stringify(amounts)}`;
}
