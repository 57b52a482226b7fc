// What the worker knows of jobs: the descriptor, which attempts are known here, and how long runs
// take.
//
// Known attempts are those held here and those that ended in a report which is not recorded yet.
// That is all the memory "start at most once" needs (W3). An attempt whose end is recorded cannot
// be sent again:
//   - the leader that said "recorded" had applied the end before it said so, and its stream is
//     ordered, so a start it sent earlier was received earlier, while the attempt was still known
//     here;
//   - a later leader has applied every durable batch, this end included, before it leads (L2);
//   - a leader of a lower term, or a connection that was replaced, is not listened to (B1).
// So the memory is bounded by what a leader sends ahead plus what it has not recorded.

import type { JobNumber } from "../protocol/ids.ts";
import type { JobDescriptor } from "../protocol/messages.ts";
import { needList, type NeedList } from "./amounts.ts";
import { Profile } from "./profile.ts";

/**
 * Idle descriptors that are kept: a leader names a job once a session, then sends only its number.
 */
const idleJobsMax = 20_000;
const profilesMax = 4_096;

/** The known attempts of one job. */
export class KnownAttempts {
  readonly #byAttempt = new Map<number, Set<number>>();
  #count = 0;

  has(attempt: number, task: number): boolean {
    return this.#byAttempt.get(attempt)?.has(task) ?? false;
  }

  /** Takes an attempt into memory; false when it was there. */
  add(attempt: number, task: number): boolean {
    let tasks = this.#byAttempt.get(attempt);
    if (!tasks) this.#byAttempt.set(attempt, (tasks = new Set()));
    if (tasks.has(task)) return false;
    tasks.add(task);
    this.#count++;
    return true;
  }

  delete(attempt: number, task: number): void {
    const tasks = this.#byAttempt.get(attempt);
    if (!tasks?.delete(task)) return;
    this.#count--;
    if (tasks.size === 0) this.#byAttempt.delete(attempt);
  }

  get count(): number {
    return this.#count;
  }
}

export class Job {
  readonly number: JobNumber;
  descriptor: JobDescriptor;
  readonly needs: NeedList;
  /** Slots with the same key can serve each other's jobs. */
  readonly slotKey: string;
  readonly profile: Profile;
  /** Attempts that wait in the agent's queue. */
  queued = 0;

  constructor(descriptor: JobDescriptor, slotKey: string, profile: Profile) {
    this.number = descriptor.number;
    this.descriptor = descriptor;
    this.needs = needList(descriptor.needs.amounts);
    this.slotKey = slotKey;
    this.profile = profile;
  }
}

export class Jobs {
  readonly #jobs = new Map<JobNumber, Job>();
  /** Also of jobs that were never described: an order to cancel may name what never came. */
  readonly #known = new Map<JobNumber, KnownAttempts>();
  /** Described jobs without a known attempt, the longest idle first. */
  readonly #idle = new Set<JobNumber>();
  readonly #profiles = new Map<string, Profile>();

  get(number: JobNumber): Job | undefined {
    return this.#jobs.get(number);
  }

  describe(descriptor: JobDescriptor): void {
    const { number } = descriptor;
    const described = this.#jobs.get(number);
    if (described) {
      described.descriptor = descriptor;
      return;
    }
    const slotKey = slotKeyOf(descriptor);
    const profile = this.#profile(`${slotKey} ${descriptor.task}`);
    this.#jobs.set(number, new Job(descriptor, slotKey, profile));
    this.settle(number);
  }

  /** The known attempts of a job; call `settle` after a change. */
  known(number: JobNumber): KnownAttempts {
    let known = this.#known.get(number);
    if (!known) this.#known.set(number, (known = new KnownAttempts()));
    return known;
  }

  /** Keeps the memory bounded (P7). */
  settle(number: JobNumber): void {
    const known = this.#known.get(number);
    if (known && known.count > 0) {
      this.#idle.delete(number);
      return;
    }
    this.#known.delete(number);
    if (!this.#jobs.has(number)) return;
    this.#idle.add(number);
    if (this.#idle.size <= idleJobsMax) return;
    for (const oldest of this.#idle) {
      this.#idle.delete(oldest);
      this.#jobs.delete(oldest);
      break;
    }
  }

  /** Attempts known here, over all jobs. */
  get count(): number {
    let count = 0;
    for (const known of this.#known.values()) count += known.count;
    return count;
  }

  /** Jobs of one bundle and task share what was measured, so that a new small job starts well. */
  #profile(key: string): Profile {
    const measured = this.#profiles.get(key);
    if (measured) return measured;
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
