/**
 * Work that never stops while masters and workers die.
 *
 *   L1. Submits of one task are sent at a steady rate, whether those before them were answered or not.
 *   L2. A backlog of short tasks keeps most slots busy; long tasks run through several deaths.
 *   L3. Every acknowledged task is waited for by its client, and its result is compared with its input.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Skein } from "skein";
import { monotonicMs } from "./clock.ts";
import { between } from "./random.ts";
import type { Random } from "./random.ts";
import { resultOf, work } from "./tasks.ts";
import type { Work } from "./tasks.ts";

export interface LoadOptions {
  readonly notes: string;
  readonly random: Random;
  /** One submit of one task in so many milliseconds. */
  readonly submitEveryMs: number;
  readonly backlogs: number;
  readonly longs: number;
}

export interface Submit {
  readonly sentAt: number;
  readonly ackedAt: number;
}

/** Shorter than what one waits for a master to come back, so that every round finds many running. */
const longMs = { min: 5_000, max: 15_000 };
const shortMs = { min: 10, max: 40 };
const backlogTasks = 60;

export class Load {
  /** Single submits, in the order in which they were acknowledged. */
  readonly submits: Submit[] = [];
  /** Inputs of every acknowledged job, by its id. */
  readonly jobs = new Map<string, readonly Work[]>();
  /** What a client was told and should not have been. */
  readonly failures: string[] = [];
  readonly #skein: Skein;
  readonly #options: LoadOptions;
  readonly #stopped = new AbortController();
  readonly #loops: Promise<void>[];
  readonly #waiting = new Set<Promise<void>>();
  /** No new backlog for now. */
  resting = false;
  #lastInput = 0;

  constructor(skein: Skein, options: LoadOptions) {
    this.#skein = skein;
    this.#options = options;
    this.#loops = [
      this.#steadily(),
      ...Array.from({ length: options.backlogs }, () => this.#again(() => this.#backlog())),
      ...Array.from({ length: options.longs }, () => this.#again(() => this.#long())),
    ];
  }

  get tasks(): number {
    return [...this.jobs.values()].reduce((sum, inputs) => sum + inputs.length, 0);
  }

  /** One more submit, now: L1 goes on beside it. */
  submitNow(): void {
    this.#keep(this.#submit());
  }

  /** Nothing new is submitted. */
  end(): void {
    this.#stopped.abort();
  }

  /** Nothing new is submitted; resolves when every client has what it waits for. */
  async stop(): Promise<void> {
    this.end();
    await Promise.all(this.#loops);
    while (this.#waiting.size > 0) await Promise.all(this.#waiting);
  }

  #keep(turn: Promise<void>): void {
    const kept = turn
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#waiting.delete(kept));
    this.#waiting.add(kept);
  }

  #failed(error: unknown): void {
    this.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  async #steadily(): Promise<void> {
    let next = monotonicMs();
    while (!this.#stopped.signal.aborted) {
      next += this.#options.submitEveryMs;
      await sleep(Math.max(0, next - monotonicMs()));
      this.submitNow();
    }
  }

  async #again(turn: () => Promise<void>): Promise<void> {
    while (!this.#stopped.signal.aborted)
      await turn().catch((error: unknown) => this.#failed(error));
  }

  async #submit(): Promise<void> {
    const [input] = this.#inputs(1, () => 0);
    if (!input) return;
    const sentAt = monotonicMs();
    const handle = await this.#skein.submit(work, input);
    this.submits.push({ sentAt, ackedAt: monotonicMs() });
    this.jobs.set(handle.id, [input]);
    this.#compare(handle.id, [input], [await handle.result()]);
  }

  async #backlog(): Promise<void> {
    if (this.resting) return sleep(50);
    const { random } = this.#options;
    await this.#map(this.#inputs(backlogTasks, () => between(random, shortMs.min, shortMs.max)));
  }

  async #long(): Promise<void> {
    const { random } = this.#options;
    await this.#map(this.#inputs(1, () => between(random, longMs.min, longMs.max)));
  }

  async #map(inputs: readonly Work[]): Promise<void> {
    const job = await this.#skein.map(work, inputs);
    this.jobs.set(job.id, inputs);
    this.#compare(job.id, inputs, await job.results());
  }

  #inputs(count: number, ms: () => number): Work[] {
    const { notes } = this.#options;
    return Array.from({ length: count }, () => ({ n: ++this.#lastInput, ms: ms(), notes }));
  }

  #compare(job: string, inputs: readonly Work[], results: readonly unknown[]): void {
    for (const [task, input] of inputs.entries()) {
      if (results[task] === resultOf(input)) continue;
      this.failures.push(`${job}/${task} came back as ${String(results[task])}`);
    }
    if (results.length === inputs.length) return;
    this.failures.push(`${job}: ${results.length} results of ${inputs.length} tasks`);
  }
}
