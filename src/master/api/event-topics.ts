// Topics of the event stream beside the timeline: what has changed since the last push, and how it is shown (S5).

import type { Effect } from "../../core/effect.ts";
import type { Note } from "../../core/note.ts";
import type { State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { eventTopics } from "../../protocol/event.ts";
import type { EventTopic } from "../../protocol/event.ts";
import { limits } from "../../protocol/limits.ts";
import type { ChangedView } from "../../protocol/views.ts";

export const listTopics = ["jobs", "workers", "queues", "masters"] as const;
export type ListTopic = (typeof listTopics)[number];

/** What one reader wants. */
export interface Wanted {
  readonly topics: ReadonlySet<EventTopic>;
  readonly jobs: ReadonlySet<number>;
}

const jobPrefix = "job:";

/** @throws SkeinError `bad_request`, or what `find` says of a job. */
export async function parseTopics(
  text: string,
  find: (ref: string) => Promise<number>,
): Promise<Wanted> {
  const topics = new Set<EventTopic>();
  const jobs = new Set<number>();
  for (const word of text.split(",").map((each) => each.trim())) {
    if (word === "") continue;
    const topic = eventTopics.find((each) => each === word);
    if (topic) topics.add(topic);
    else if (word.startsWith(jobPrefix)) {
      if (jobs.size >= limits.viewerJobsMax) {
        const most = `topics: at most ${limits.viewerJobsMax} jobs are followed one by one`;
        throw new SkeinError("bad_request", most, { hint: 'Follow "jobs" instead.' });
      }
      // oxlint-disable-next-line no-await-in-loop -- few, and the first that is wrong is named
      jobs.add(await find(word.slice(jobPrefix.length)));
    } else {
      const known = [...eventTopics, "job:ID"].join(", ");
      throw new SkeinError("bad_request", `topics: there is no "${word}"; there are ${known}`);
    }
  }
  if (topics.size + jobs.size > 0) return { topics, jobs };
  throw new SkeinError("bad_request", "topics: name at least one");
}

/** More than so many are not named. */
const namedMax = 200;

/** What batches have changed since it was made. */
export class Changes {
  readonly jobs = new Set<number>();
  readonly #workers = new Set<number>();
  readonly #workerIds = new Set<string>();
  readonly #queues = new Set<string>();
  #masters = false;
  /** Nobody knows what has changed. */
  all = false;

  batch(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if ("job" in effect) this.jobs.add(effect.job);
      if ("worker" in effect && effect.worker !== 0) this.#workers.add(effect.worker);
      if (effect.kind === "masters" || effect.kind === "resigned") this.#masters = true;
      else if (effect.kind === "note") this.#note(effect.note);
    }
  }

  #note(note: Note): void {
    if ("worker" in note) this.#workerIds.add(note.worker);
    else if ("queue" in note) this.#queues.add(note.queue);
    else if ("job" in note) this.jobs.add(note.job);
  }

  /** Undefined when nothing has. */
  of(topic: ListTopic, state: State): ChangedView | undefined {
    const ids = this.all ? undefined : this.#ids(topic, state);
    if (ids?.size === 0) return undefined;
    const all = ids === undefined || ids.size > namedMax;
    return { changed: all ? [] : [...ids], all, index: state.index };
  }

  #ids(topic: ListTopic, state: State): Set<string> {
    switch (topic) {
      case "jobs":
        return named(this.jobs, (job) => state.jobs.get(job)?.id);
      case "workers": {
        const ids = named(this.#workers, (worker) => state.workers.get(worker)?.info.id);
        return new Set([...ids, ...this.#workerIds]);
      }
      case "queues": {
        const ids = named(this.jobs, (job) => state.jobs.get(job)?.spec.queue);
        return new Set([...ids, ...this.#queues]);
      }
      case "masters":
        return new Set(this.#masters ? state.masters.keys() : []);
      default:
        return topic satisfies never;
    }
  }
}

/** One that has left the state meanwhile changes no more. */
function named(numbers: Iterable<number>, id: (number: number) => string | undefined): Set<string> {
  const ids = new Set<string>();
  for (const number of numbers) {
    const found = id(number);
    if (found !== undefined) ids.add(found);
  }
  return ids;
}
