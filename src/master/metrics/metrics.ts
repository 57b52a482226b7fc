// What a master counts as it happens. Read next: state-gauges.ts, what it reads when somebody asks.
//
// The hot path must not feel it: at 200,000 tasks a second nothing here is done per task. All is counted once per
// batch, per range of tasks that start together, or per block that ends. Counts are exact. Run times are, too, but
// for blocks of many that all succeeded: of those sixteen, read from the bytes, stand for all.
//
// Tasks, waits and retries are counted by whoever leads when they are durable: so the sum over all masters is the
// cluster's. (A leader that dies between the append and the count takes that batch's with it.)

import { partOf } from "../../core/tasks.ts";
import type { Effect } from "../../core/effect.ts";
import type { Job, State } from "../../core/state.ts";
import type { AppendResult } from "../../journal/journal.ts";
import { limits } from "../../protocol/limits.ts";
import { endReason } from "../../protocol/model.ts";
import { countEnds, storedBit } from "../../protocol/outcome-block.ts";
import type { Durable, LoopPorts } from "../loop-ports.ts";
import { BoundedNames, other } from "./bounded-names.ts";
import { Registry } from "./registry.ts";
import type { Tally } from "./tally.ts";

/** Seconds: from a millisecond to an hour. */
const longBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600];
/** Seconds: what a disk, a loop or an answer takes. */
const shortBounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const lagMs = 100;

const byQueue = `At most ${limits.queuesShownMax} queues by their name; what is beyond them is "${other}".`;
const byLeader = "Counted by the leader: sum over all masters.";

export class Metrics {
  readonly registry = new Registry();
  readonly queues = new BoundedNames(limits.queuesShownMax);
  readonly #ended = this.registry.counter({
    name: "skein_tasks_total",
    help: `Tasks that have ended, by queue and outcome. ${byLeader} ${byQueue}`,
    labels: ["queue", "outcome"],
  });
  readonly #wait = this.registry.histogram(
    {
      name: "skein_task_queue_wait_seconds",
      help: `From when a task could start to its first assignment; not of tasks that waited for others. ${byLeader} ${byQueue}`,
      labels: ["queue"],
    },
    longBounds,
  );
  readonly #run = this.registry.histogram(
    {
      name: "skein_task_run_seconds",
      help: `Run time of attempts that were their task's outcome, by the worker's clock; of many that end together sixteen stand for all. ${byLeader}`,
    },
    longBounds,
  );
  readonly #dispatch = this.registry.histogram(
    {
      name: "skein_dispatch_latency_seconds",
      help: `From a task's assignment to its order on the way to the worker: the append is in it. ${byLeader}`,
    },
    shortBounds,
  );
  readonly #retries = this.registry.counter({
    name: "skein_task_retries_total",
    help: `Attempts that ended without being their task's outcome, by reason. ${byLeader}`,
    labels: ["reason"],
  });
  readonly #append = this.registry.histogram(
    {
      name: "skein_journal_append_seconds",
      help: "From handing a batch to the journal's engine to its answer: the fsync is in it.",
    },
    shortBounds,
  );
  readonly #failedAppends = this.registry.counter({
    name: "skein_journal_append_failures_total",
    help: "Appends that did not come back as appended, by what the engine said.",
    labels: ["result"],
  });
  readonly #batches = this.registry.counter({
    name: "skein_journal_batches_total",
    help: "Batches that this master has appended or followed.",
  });
  readonly #requests: Tally = this.registry.histogram(
    {
      name: "skein_http_request_duration_seconds",
      help: "Requests that were let in, from their head to the end of their answer; streams and waits included.",
      labels: ["route", "method", "code"],
    },
    shortBounds,
  );
  readonly #refused = this.registry.counter({
    name: "skein_auth_failures_total",
    help: "Requests and sessions that were turned away at the door, by reason.",
    labels: ["reason"],
  });
  readonly #lag = this.registry.histogram(
    {
      name: "skein_event_loop_lag_seconds",
      help: `How much later than asked a timer of ${lagMs} ms fires: how long whoever asks waits for this process.`,
    },
    shortBounds,
  );
  readonly #lagTimer: NodeJS.Timeout;
  #appendAt = 0;
  #snapshotIndex = 0;
  /** When this master saw the newest snapshot named in the journal; else when it started. */
  snapshotSeenAt = performance.now();

  constructor() {
    let due = performance.now() + lagMs;
    const row = this.#lag.at();
    this.#lagTimer = setInterval(() => {
      const now = performance.now();
      row.observe(Math.max(0, now - due) / 1_000);
      due = now + lagMs;
    }, lagMs).unref();
  }

  stop(): void {
    clearInterval(this.#lagTimer);
  }

  /** The loop's way into the journal, timed. */
  timed(append: LoopPorts["append"]): LoopPorts["append"] {
    const took = this.#append.at();
    return (expected, batch, done) => {
      const since = (this.#appendAt = performance.now());
      append(expected, batch, (result: AppendResult) => {
        took.observe((performance.now() - since) / 1_000);
        if (result.kind !== "appended") this.#failedAppends.add(1, result.kind);
        done(result);
      });
    };
  }

  /** A batch is durable, and was performed. */
  performed(state: State, durable: Durable, leads: boolean): void {
    if (durable.bytes.length === 0) return;
    this.#batches.add(1);
    if (state.snapshotIndex !== this.#snapshotIndex) {
      this.#snapshotIndex = state.snapshotIndex;
      this.snapshotSeenAt = performance.now();
    }
    if (!leads) return;
    let assigned = 0;
    for (const effect of durable.effects) {
      if (effect.kind === "start") {
        assigned += effect.count;
        this.#assigned(state, effect);
      } else if (effect.kind === "outcomes") this.#outcomes(state, effect);
      else if (effect.kind === "attempt") this.#retries.add(1, endReason(effect.reason).name);
    }
    if (assigned === 0) return;
    this.#dispatch.at().observe((performance.now() - this.#appendAt) / 1_000, assigned);
  }

  answered(route: string, method: string, code: number, seconds: number): void {
    this.#requests.at(route, method, String(code)).observe(seconds);
  }

  turnedAway(reason: string): void {
    this.#refused.add(1, reason);
  }

  /** Tasks of a range became ready together, and wait equally long. */
  #assigned(state: State, { job: number, first, count, attempt }: Of<"start">): void {
    const job = state.jobs.get(number);
    if (!job || attempt !== 1 || job.pairedWith.length > 0 || job.spec.after.length > 0) return;
    const waited = Math.max(0, state.time - readyTime(job, first));
    this.#wait.at(this.queues.of(job.spec.queue)).observe(waited / 1_000, count);
  }

  #outcomes(state: State, { job, block }: Of<"outcomes">): void {
    const queue = this.queues.of(state.jobs.get(job)?.spec.queue ?? other);
    const run = this.#run.at();
    const counts = { succeeded: 0, failed: 0, cancelled: 0 };
    countEnds(block, (code, micros, times) => {
      if (code === 0) counts.succeeded += times;
      else counts[endReason(code & ~storedBit).state] += times;
      run.observe(micros / 1e6, times);
    });
    for (const [outcome, count] of Object.entries(counts)) {
      if (count > 0) this.#ended.add(count, queue, outcome);
    }
  }
}

type Of<Kind extends Effect["kind"]> = Extract<Effect, { readonly kind: Kind }>;

function readyTime(job: Job, task: number): number {
  return Math.max(partOf(job, task)?.createdTime ?? job.createdTime, job.wakeTime);
}
