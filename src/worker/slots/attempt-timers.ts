// The clock of the attempt that runs (T2), kept by the worker: a busy loop in the slot does not delay it.
// Loading a module and setup() are not run time; they have bounds of their own, so that nothing hangs (P6).

import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { JobDescriptor } from "../../protocol/messages.ts";
import { endReasons } from "../../protocol/model.ts";
import type { Entry, Verdict } from "./attempt-queue.ts";
import { phase } from "./rows.ts";

const loadMs = 120_000;
const setupMs = 600_000;

export interface TimersOptions {
  readonly clock: Clock;
  /** The attempt's time is over. */
  readonly onExpired: (entry: Entry, verdict: Verdict) => void;
}

export class AttemptTimers {
  readonly #options: TimersOptions;
  #entry: Entry | undefined;
  #phase: number = phase.run;
  #since = 0;
  #movedAt = 0;
  #cancel: CancelTimer | undefined;

  constructor(options: TimersOptions) {
    this.#options = options;
  }

  /** The slot says that this attempt has been at it for so long. */
  running(entry: Entry, at: number, forMs: number): void {
    const now = this.#options.clock.now();
    if (this.#entry !== entry) this.#movedAt = now - forMs;
    this.#entry = entry;
    this.#phase = at;
    this.#since = now - forMs;
    this.#arm();
  }

  /** Something was printed, or progress was reported. */
  moved(): void {
    this.#movedAt = this.#options.clock.now();
  }

  ended(entry: Entry): void {
    if (this.#entry === entry) this.stop();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#entry = undefined;
  }

  #arm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const entry = this.#entry;
    // With a verdict it is being ended already.
    if (!entry || entry.verdict) return;
    const clock = this.#options.clock;
    const due = this.#due(entry.job);
    if (due === undefined) return;
    this.#cancel = clock.after(Math.max(1, due.at - clock.now()), () => {
      // Output may have moved the end of silence since.
      const now = this.#due(entry.job);
      if (now && now.at > clock.now()) this.#arm();
      else if (now && !entry.done && !entry.verdict) this.#options.onExpired(entry, now.verdict);
    });
  }

  /** What is due first. */
  #due(job: JobDescriptor): { at: number; verdict: Verdict } | undefined {
    const { runMs, silenceMs } = job.timeouts;
    const due = (at: number, reason: { code: number }, text: string) => ({
      at,
      verdict: { code: reason.code, reason: text, graceMs: job.killGraceMs, overSuccess: true },
    });
    if (this.#phase === phase.load) {
      const text = `the module did not finish loading within ${loadMs / 1_000} s`;
      return due(this.#since + loadMs, endReasons.load, text);
    }
    if (this.#phase === phase.setup) {
      const text = `setup() took longer than ${setupMs / 1_000} s`;
      return due(this.#since + setupMs, endReasons.runTimeout, text);
    }
    const run = due(
      this.#since + runMs,
      endReasons.runTimeout,
      `it ran longer than its run timeout of ${runMs} ms`,
    );
    const silence = due(
      Math.max(this.#movedAt, this.#since) + silenceMs,
      endReasons.silenceTimeout,
      `it printed nothing and reported no progress for ${silenceMs} ms`,
    );
    if (runMs === 0) return silenceMs === 0 ? undefined : silence;
    return silenceMs === 0 || run.at <= silence.at ? run : silence;
  }
}
