// A submitted job as its client sees it. A handle holds nothing but an id: any number of them, in any
// process, may stand for one job.

import type { Client } from "../client/index.ts";
import type { JobView, LogRecord, OutcomeEvent, WhyView } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";
import { collectResults } from "./collect.ts";
import { OutcomeBlock, taskFailed } from "./outcomes.ts";
import type { Outcome } from "./outcomes.ts";
import { allOutputs, oneOutput } from "./refs.ts";
import type { OutputsRef, Ref } from "./refs.ts";
import { parseDuration } from "./units.ts";
import type { Duration } from "./units.ts";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface JobProgress {
  readonly state: JobView["state"];
  readonly tasks: number;
  readonly counts: JobView["counts"];
  /** Tasks that have ended, however. */
  readonly done: number;
}

export interface LogOptions extends WaitOptions {
  /** The latest unless given. */
  readonly attempt?: number | undefined;
  readonly stream?: "stdout" | "stderr" | "both" | undefined;
  /** Go on until the attempt has ended. */
  readonly follow?: boolean | undefined;
  /** Only lines that contain this text. */
  readonly grep?: string | undefined;
  /** Only the last lines. */
  readonly tail?: number | undefined;
}

/** The longest time one request waits for a job's end. */
const waitMsMax = 25_000;
/** Stored values of one block fetched at once. */
const fetchAhead = 8;

/** A job. Made by `skein.map` and `skein.job`. */
export class JobHandle<out Output> {
  readonly id: string;
  /** All results, in order: put it into the input of another submit, or map over it. */
  readonly outputs: OutputsRef<Output>;
  readonly #client: Client;

  constructor(client: Client, id: string) {
    this.#client = client;
    this.id = id;
    this.outputs = allOutputs(id);
  }

  /** Outcomes as they are recorded, from the first one, until the job has ended. */
  async *outcomes(options: WaitOptions = {}): AsyncGenerator<Outcome<Output>, void, undefined> {
    for await (const event of this.#events(options)) {
      if (event.kind === "end") continue;
      const block = new OutcomeBlock(event.block, this.#fetch(options));
      const { stored } = block;
      for (let first = 0; first < block.columns.count; first += fetchAhead) {
        const length = Math.min(fetchAhead, block.columns.count - first);
        const some = Array.from({ length }, (_, i) => block.outcome(first + i));
        const outcomes = stored ? await Promise.all(some.map((one) => Promise.resolve(one))) : some;
        // What a task returned is what its definition says: the type ends at the wire.
        yield* outcomes as Outcome<Output>[];
      }
    }
  }

  /**
   * All results, in the order of the inputs, when the job has ended.
   *
   * @throws SkeinError `task_failed` naming the first task that did not succeed; its error is the cause.
   */
  async results(options: WaitOptions = {}): Promise<Output[]> {
    const fetch = this.#fetch(options);
    const results = await collectResults(this.id, this.#events(options), fetch);
    return results as Output[];
  }

  /** Results in the order of the inputs, each as soon as it and those before it are there. */
  async *resultsInOrder(options: WaitOptions = {}): AsyncGenerator<Output, void, undefined> {
    const early = new Map<number, Outcome<Output>>();
    let next = 0;
    for await (const outcome of this.outcomes(options)) {
      early.set(outcome.task, outcome);
      for (let ready = early.get(next); ready; ready = early.get(next)) {
        if (ready.state !== "succeeded") throw taskFailed(this.id, ready);
        early.delete(next++);
        yield ready.value;
      }
    }
  }

  /** The job when it has ended. @throws SkeinError `wait_expired` after `timeout`. */
  async wait(options: WaitOptions & { readonly timeout?: Duration } = {}): Promise<JobView> {
    const { timeout, signal } = options;
    const endAt = performance.now() + (timeout === undefined ? Infinity : parseDuration(timeout));
    for (;;) {
      const waitMs = Math.max(0, Math.min(waitMsMax, Math.ceil(endAt - performance.now())));
      const job = await this.#client.job(this.id, { waitMs, signal });
      if (hasEnded(job)) return job;
      if (performance.now() < endAt) continue;
      throw new SkeinError("wait_expired", `Job ${this.id} is ${job.state} after ${timeout}.`);
    }
  }

  /** The job now. */
  view(options: WaitOptions = {}): Promise<JobView> {
    return this.#client.job(this.id, options);
  }

  /** Counts whenever they have changed, looked at every `every` (500 ms), until the job has ended. */
  async *progress(
    options: WaitOptions & { readonly every?: Duration } = {},
  ): AsyncGenerator<JobProgress, void, undefined> {
    const waitMs = Math.max(1, parseDuration(options.every ?? 500, "every"));
    let before = "";
    for (let first = true; ; first = false) {
      const job = await this.#client.job(this.id, {
        ...(first ? {} : { waitMs }),
        signal: options.signal,
      });
      const { state, tasks, counts } = job;
      const now = JSON.stringify([state, tasks, counts]);
      const done = counts.succeeded + counts.failed + counts.cancelled;
      if (now !== before) yield { state, tasks, counts, done };
      if (hasEnded(job)) return;
      before = now;
    }
  }

  /** Cancels what has not ended. Attempts that run are told, and killed soon after. */
  cancel(reason?: string, options: WaitOptions = {}): Promise<JobView> {
    return this.#client.cancelJob(this.id, reason === undefined ? {} : { reason }, options);
  }

  /** A new job of the inputs whose tasks did not succeed. */
  async retry(options: WaitOptions = {}): Promise<JobHandle<Output>> {
    const job = await this.#client.retryJob(this.id, options);
    return new JobHandle(this.#client, job.id);
  }

  /** Why a task is where it is. */
  why(task: number, options: WaitOptions = {}): Promise<WhyView> {
    return this.#client.why(this.id, task, options);
  }

  /** What an attempt of a task printed. */
  logs(task: number, options: LogOptions = {}): AsyncGenerator<LogRecord, void, undefined> {
    return this.#client.logs(this.id, task, options);
  }

  #events({ signal }: WaitOptions): AsyncGenerator<OutcomeEvent, void, undefined> {
    return this.#client.outcomes(this.id, { follow: true, signal });
  }

  #fetch({ signal }: WaitOptions): (hash: string) => Promise<Uint8Array> {
    return (hash) => this.#client.payload(hash, { signal });
  }
}

/** A job of one task. Made by `skein.submit`. */
export class TaskHandle<out Output> {
  /** The job's id. */
  readonly id: string;
  readonly job: JobHandle<Output>;
  /** The result: put it into the input of another submit. */
  readonly output: Ref<Output>;

  constructor(client: Client, id: string) {
    this.id = id;
    this.job = new JobHandle(client, id);
    this.output = oneOutput(id, 0);
  }

  /** The result, when the task has ended. @throws SkeinError `task_failed` */
  async result(options: WaitOptions = {}): Promise<Output> {
    const outcome = await this.outcome(options);
    if (outcome.state === "succeeded") return outcome.value;
    throw taskFailed(this.id, outcome);
  }

  /** How the task ended, when it has. */
  async outcome(options: WaitOptions = {}): Promise<Outcome<Output>> {
    let found: Outcome<Output> | undefined;
    // To the end of the stream, which comes at once: so its connection can be used again.
    for await (const outcome of this.job.outcomes(options)) found ??= outcome;
    if (found) return found;
    throw new SkeinError("internal", `Job ${this.id} ended without an outcome.`);
  }

  /** @throws SkeinError `wait_expired` after `timeout` */
  wait(options: WaitOptions & { readonly timeout?: Duration } = {}): Promise<JobView> {
    return this.job.wait(options);
  }

  cancel(reason?: string, options: WaitOptions = {}): Promise<JobView> {
    return this.job.cancel(reason, options);
  }

  why(options: WaitOptions = {}): Promise<WhyView> {
    return this.job.why(0, options);
  }

  logs(options: LogOptions = {}): AsyncGenerator<LogRecord, void, undefined> {
    return this.job.logs(0, options);
  }
}

function hasEnded({ state }: JobView): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
