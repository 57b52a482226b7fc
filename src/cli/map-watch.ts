// Watching a map: results in the order of the inputs as soon as each is there, progress, the first
// failure.
//
// A task that did not succeed gives a line with `null`, so that line n belongs to input n.

import type { JobHandle } from "../sdk/job-handle.ts";
import type { Outcome } from "../sdk/outcomes.ts";
import { delay } from "../lib/abort.ts";
import type { Cli } from "./cli.ts";
import { count, duration, shortId } from "./format.ts";
import { bar } from "./render.ts";
import { errorText } from "./task-error.ts";

export interface Tally {
  succeeded: number;
  failed: number;
  cancelled: number;
}

const flushCharsMin = 16_384;
const drawMs = 100;
const askMs = 500;
const barColumns = 20;
/** The rate is that of the last few seconds. */
const rateWindowMs = 4_000;

export class MapWatch {
  readonly tally: Tally = { succeeded: 0, failed: 0, cancelled: 0 };
  readonly #cli: Cli;
  /** Tasks in all, as far as that is known. */
  #total: number | undefined;
  #running = 0;
  #next = 0;
  readonly #early = new Map<number, string>();
  #lines = "";
  #failureTold = false;
  readonly #samples: { readonly at: number; readonly done: number }[] = [];

  constructor(cli: Cli, total: number | undefined) {
    this.#cli = cli;
    this.#total = total;
  }

  get done(): number {
    const { succeeded, failed, cancelled } = this.tally;
    return succeeded + failed + cancelled;
  }

  get total(): number {
    return this.#total ?? this.done;
  }

  /** Until the job has ended, or the signal is aborted. */
  async follow(job: JobHandle<unknown>, signal: AbortSignal): Promise<void> {
    const drawing = new AbortController();
    const drawn = this.#cli.canShowProgress
      ? this.#draw(job, AbortSignal.any([signal, drawing.signal]))
      : Promise.resolve();
    try {
      for await (const outcome of job.outcomes({ signal })) {
        this.#take(outcome, job.id);
        if (this.#lines.length >= flushCharsMin) await this.#flush();
        else if (this.#lines !== "") setImmediate(() => void this.#flush());
      }
    } finally {
      drawing.abort();
      await drawn;
      await this.#flush();
      this.#cli.progress("");
    }
  }

  #take(outcome: Outcome<unknown>, job: string): void {
    this.tally[outcome.state]++;
    const value = outcome.state === "succeeded" ? outcome.value : null;
    const line = `${JSON.stringify(value ?? null)}\n`;
    if (outcome.state === "failed") this.#tellFailure(outcome, job);
    if (outcome.task !== this.#next) {
      this.#early.set(outcome.task, line);
      return;
    }
    this.#lines += line;
    this.#next++;
    for (let ready = this.#early.get(this.#next); ready; ready = this.#early.get(this.#next)) {
      this.#lines += ready;
      this.#early.delete(this.#next++);
    }
  }

  /** The first failure, at once: the rest may take hours. */
  #tellFailure(outcome: Outcome<unknown>, job: string): void {
    if (this.#failureTold || outcome.state === "succeeded") return;
    this.#failureTold = true;
    const { error, reason, task, attempt } = outcome;
    const name = `${shortId(job)}/${task}`;
    const { red, dim, symbols } = this.#cli.err;
    const place = error.stack?.split("\n").find((line) => /^\s+at /.test(line));
    const tries = attempt > 1 ? ` in attempt ${attempt}` : "";
    this.#cli.say(`${red(symbols.fail)} task ${name} failed${tries}: ${errorText(error, reason)}`);
    if (place !== undefined) this.#cli.say(dim(`  ${place.trim()}`));
    this.#cli.say(dim(`  logs: skein logs ${name}   why: skein why ${name}`));
  }

  async #flush(): Promise<void> {
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    if (!this.#cli.print(lines)) await this.#cli.io.stdout.drained();
  }

  async #draw(job: JobHandle<unknown>, signal: AbortSignal): Promise<void> {
    let askAt = 0;
    try {
      for (;;) {
        if (performance.now() >= askAt) {
          askAt = performance.now() + askMs;
          const { counts, tasks } = await job.view({ signal });
          this.#running = counts.assigned;
          this.#total = Math.max(this.#total ?? 0, tasks);
        }
        this.#cli.progress(this.#line());
        await delay(drawMs, signal);
      }
    } catch (error) {
      // Only the picture is lost: what went wrong is told by those who follow the outcomes.
      if (!signal.aborted) this.#cli.progress(`no counts: ${String(error)}`);
    }
  }

  #line(): string {
    const { failed, cancelled } = this.tally;
    const style = this.#cli.err;
    const bad = failed + cancelled;
    const rate = this.#rate();
    const left = this.total - this.done;
    const known = this.#total !== undefined;
    const parts = [
      known ? bar(this.done / Math.max(1, this.total), barColumns, style) : "",
      known ? `${count(this.done)}/${count(this.total)}` : `${count(this.done)} done`,
      `run ${count(Math.min(this.#running, Math.max(0, left)))}`,
      bad > 0 ? style.red(`failed ${count(bad)}`) : "failed 0",
      rate > 0 ? `${rate < 10 ? rate.toFixed(1) : count(Math.round(rate))}/s` : "",
      known && rate > 0 && left > 0 ? `ETA ${duration((left / rate) * 1_000)}` : "",
    ];
    return parts.filter((part) => part !== "").join("  ");
  }

  #rate(): number {
    const now = performance.now();
    this.#samples.push({ at: now, done: this.done });
    while ((this.#samples[0]?.at ?? now) < now - rateWindowMs) this.#samples.shift();
    const first = this.#samples[0];
    if (!first || now - first.at < drawMs) return 0;
    return ((this.done - first.done) / (now - first.at)) * 1_000;
  }
}
