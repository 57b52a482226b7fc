// The SDK's front: submit, run, map. It owns its connections and, if it started one, a laptop cluster.

import type { CallOptions, Client, JobSpecInput } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";
import type { StoredPayload } from "../protocol/model.ts";
import { RecordReader } from "../protocol/outcome-stream.ts";
import { bundleTask } from "./bundle.ts";
import type { Task } from "./define-task.ts";
import { feed } from "./feed.ts";
import { PartBuilder } from "./inputs.ts";
import { JobHandle, TaskHandle } from "./job-handle.ts";
import { JobWriter } from "./job-writer.ts";
import type { JobPlan } from "./job-writer.ts";
import { OutcomeBlock, taskFailed } from "./outcomes.ts";
import { isOutputs, oneOutput } from "./refs.ts";
import type { OutputsRef, WithRefs } from "./refs.ts";
import { toSpec } from "./spec.ts";
import { traced } from "./trace-submit.ts";
import type { SubmitOptions } from "./spec.ts";
import { Uploads } from "./uploads.ts";
import type { Payloads } from "./uploads.ts";

/** What a map takes: each item one task. A job's `outputs` pairs them: input i is output i. */
export type MapInputs<Input> =
  | Iterable<WithRefs<Input>>
  | AsyncIterable<WithRefs<Input>>
  | OutputsRef<Input>;

export interface MapOptions<Output> extends SubmitOptions {
  /** Called once the job exists, while inputs are still on their way: for watching a long map. */
  readonly onJob?: ((job: JobHandle<Output>) => void) | undefined;
}

/** How long `run` waits on its submit before it follows the job's outcomes instead. */
const runWaitMs = 10_000;

/** A connection to a cluster. Made by `connect`; `await using` closes it. */
export class Skein implements AsyncDisposable {
  /** Everything the API offers, without the comfort. */
  readonly client: Client;
  readonly #uploads: Uploads;
  readonly #close: () => Promise<void>;
  /** Cancellations that nobody awaits but `close`. */
  readonly #cancelling = new Set<Promise<void>>();
  readonly #closed = new AbortController();

  constructor(client: Client, close: () => Promise<void>) {
    this.client = client;
    this.#uploads = new Uploads(client);
    this.#close = close;
  }

  /**
   * Submits one task. Resolves when the cluster has it for good.
   *
   * @example
   * const handle = await skein.submit(encode, { frames: job.outputs });
   * const film = await handle.result();
   * @throws SkeinError `bad_input`, `bundle_failed`, `unknown_task`, `overloaded` …
   */
  async submit<Input, Output>(
    task: Task<Input, Output>,
    input: WithRefs<Input>,
    options: SubmitOptions = {},
  ): Promise<TaskHandle<Output>> {
    const job = await this.#one(task, input, options);
    this.#cancelOnAbort(job.id, options.signal);
    return new TaskHandle(this.client, job.id);
  }

  /**
   * Submits one task and waits for its result, which comes back on the same response.
   *
   * @throws SkeinError `task_failed`; its cause is the task's error
   */
  async run<Input, Output>(
    task: Task<Input, Output>,
    input: WithRefs<Input>,
    options: SubmitOptions = {},
  ): Promise<Output> {
    const { signal } = options;
    const job = await this.#one(task, input, options, runWaitMs);
    const handle = new TaskHandle<Output>(this.client, job.id);
    try {
      const outcome = await this.#outcomeOf(job.outcome, { signal });
      if (outcome === undefined) return await handle.result({ signal });
      if (outcome.state !== "succeeded") throw taskFailed(job.id, outcome);
      // The type of a result ends at the wire: it is what the definition says.
      return outcome.value as Output;
    } catch (error) {
      if (signal?.aborted) await this.#cancel(job.id);
      throw error;
    }
  }

  /**
   * Submits a task for each input. Resolves when all inputs are in the cluster for good; tasks may start,
   * and end, before that. An input that is refused, or an iterable that throws, cancels the job.
   *
   * @example
   * const job = await skein.map(shade, frames, { queue: "film", priority: 10 });
   * for await (const outcome of job.outcomes()) …
   * const pixels = await job.results();
   * @throws SkeinError `bad_input` naming the input …
   */
  async map<Input, Output>(
    task: Task<Input, Output>,
    inputs: MapInputs<Input>,
    options: MapOptions<Output> = {},
  ): Promise<JobHandle<Output>> {
    options.signal?.throwIfAborted();
    return traced(task.name, options.queue, (traceparent) =>
      this.#map(task, inputs, options, traceparent),
    );
  }

  async #map<Input, Output>(
    task: Task<Input, Output>,
    inputs: MapInputs<Input>,
    options: MapOptions<Output>,
    traceparent: string | undefined,
  ): Promise<JobHandle<Output>> {
    const { signal, onJob } = options;
    const paired = isOutputs(inputs) ? inputs : undefined;
    const plan = await this.#plan(task, options, {
      dependencies: paired ? [{ job: paired.job, mode: "each" }] : [],
      onJob: onJob && ((id) => onJob(new JobHandle(this.client, id))),
      traceparent,
    });
    const items = paired ? await this.#pairs(paired.job, signal) : inputs;
    const builder = new PartBuilder(task.input);
    const writer = new JobWriter(this.client, this.#uploads, plan);
    try {
      // A reference to all outputs was turned into its pairs above.
      await feed(items as Iterable<unknown> | AsyncIterable<unknown>, builder, writer, signal);
      let id: string;
      if (writer.begun) {
        if (!builder.empty) await writer.write(builder.take(), builder.jobs);
        id = (await writer.finish()).id;
      } else {
        id = (await writer.whole(builder.take(), builder.jobs)).id;
        plan.onJob?.(id);
      }
      this.#cancelOnAbort(id, signal);
      return new JobHandle(this.client, id);
    } catch (error) {
      await writer.abandon("its client could not send all inputs");
      throw error;
    }
  }

  /** A handle of a job submitted earlier, by this process or another. */
  job<Output = unknown>(id: string): JobHandle<Output> {
    return new JobHandle(this.client, id);
  }

  /** The bytes of a stored payload: a command's named output, say. */
  payload(stored: Pick<StoredPayload, "hash">, options: CallOptions = {}): Promise<Uint8Array> {
    return this.client.payload(stored.hash, options);
  }

  /** Closes connections and ends a laptop cluster. Jobs of any other cluster go on. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    await Promise.all(this.#cancelling);
    await this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #one(task: Task<never, unknown>, input: unknown, options: SubmitOptions, waitMs?: number) {
    return traced(task.name, options.queue, async (traceparent) => {
      const plan = await this.#plan(task, options, { traceparent });
      const builder = new PartBuilder(task.input);
      // A task without an input is called with null: JSON has no undefined.
      const late = builder.add(input === undefined ? null : input);
      if (late) await late;
      const writer = new JobWriter(this.client, this.#uploads, plan);
      return writer.whole(builder.take(), builder.jobs, waitMs);
    });
  }

  async #plan(
    task: Task<never, unknown>,
    options: SubmitOptions,
    more: Partial<Pick<JobPlan, "dependencies" | "onJob" | "traceparent">>,
  ): Promise<JobPlan> {
    const { code, bundle } = await codeOf(task);
    const spec = toSpec(task, code, options);
    const { dependencies = [], onJob, traceparent } = more;
    return { spec, options, bundle, dependencies, onJob, traceparent };
  }

  async #pairs(job: string, signal: AbortSignal | undefined): Promise<Iterable<unknown>> {
    const { tasks, state } = await this.client.job(job, { signal });
    if (state === "open") {
      throw new SkeinError(
        "conflict",
        `Job ${job} is open: it is not known how many outputs it has.`,
        {
          hint: "Map over its outputs when its own map has resolved.",
        },
      );
    }
    return Array.from({ length: tasks }, (_, i) => oneOutput(job, i));
  }

  /** The outcome that a waiting submit brought along. */
  async #outcomeOf(encoded: unknown, options: CallOptions) {
    if (typeof encoded !== "string") return undefined;
    for (const record of new RecordReader().push(Buffer.from(encoded, "base64"))) {
      if (record.kind !== "block") continue;
      const fetch = (hash: string) => this.client.payload(hash, options);
      return new OutcomeBlock(record.block, fetch).outcome(0);
    }
    return undefined;
  }

  #cancelOnAbort(id: string, signal: AbortSignal | undefined): void {
    if (!signal) return;
    const cancel = () => {
      const cancelling = this.#cancel(id).finally(() => this.#cancelling.delete(cancelling));
      this.#cancelling.add(cancelling);
    };
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true, signal: this.#closed.signal });
  }

  async #cancel(id: string): Promise<void> {
    const reason = "its client aborted it";
    // Whoever aborted is told by the abort itself; a cluster out of reach changes nothing for it.
    await this.client.cancelJob(id, { reason }, { retryMs: 5_000 }).catch(() => {});
  }
}

const noBundle: Payloads = new Map();

async function codeOf(
  task: Task<never, unknown>,
): Promise<{ readonly code: JobSpecInput["code"]; readonly bundle: Payloads }> {
  if (task.command) {
    const { argv, env, stdin } = task.command;
    return { code: { kind: "command", argv: [...argv], env, stdin }, bundle: noBundle };
  }
  const { hash, bytes } = await bundleTask(task);
  return { code: { kind: "function", bundle: hash }, bundle: new Map([[hash, bytes]]) };
}
