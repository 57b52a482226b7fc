// Clients of open jobs (K1): a job that waits for more inputs must not wait for ever for a client that died.
// A sign of life is any request that names the job; a stream that is open is one all the time.

import type { State } from "../../core/state.ts";
import type { Clock } from "../../lib/clock.ts";
import { limits } from "../../protocol/limits.ts";
import type { Master } from "../context.ts";

const looksPerSilence = 10;

export interface ClientWatchOptions {
  readonly master: Pick<Master, "loop" | "log">;
  readonly clock: Clock;
  readonly silenceMs?: number;
}

export class ClientWatch {
  readonly #o: ClientWatchOptions;
  readonly #silenceMs: number;
  /** When the client of an open job was last heard. */
  readonly #heard = new Map<number, number>();
  /** Open streams by job. */
  readonly #streams = new Map<number, number>();
  #cancelTimer = () => {};

  constructor(options: ClientWatchOptions) {
    this.#o = options;
    this.#silenceMs = options.silenceMs ?? limits.openJobSilenceMs;
    this.#schedule();
  }

  /** A request named the job. Cheap, and nothing for a job that is not known to be open. */
  touch(job: number): void {
    if (this.#heard.has(job)) this.#heard.set(job, this.#o.clock.now());
  }

  opened(job: number): void {
    this.#heard.set(job, this.#o.clock.now());
  }

  /** A stream of the job is open until the function returned is called. */
  hold(job: number): () => void {
    this.#streams.set(job, (this.#streams.get(job) ?? 0) + 1);
    return () => {
      const left = (this.#streams.get(job) ?? 1) - 1;
      if (left > 0) this.#streams.set(job, left);
      else this.#streams.delete(job);
      this.touch(job);
    };
  }

  stop(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
  }

  #schedule(): void {
    this.#cancelTimer = this.#o.clock.after(this.#silenceMs / looksPerSilence, () => {
      this.#look();
      this.#schedule();
    });
  }

  #look(): void {
    const { loop } = this.#o.master;
    if (loop.leads) loop.read(openJobs, (open) => this.#judge(open));
    // What was heard while it led says nothing when it leads again.
    else this.#heard.clear();
  }

  #judge(open: ReadonlyMap<number, "close" | "cancel">): void {
    const now = this.#o.clock.now();
    for (const job of this.#heard.keys()) if (!open.has(job)) this.#heard.delete(job);
    for (const [job, ifGone] of open) {
      // Of a master that ran before this one: its client has the whole time from now on.
      const heard = this.#heard.get(job) ?? now;
      this.#heard.set(job, this.#streams.has(job) ? now : heard);
      if (!this.#streams.has(job) && now - heard >= this.#silenceMs) this.#giveUp(job, ifGone);
    }
  }

  #giveUp(job: number, ifGone: "close" | "cancel"): void {
    const { loop, log } = this.#o.master;
    log.info("the client of an open job is silent", { job, ifGone });
    this.#heard.delete(job);
    const request =
      ifGone === "close"
        ? ({ kind: "close", job, parts: null } as const)
        : ({ kind: "cancelJob", job, reason: "clientGone" } as const);
    loop.request(request, 64, (answer) => {
      if (!answer.ok) log.warn("an open job could not be ended", { job, why: answer.message });
    });
  }
}

function openJobs(state: State): Map<number, "close" | "cancel"> {
  const open = new Map<number, "close" | "cancel">();
  for (const job of state.jobs.values()) {
    if (job.open && job.ended === "") open.set(job.number, job.spec.ifClientGone);
  }
  return open;
}
