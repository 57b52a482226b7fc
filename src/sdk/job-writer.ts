// One job's inputs to the cluster: whole in one request if they are few, else open, parts, close (K1).
//
//   P-1. Parts are numbered in the order they are written and sent a few at a time; one that overtook its
//        predecessor is told so (`part_gap`) and sent again after it.
//   P-2. After `finish` every input is acknowledged, that is durable. After a failure the job is cancelled.

import type { Client } from "../client/index.ts";
import type { JobSpecInput, JobView } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";
import type { Part } from "./inputs.ts";
import { allDependencies } from "./spec.ts";
import type { Dependency, SubmitOptions } from "./spec.ts";
import type { Payloads, Uploads } from "./uploads.ts";

export interface JobPlan {
  readonly spec: JobSpecInput;
  readonly options: SubmitOptions;
  /** The bundle, if the job has one. */
  readonly bundle: Payloads;
  /** Dependencies known beforehand; those that inputs name are added. */
  readonly dependencies: readonly Dependency[];
  readonly onJob?: ((id: string) => void) | undefined;
  /** W3C trace context to hand on. */
  readonly traceparent: string | undefined;
}

const partsInFlightMax = 3;

export class JobWriter {
  readonly #client: Client;
  readonly #uploads: Uploads;
  readonly #plan: JobPlan;
  #opening: Promise<JobView> | undefined;
  #known = new Set<string>();
  #parts = 0;
  /** The fate of each part under way, oldest first; never rejected. */
  #inFlight: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(client: Client, uploads: Uploads, plan: JobPlan) {
    this.#client = client;
    this.#uploads = uploads;
    this.#plan = plan;
  }

  /** Whether anything was sent. */
  get begun(): boolean {
    return this.#opening !== undefined;
  }

  /** Sends a part, opening the job before the first one; resolves when there is room for the next. */
  async write(part: Part, jobs: ReadonlySet<string>): Promise<void> {
    this.#throwFailure();
    this.#opening ??= this.#open(jobs);
    this.#checkKnown(jobs);
    const before = this.#last;
    const sent = this.#send(this.#parts++, part, before);
    this.#last = sent.catch((error: unknown) => void (this.#failure ??= error));
    this.#inFlight.push(this.#last);
    if (this.#inFlight.length >= partsInFlightMax) await this.#inFlight.shift();
    this.#throwFailure();
  }

  /** Waits until every part is acknowledged, and closes the job. */
  async finish(): Promise<JobView> {
    await Promise.all(this.#inFlight);
    this.#throwFailure();
    const job = await this.#opening;
    if (!job) throw new TypeError("nothing was written");
    // A key that was used before: the job of that time, closed already.
    if (!job.open) return job;
    return this.#client.close(job.id, { parts: this.#parts }, this.#call());
  }

  /** The whole job in one request; with `waitMs` the answer comes when it has ended. */
  async whole(part: Part, jobs: ReadonlySet<string>, waitMs?: number) {
    const { options, traceparent } = this.#plan;
    const { signal } = options;
    if (part.payloads.size > 0) await this.#uploads.put(part.payloads, signal);
    const head = this.#head(jobs, { payloads: [...part.payloads.keys()] });
    const payloads = new Map([...this.#plan.bundle, ...part.payloads]);
    return this.#uploads.sendWith(payloads, signal, () =>
      this.#client.submit(
        { head, lines: part.body },
        { signal, cancelOnAbort: true, traceparent, ...(waitMs === undefined ? {} : { waitMs }) },
      ),
    );
  }

  /** Cancels what was sent, as far as the cluster can be reached. */
  async abandon(reason: string): Promise<void> {
    const job = await this.#opening?.catch(() => undefined);
    if (!job) return;
    // The caller throws what went wrong first; that this failed as well would hide it.
    await this.#client.cancelJob(job.id, { reason }, { retryMs: 5_000 }).catch(() => {});
  }

  async #open(jobs: ReadonlySet<string>): Promise<JobView> {
    this.#known = new Set(jobs);
    const head = this.#head(jobs, { open: true });
    const { bundle, options, onJob, traceparent } = this.#plan;
    const job = await this.#uploads.sendWith(bundle, options.signal, () =>
      this.#client.submit(
        { head, lines: "" },
        { ...this.#call(), cancelOnAbort: true, traceparent },
      ),
    );
    onJob?.(job.id);
    return job;
  }

  async #send(number: number, part: Part, before: Promise<void>): Promise<void> {
    const job = await this.#opening;
    if (!job?.open) return;
    const { signal } = this.#plan.options;
    if (part.payloads.size > 0) await this.#uploads.put(part.payloads, signal);
    const put = () =>
      this.#client.part(job.id, number, part.body, {
        ...this.#call(),
        payloads: [...part.payloads.keys()],
      });
    try {
      await this.#uploads.sendWith(part.payloads, signal, put);
    } catch (error) {
      const early = error instanceof SkeinError && error.code === "part_gap";
      if (!early) throw error;
      await before;
      this.#throwFailure();
      await this.#uploads.sendWith(part.payloads, signal, put);
    }
  }

  #head(jobs: ReadonlySet<string>, more: { open?: boolean; payloads?: string[] }) {
    const { spec, options, dependencies } = this.#plan;
    const paired = new Set(dependencies.map(({ job }) => job));
    const named = [...jobs].filter((job) => !paired.has(job));
    const after = allDependencies(options, [
      ...named.map((job) => ({ job, mode: "all" as const })),
      ...dependencies,
    ]);
    return {
      spec: after.length > 0 ? { ...spec, after } : spec,
      ...(options.key === undefined ? {} : { key: options.key }),
      ...(more.open ? { open: true } : {}),
      ...(more.payloads?.length ? { payloads: more.payloads } : {}),
    };
  }

  /** What a job waits for is said when it is opened: later inputs cannot add to it. */
  #checkKnown(jobs: ReadonlySet<string>): void {
    const named = new Set([
      ...this.#known,
      ...this.#plan.dependencies.map(({ job }) => job),
      ...allDependencies(this.#plan.options, []).map(({ job }) => job),
    ]);
    for (const job of jobs) {
      if (named.has(job)) continue;
      throw new SkeinError("bad_input", `An input refers to outputs of job ${job} too late.`, {
        hint: "Name all jobs that inputs refer to in `after` when the inputs are many.",
      });
    }
  }

  #call() {
    return { signal: this.#plan.options.signal };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
